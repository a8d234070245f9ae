"""Work on several pictures at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import TypeVar

import torch

from nonet.threads import use_threads

Item = TypeVar("Item")
Result = TypeVar("Result")


class Hands:
    """Threads that each do a part of some pictures, with one core each.

    Pixels are made by long operations, during which Python's lock is free; cut up between cores by torch instead,
    they would gain nothing, for the cores would wait for each other after each. Tokens are not worth it: an operation
    of a small decoder is over before another thread has the lock.

    Args:
        count: how many; with 1 the calling thread does the work itself.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._pool = (
            ThreadPoolExecutor(count, "nonet-hand", initializer=use_threads, initargs=(1,))
            if count > 1
            else None
        )

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results of `work` for all items, in order."""
        if self._pool is None or len(items) < 2:
            return [work(item) for item in items]

        def inferring(item: Item) -> Result:
            # Whether gradients are wanted belongs to a thread, too.
            with torch.inference_mode():
                return work(item)

        return list(self._pool.map(inferring, items))

    def shares(self, things: range) -> list[range]:
        """Successive parts of nearly equal length, one a hand."""
        size = max(1, ceil(len(things) / self.count))
        return [things[start : start + size] for start in range(0, len(things), size)]

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
