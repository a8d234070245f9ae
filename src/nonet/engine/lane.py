"""A thread that draws some of an engine's requests, in a batch of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import torch

from nonet.engine.batcher import Batcher
from nonet.engine.job import Job
from nonet.threads import use_threads


class Lane:
    """One of an engine's threads. Whoever gives it jobs must not do so once it has ended.

    Attributes:
        thread: its thread.

    Args:
        batcher: what draws; nobody else may use it.
        cores: how many torch takes for what is done in the thread itself.
        ended: called when nothing is drawn any more, before jobs that are left are failed; no job may come after it.
    """

    def __init__(self, batcher: Batcher, *, cores: int, ended: Callable[[], None]) -> None:
        self._batcher = batcher
        self._cores = cores
        self._ended = ended
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._given: list[Job] = []
        self._closing = False
        self.thread = threading.Thread(target=self._run, name="nonet-engine", daemon=True)
        self.thread.start()

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the decoder that are being drawn now, and the most there may be."""
        return sum(job.rows for job in list(self._batcher.jobs)), self._batcher.max_rows

    @property
    def busy(self) -> bool:
        """Whether something is being drawn."""
        return not self._batcher.idle

    @property
    def left(self) -> int:
        """Pictures that are still to be drawn; may be asked by one thread at a time."""
        self._given = [job for job in self._given if job.left]
        return sum(job.left for job in self._given)

    def give(self, job: Job) -> None:
        """Have a job drawn."""
        self._given.append(job)
        self._inbox.put(job)

    def wake(self) -> None:
        """Look whether a job was cancelled."""
        self._inbox.put(None)

    def close(self) -> None:
        """End it soon; what it has is failed."""
        self._closing = True
        self._inbox.put(None)

    def _run(self) -> None:
        use_threads(self._cores)
        batcher = self._batcher
        try:
            with torch.inference_mode():
                while True:
                    self._take_in(wait=batcher.idle)
                    if self._closing:
                        break
                    if batcher.idle:
                        continue
                    try:
                        batcher.turn()
                    except Exception as error:
                        # Errors of the model were caught where they belong to a request; this is one of ours.
                        batcher.end("internal", f"The engine failed: {error!r}.")
        finally:
            # However this thread ends, nobody is left waiting for it.
            self._ended()
            self._take_in(wait=False)
            batcher.end("cancelled", "The engine was closed.")
            batcher.hands.close()

    def _take_in(self, *, wait: bool) -> None:
        while True:
            try:
                job = self._inbox.get(block=wait)
            except Empty:
                return
            wait = False
            if job is not None:
                self._batcher.add(job)
