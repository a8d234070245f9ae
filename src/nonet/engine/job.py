"""One request on its way through the engine: its text, its pictures, and what is left to be done."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nonet.engine.events import Done, Drawn, Failed
from nonet.engine.request import DrawRequest
from nonet.engine.sampling import Sampling
from nonet.engine.stream import DrawStream
from nonet.model.stepping import CrossKV

if TYPE_CHECKING:
    from nonet.engine.events import Pixels

BLOCK_PICTURES = 16
"""Pictures that are drawn side by side at one position; larger requests are cut into several blocks."""


@dataclass(eq=False)
class Job:
    """A submitted request.

    Attributes:
        request: with nothing left open.
        stream: where its events go.
        partials: whether anybody wants to see how far the pictures are.
        conditional: cross-attention keys and values of the prompt; None until it is prepared.
        unconditional: those of the negative prompt; None without guidance.
        sources: for each picture that has begun, what it remembers.
        started: pictures that have been given to a block.
        rows: rows of its blocks that are being drawn.
        arrival: how many came before it.
        fresh: nothing of it has been shown yet, so it goes before others.
        left: pictures that are not finished.
    """

    request: DrawRequest
    stream: DrawStream
    partials: bool = True
    began: float = field(default_factory=time.perf_counter)
    conditional: CrossKV | None = None
    unconditional: CrossKV | None = None
    sources: dict[int, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    started: int = 0
    rows: int = 0
    arrival: int = 0
    fresh: bool = True
    left: int = field(init=False)
    _kept: list[tuple[int, float | None, Pixels]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.left = self.request.pictures

    @property
    def guided(self) -> bool:
        """Whether each picture has an unconditional row beside it."""
        return self.request.guidance != 1

    @property
    def sampling(self) -> Sampling:
        """How its tokens are chosen."""
        r = self.request
        assert r.temperature is not None
        assert r.top_k is not None
        assert r.top_p is not None
        return Sampling(r.temperature, r.top_k, r.top_p)

    def next_block(self, rows_max: int) -> range:
        """The pictures that the next block shall draw: parts of nearly equal size, within `rows_max` rows."""
        left = self.request.pictures - self.started
        most = max(1, min(BLOCK_PICTURES, rows_max // (2 if self.guided else 1)))
        size = math.ceil(left / math.ceil(left / most)) if left else 0
        return range(self.started, self.started + size)

    def finished(self, picture: int, pixels: Pixels, score: float | None) -> None:
        """Take a finished picture; say it, or with candidates keep it until all are there."""
        self.left -= 1
        if self.request.pictures == self.request.count:
            self._say(picture, picture, pixels, score)
        else:
            self._kept.append((picture, score, pixels))
            # Of equals the earlier one; no more than `count` pictures are held.
            self._kept.sort(key=lambda kept: (-(kept[1] or 0.0), kept[0]))
            del self._kept[self.request.count :]
        if self.left == 0:
            for place, (kept_picture, kept_score, kept_pixels) in enumerate(self._kept):
                self._say(place, kept_picture, kept_pixels, kept_score)
            self.stream.send(Done(time.perf_counter() - self.began))

    def fail(self, code: str, message: str, hint: str = "") -> None:
        """End it without its pictures."""
        self.left = 0
        self.stream.send(Failed(code, message, hint))

    def _say(self, place: int, picture: int, pixels: Pixels, score: float | None) -> None:
        sources = self.sources.get(picture, ())
        self.stream.send(Drawn(place, pixels, self.request.seed + picture, score, sources))
