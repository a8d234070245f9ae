"""Work on several pictures at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from math import ceil
from typing import Any, Generic, TypeVar

import torch

from nonet.threads import use_threads

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pending(Generic[Result]):
    """Work that has been handed out, or is done already."""

    def __init__(self, parts: Sequence[futures.Future[Result]]) -> None:
        self.parts = parts

    @property
    def done(self) -> bool:
        """Whether `results` would not have to wait."""
        return all(part.done() for part in self.parts)

    def results(self) -> list[Result]:
        """What the work gave for each item, in order; raises what it raised."""
        return [part.result() for part in self.parts]


class Hands:
    """Threads that each do a part of some pictures, with one core each.

    Pixels are made by long operations, during which Python's lock is free; cut up between cores by torch instead,
    they would gain nothing, for the cores would wait for each other after each.

    Args:
        count: how many; with 1 the calling thread does the work itself, at once.
        beside: whether the calling thread goes on meanwhile. One whose own operations take all cores waits.
        sharing: among how many threads with hands of their own the cores are to be shared out now.
    """

    def __init__(
        self, count: int = 1, *, beside: bool = True, sharing: Callable[[], int] = lambda: 1
    ) -> None:
        self._count = count
        self._beside = beside
        self._sharing = sharing
        self._pool = (
            futures.ThreadPoolExecutor(count, "nonet-hand", initializer=use_threads, initargs=(1,))
            if count > 1
            else None
        )
        self._given: list[futures.Future[Any]] = []

    @property
    def count(self) -> int:
        """How many may work now."""
        return max(1, self._count // max(1, self._sharing()))

    def start(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Pending[Result]:
        """Hand out work on each of some items."""
        if self._pool is None or self.count == 1 or (len(items) < 2 and not self._beside):
            return Pending([_done(work, item) for item in items])
        pool = self._pool

        def inferring(item: Item) -> Result:
            # Whether gradients are wanted belongs to a thread, too.
            with torch.inference_mode():
                return work(item)

        pending = Pending([pool.submit(inferring, item) for item in items])
        if not self._beside:
            futures.wait(pending.parts)
        self._given = [part for part in [*self._given, *pending.parts] if not part.done()]
        return pending

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results of `work` for all items, in order; while hands are busy the calling thread does it itself."""
        if len(items) < 2 or not all(part.done() for part in self._given):
            return [work(item) for item in items]
        return self.start(work, items).results()

    def shares(self, things: range) -> list[range]:
        """Successive parts of nearly equal length, one a hand."""
        size = max(1, ceil(len(things) / self.count))
        return [things[start : start + size] for start in range(0, len(things), size)]

    def close(self) -> None:
        """End the threads; work that has begun is finished, what has not is dropped."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def wait_for_any(pending: Iterable[Pending[Any]], seconds: float) -> None:
    """Wait until more of some work is done, but no longer than so."""
    left = [part for work in pending for part in work.parts if not part.done()]
    if left:
        futures.wait(left, seconds, futures.FIRST_COMPLETED)


def _done(work: Callable[[Item], Result], item: Item) -> futures.Future[Result]:
    part: futures.Future[Result] = futures.Future()
    try:
        part.set_result(work(item))
    except Exception as error:
        part.set_exception(error)
    return part
