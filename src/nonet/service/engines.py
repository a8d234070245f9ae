"""All engines of one server: which of them draws what, and what they are together."""

from __future__ import annotations

import os
import threading
from collections import Counter

from nonet.service.line import Held
from nonet.service.records import Job
from nonet.service.settings import Settings
from nonet.service.supervisor import Listener, Supervisor

SMALL = "doodle"
"""The model that draws its tokens with one core: every core can have an engine of its own."""
SMALL_MOST = 4
"""Each holds the model once more."""
SMALL_TOGETHER, LARGE_TOGETHER = 2, 8
"""A large model's weights are read once for all that it draws; a small one gains nothing by more than two at a time,
and whoever comes waits longer for them."""
_STATES = ("ready", "retiring", "loading", "failed", "stopped")


class Engines:
    """Some processes, each watched by one of `supervisors`; the end of one is no matter of the others."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._together = how_many_together(settings)
        count = how_many(settings)
        cores = max(1, _cores() // count) if count > 1 else 0
        self.supervisors = [Supervisor(settings, listener, cores) for _ in range(count)]

    @property
    def ready(self) -> bool:
        """Whether a drawing handed over now would be drawn at once."""
        return any(one.ready for one in self.supervisors)

    @property
    def room(self) -> int:
        """How many drawings more could be drawn now."""
        return sum(map(self._room_of, self.supervisors))

    @property
    def how_many_ready(self) -> int:
        """How many could draw now."""
        return sum(one.ready for one in self.supervisors)

    @property
    def state(self) -> str:
        """That of the one that is best off: ready, retiring, loading, failed or stopped."""
        states = {one.state for one in self.supervisors}
        return next(state for state in _STATES if state in states)

    @property
    def model(self) -> str:
        """The name of the loaded model, empty before the first one is."""
        return next((one.model for one in self.supervisors if one.model), "")

    @property
    def problem(self) -> tuple[str, str, str] | None:
        """Code, message and hint of why one cannot load its model."""
        return next((one.problem for one in self.supervisors if one.problem is not None), None)

    @property
    def alive(self) -> bool:
        """Whether all are watched."""
        return all(one.alive for one in self.supervisors)

    @property
    def pids(self) -> list[int]:
        """The processes there are."""
        return [pid for one in self.supervisors if (pid := one.pid) is not None]

    @property
    def rows(self) -> tuple[int, int]:
        """Rows in the engines' batches, and the most there may be."""
        used, most = zip(*(one.rows for one in self.supervisors), strict=True)
        return sum(used), sum(most)

    @property
    def starts(self) -> int:
        """How many processes were started."""
        return sum(one.starts for one in self.supervisors)

    @property
    def ends(self) -> Counter[str]:
        """Why processes ended, counted."""
        return sum((Counter(one.ends) for one in self.supervisors), Counter())

    def flying(self) -> list[Held]:
        """What is being drawn."""
        return [held for one in self.supervisors for held in one.flying()]

    def start(self) -> None:
        """Start all."""
        for one in self.supervisors:
            one.start()

    def stop(self) -> None:
        """End all, at the same time; drawings that are not done are lost to their processes."""
        threads = [threading.Thread(target=one.stop) for one in self.supervisors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def draw(self, job: Job) -> bool:
        """Hand a drawing to the engine with the fewest pictures to draw; False if none is ready and has room."""
        # Many small drawings may be fewer pictures than one large: who has the fewest may still be full.
        with_room = filter(self._room_of, self.supervisors)
        return any(one.draw(job) for one in sorted(with_room, key=Supervisor.pictures_flying))

    def cancel(self, held: Held) -> None:
        """Draw it no further."""
        for one in self.supervisors:
            one.cancel(held)

    def retire(self) -> None:
        """Replace every process when what it is drawing has ended."""
        for one in self.supervisors:
            one.retire()

    def _room_of(self, one: Supervisor) -> int:
        return max(0, self._together - len(one.flying())) if one.ready else 0


def how_many(settings: Settings) -> int:
    """As the setting says; else one for each core for the small model, and one for others."""
    if settings.engines:
        return settings.engines
    return min(SMALL_MOST, _cores()) if _is_small(settings) else 1


def how_many_together(settings: Settings) -> int:
    """Drawings of one engine, as the setting says or as suits the model."""
    return settings.drawings_together or (SMALL_TOGETHER if _is_small(settings) else LARGE_TOGETHER)


def _is_small(settings: Settings) -> bool:
    return settings.model == SMALL and not settings.engine


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
