"""Work of many small steps on one core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nonet.threads import use_threads

Result = TypeVar("Result")


def on_one_core(work: Callable[[], Result]) -> Result:
    """Do `work` in a thread of its own in which torch uses one core, and return its result.

    Mark and search are hundreds of small tensor operations. Where other programs want the cores too, two threads that
    wait for each other at every one of them take a hundred times as long as one.
    """
    with ThreadPoolExecutor(1, "nonet-one-core", initializer=use_threads, initargs=(1,)) as pool:
        return pool.submit(work).result()
