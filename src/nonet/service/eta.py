"""How long until a drawing is done: the measured speed, played forward over the line.

The engine draws several drawings side by side and all of them advance by one token at a time, so a drawing takes
a + b * (pictures that are drawn with it) seconds however many pictures it has itself. a and b are fitted to the last
drawings; the line is then played through with them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

KEPT = 60
_FADE = 0.93
"""Weight of a drawing against the one after it."""
_FIXED = 0.5
"""The share of a drawing's time that does not grow with its crowd, as long as only one crowd has been seen."""


@dataclass(frozen=True)
class Running:
    """A drawing that is being drawn: its pictures, and the part of it that is done."""

    id: str
    pictures: int
    done: float


class Speed:
    """What the last drawings took; thread-safe."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._fit: tuple[float, float] | None = None

    def observe(self, seconds: float, crowd: float) -> None:
        """A drawing took `seconds` with `crowd` pictures, its own among them, drawn meanwhile on average."""
        if seconds <= 0 or crowd <= 0:
            return
        with self._lock:
            self._seen.append((crowd, seconds))
            self._fit = _fitted(list(self._seen))

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return self._fit is not None

    def seconds(self, crowd: float) -> float:
        """How long a drawing takes in a crowd; needs `known`."""
        assert self._fit is not None
        fixed, each = self._fit
        return max(0.001, fixed + each * crowd)

    def finish_times(
        self, running: Sequence[Running], waiting: Sequence[tuple[str, int]], slots: int
    ) -> dict[str, float]:
        """Seconds from now at which each drawing will be done; empty as long as nothing was measured.

        Args:
            running: those that are drawn now.
            waiting: id and pictures of the others, in their order.
            slots: how many are drawn at a time.
        """
        if not self.known:
            return {}
        left = {one.id: max(0.0, 1.0 - one.done) for one in running}
        sizes = {one.id: one.pictures for one in running} | dict(waiting)
        line = deque(name for name, _ in waiting)
        clock = 0.0
        ends: dict[str, float] = {}
        while left or line:
            while line and len(left) < max(1, slots):
                left[line.popleft()] = 1.0
            whole = self.seconds(sum(sizes[name] for name in left))
            step = min(left.values())
            clock += step * whole
            for name in list(left):
                left[name] -= step
                if left[name] <= 1e-9:
                    ends[name] = clock
                    del left[name]
        return ends


def _fitted(seen: list[tuple[float, float]]) -> tuple[float, float]:
    """Fixed seconds and seconds for each picture in the crowd: weighted least squares, neither below 0."""
    weights = [_FADE**age for age in range(len(seen) - 1, -1, -1)]
    total = sum(weights)
    crowd = sum(w * c for w, (c, _) in zip(weights, seen, strict=True)) / total
    seconds = sum(w * s for w, (_, s) in zip(weights, seen, strict=True)) / total
    spread = sum(w * (c - crowd) ** 2 for w, (c, _) in zip(weights, seen, strict=True)) / total
    guess = (1 - _FIXED) * seconds / crowd
    # A guess counts like a spread of one twentieth of the crowd: it fades where crowds differ.
    trust = (0.05 * crowd) ** 2
    together = sum(w * (c - crowd) * (s - seconds) for w, (c, s) in zip(weights, seen, strict=True)) / total
    each = (together + trust * guess) / (spread + trust)
    each = min(max(0.0, each), seconds / crowd)
    return seconds - each * crowd, each
