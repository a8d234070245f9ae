"""One request on its way through the engine: its text, its pictures, the blocks of rows that draw them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nonet.engine.events import Done, Drawn, Failed
from nonet.engine.needs import DrawingModel
from nonet.engine.request import DrawRequest
from nonet.engine.sampling import Sampling, picture_keys
from nonet.engine.stream import DrawStream
from nonet.model.cache import KVCache
from nonet.model.stepping import Context, CrossKV, Rows

if TYPE_CHECKING:
    from nonet.engine.events import Pixels
    from nonet.engine.fixed_step import FixedStep

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
        size = ceil(left / ceil(left / most)) if left else 0
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


def never_single(batch: Tensor) -> Tensor:
    """The batch, or twice the one thing that is in it.

    For a single small picture torch takes another convolution than for several, with another rounding; a picture
    would not be quite the same drawn alone and among others.
    """
    return batch if len(batch) > 1 else torch.cat([batch, batch])


class Block:
    """Pictures of one job that are drawn side by side: their tokens, their rows in the decoder, their noise.

    Args:
        empty_TD: the hint of nothing remembered, for a decoder that takes hints.
        memory_PST: what the pictures remember.

    Attributes:
        pictures: which of the job's; their conditional rows come first, then as many unconditional ones.
        tokens_PT: int64, what is drawn so far.
        held_TPS: what the pictures remember at each position; None without memory.
        done: how many tokens that is.
        shown: rows of tokens in the last partial pictures.
        healthy_P: False from the step on in which a picture's logits were not finite.
        fixed: the step of fixed shapes that it has, on a GPU.
    """

    def __init__(
        self,
        job: Job,
        pictures: range,
        model: DrawingModel,
        cache: KVCache,
        empty_TD: Tensor | None = None,
        memory_PST: Tensor | None = None,
    ):
        decoder = model.decoder
        device = cache.kv.device
        count = len(pictures)
        assert job.conditional is not None
        contexts = [Context(count, job.conditional)]
        if job.unconditional is not None:
            contexts.append(Context(count, job.unconditional))
        self.job = job
        self.pictures = pictures
        self.sampling = job.sampling
        self.rows = Rows(cache, contexts)
        self.tokens_PT = torch.zeros(count, model.image_length, dtype=torch.int64, device=device)
        seeds = [job.request.seed + picture for picture in pictures]
        self.keys_TP = picture_keys(seeds, model.image_length, device).t().contiguous()
        self.fed_R = torch.full((self.rows.count,), model.start_token, dtype=torch.int64, device=device)
        self.healthy_P = torch.ones(count, dtype=torch.bool, device=device)
        self.hint_TRD: Tensor | None = None
        self.held_TPS: Tensor | None = None
        if empty_TD is not None:
            parts = [empty_TD[None].expand(count, -1, -1)] * len(contexts)
            if memory_PST is not None:
                memory_PST = memory_PST.to(device)
                parts[0] = decoder.memory_hint(never_single(memory_PST))[:count]
                self.held_TPS = memory_PST.permute(2, 0, 1).contiguous()
            # Position first: each step reads one slice.
            self.hint_TRD = torch.cat(parts).transpose(0, 1).contiguous()
        self.fixed: FixedStep | None = None
        self.done = 0
        self.shown = 0

    @property
    def finished(self) -> bool:
        """Whether all tokens are drawn."""
        return self.done == self.tokens_PT.shape[1]

    @property
    def wants_partials(self) -> bool:
        """Whether it draws pictures that are to be shown before they are finished."""
        return self.job.partials and self.pictures.start < self.job.request.count
