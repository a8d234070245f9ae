"""An engine without a model: it sends the events that the real one sends, at once and the same every time."""

from __future__ import annotations

import colorsys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonet.engine.events import Done, Drawn, Event, Failed, Partial, Progress, Started
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError

TOKENS = 256


def pixels(seed: int) -> NDArray[np.uint8]:
    """A plain picture whose colour is its seed's."""
    colour = colorsys.hsv_to_rgb(seed * 0.31 % 1.0, 0.8, 0.9)
    return np.full((256, 256, 3), [round(255 * part) for part in colour], dtype=np.uint8)


class FakeStream:
    """The events of one request; `cancelled` counts calls of `cancel`."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.cancelled = 0

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def cancel(self) -> None:
        self.cancelled += 1


@dataclass
class FakeEngine:
    """Draws plain pictures.

    Attributes:
        notes: what `Started` says.
        failure: sent in the middle of the drawing, in the place of the second picture.
        during: called after the first picture is drawn, for example to raise KeyboardInterrupt.
        pause: seconds before each picture.
        requests, streams: what was submitted, and the answers.
    """

    notes: tuple[str, ...] = ()
    failure: NonetError | None = None
    during: Callable[[], None] | None = None
    pause: float = 0.0
    model: Any = field(default_factory=lambda: SimpleNamespace(name="doodle"))
    requests: list[DrawRequest] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)

    def submit(self, request: DrawRequest, *, partials: bool = True) -> FakeStream:
        self.requests.append(request)
        wanted = (event for event in self._events(request) if partials or not isinstance(event, Partial))
        self.streams.append(FakeStream(wanted))
        return self.streams[-1]

    def _events(self, request: DrawRequest) -> Iterator[Event]:
        guidance = 3.0 if request.guidance is None else request.guidance
        yield Started(replace(request, guidance=guidance, temperature=1.0), self.notes)
        for index in range(request.count):
            yield Progress(index, TOKENS // 2, TOKENS)
            yield Partial(index, pixels(request.seed + index) // 2)
        for index in range(request.count):
            time.sleep(self.pause)
            if index == 1 and self.failure is not None:
                yield Failed(self.failure.code, self.failure.message, self.failure.hint)
                return
            if index == 1 and self.during is not None:
                self.during()
            yield Progress(index, TOKENS, TOKENS)
            seed = request.seed + index
            source = {"title": f"picture {seed}", "set": "Fake Set", "licence": "CC0-1.0"}
            yield Drawn(index, pixels(seed), seed, 0.5 - index / 100, (source,))
        yield Done(0.25)
