"""What another thread finds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def in_a_new_thread(work: Callable[[], Result]) -> Result:
    """The result of `work` in a thread that begins now."""
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]
