"""The drawings that this server has begun and not ended, and how crowded it was meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from nonet.service.line import Held
from nonet.service.records import Job


@dataclass
class Drawing:
    """What is known of a job that is being drawn.

    Attributes:
        began: when, by the monotonic clock.
        area: the desk's pictures times seconds at that moment.
        notes: what the engine said of it.
        tokens: by picture, how many are drawn.
    """

    job: Job
    began: float
    area: float
    notes: list[str] = field(default_factory=list)
    tokens: dict[int, int] = field(default_factory=dict)


class Desk:
    """Thread-safe."""

    def __init__(self) -> None:
        self._drawings: dict[Held, Drawing] = {}
        self._lock = threading.Lock()
        self._pictures, self._area, self._counted = 0, 0.0, time.monotonic()

    def __len__(self) -> int:
        with self._lock:
            return len(self._drawings)

    def add(self, job: Job) -> None:
        """A job is begun."""
        with self._lock:
            self._count()
            self._pictures += job.request.pictures
            self._drawings[Held(job.id, job.attempt)] = Drawing(job, time.monotonic(), self._area)

    def get(self, held: Held) -> Drawing | None:
        """What is known of a job; None if it is not here any more."""
        with self._lock:
            return self._drawings.get(held)

    def remove(self, held: Held) -> bool:
        """A job is over for this server. False if it was before."""
        with self._lock:
            drawing = self._drawings.pop(held, None)
            if drawing is None:
                return False
            self._count()
            self._pictures -= drawing.job.request.pictures
            return True

    def all(self) -> list[Held]:
        """Everything that is here."""
        with self._lock:
            return list(self._drawings)

    def jobs(self) -> list[Job]:
        """The jobs that are here."""
        with self._lock:
            return [drawing.job for drawing in self._drawings.values()]

    def crowd(self, drawing: Drawing) -> tuple[float, float]:
        """How many pictures were here on average since a drawing began, and the seconds since then."""
        with self._lock:
            self._count()
            took = max(1e-6, time.monotonic() - drawing.began)
            return (self._area - drawing.area) / took, took

    def _count(self) -> None:
        clock = time.monotonic()
        self._area += self._pictures * (clock - self._counted)
        self._counted = clock
