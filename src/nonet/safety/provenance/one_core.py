"""Work of many small steps on one core."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def on_one_core(work: Callable[[], Result]) -> Result:
    """Do `work` in a thread of its own in which torch uses one core, and return its result.

    Mark and search are hundreds of small tensor operations. Where other programs want the cores too, two threads that
    wait for each other at every one of them take a hundred times as long as one. Torch's setting belongs to the
    thread; what threads begin with afterwards is put back.
    """
    import torch

    cores = torch.get_num_threads()
    results: list[Result] = []
    errors: list[BaseException] = []

    def alone() -> None:
        # Asked for once, or torch would set it to the number for new threads when it is first needed.
        torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            torch.set_num_threads(cores)

    thread = threading.Thread(target=alone, name="nonet-one-core")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
