"""Finished drawings that somebody has just looked at, for the next who do."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from nonet.service.records import Job

SECONDS = 1.0
"""What another server changes is seen so much later; what this one changes, at once."""
_MOST = 256


class Lately:
    """Snapshots of finished drawings, for a second each; thread-safe.

    A drawing that is passed around is looked at by many at once. Here it is found without the database, and so without
    a thread that can wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Job]] = OrderedDict()
        self.changes = 0

    def find(self, id: str) -> Job | None:
        """The drawing of that id, if it was kept within the last second."""
        with self._lock:
            kept, job = self._kept.get(id, (0.0, None))
            return job if time.monotonic() - kept < SECONDS else None

    def keep(self, job: Job, since: int) -> None:
        """Keep a drawing that is over.

        Args:
            since: `changes` from before it was read; if one came meanwhile, what was read may be old.
        """
        with self._lock:
            if not job.over or since != self.changes:
                return
            self._kept[job.id] = (time.monotonic(), job)
            self._kept.move_to_end(job.id)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def drop(self, id: str) -> None:
        """A drawing has changed."""
        with self._lock:
            self.changes += 1
            self._kept.pop(id, None)
