"""The pictures of a request that are drawn side by side, and what of them the next step draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nonet.engine.drafts import Drafts
from nonet.engine.job import Job
from nonet.engine.needs import DrawingModel
from nonet.engine.sampling import picture_keys
from nonet.model.cache import KVCache
from nonet.model.stepping import Context, CrossKV, Rows

if TYPE_CHECKING:
    from nonet.engine.fixed_step import FixedStep

MISSES = 4
"""With more wrong guesses in a row of a picture than this, its next row is drawn token by token."""


def never_single(batch: Tensor) -> Tensor:
    """The batch, or twice the one thing that is in it.

    For a single small picture torch takes another convolution than for several, with another rounding; a picture
    would not be quite the same drawn alone and among others.
    """
    return batch if len(batch) > 1 else torch.cat([batch, batch])


class Block:
    """Pictures of one job that are drawn side by side: their tokens, their rows in the decoder, their noise.

    Pictures whose next tokens can be guessed (`Drafts`) are drawn a row of tokens at a time, as far as the guesses
    hold; who is behind catches up before the next row begins.

    Args:
        cache: has a row for each picture, and with guidance as many unconditional ones behind them.
        empty_TD: the hint of nothing remembered, for a decoder that takes hints.
        memory_PST: what the pictures remember.
        lengthened: gives a longer cache for one that is too short for whole pictures, when they come to its end.

    Attributes:
        pictures: which of the job's.
        tokens_PT: int64, what is drawn so far.
        held_PTS: what the pictures remember at each position; None without memory.
        drawn: how many tokens of each picture that is.
        shown: rows of tokens in the last partial pictures.
        healthy_P: False from the step on in which a picture's logits were not finite.
        fixed: the step of fixed shapes that it has, on a GPU.
        company: how many larger steps of another block went with steps of its present row.
    """

    def __init__(
        self,
        job: Job,
        pictures: range,
        model: DrawingModel,
        cache: KVCache,
        empty_TD: Tensor | None = None,
        memory_PST: Tensor | None = None,
        *,
        lengthened: Callable[[KVCache], KVCache] | None = None,
    ):
        decoder = model.decoder
        device = cache.kv.device
        count = len(pictures)
        assert job.conditional is not None
        self.job = job
        self.pictures = pictures
        self.sampling = job.sampling
        self.cache = cache
        self._lengthened = lengthened
        self.contexts = (
            [job.conditional] if job.unconditional is None else [job.conditional, job.unconditional]
        )
        # A row each, so that no step has to do it: what all rows see is not copied.
        self._spread = [
            [(k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1)) for k, v in context]
            for context in self.contexts
        ]
        self.start_token = model.start_token
        self.tokens_PT = torch.zeros(count, model.image_length, dtype=torch.int64, device=device)
        seeds = [job.request.seed + picture for picture in pictures]
        self.keys_PT = picture_keys(seeds, model.image_length, device)
        self.healthy_P = torch.ones(count, dtype=torch.bool, device=device)
        self.hint_RTD: Tensor | None = None
        self.held_PTS: Tensor | None = None
        self._drafts: Drafts | None = None
        if empty_TD is not None:
            parts = [empty_TD[None].expand(count, -1, -1)] * len(self.contexts)
            if memory_PST is not None:
                memory_PST = memory_PST.to(device)
                parts[0] = decoder.memory_hint(never_single(memory_PST))[:count]
                self.held_PTS = memory_PST.transpose(1, 2)
                self._drafts = Drafts(self.held_PTS, model.codebook_size)
            self.hint_RTD = torch.cat(parts)
        self.fixed: FixedStep | None = None
        self.drawn = [0] * count
        self.shown = 0
        self.company = 0
        self._side = math.isqrt(model.image_length)
        self._guessed = [self._drafts is not None] * count

    @property
    def row_count(self) -> int:
        """Rows in the decoder."""
        return len(self.pictures) * len(self.contexts)

    @property
    def done(self) -> int:
        """How many tokens all of its pictures have."""
        return min(self.drawn)

    @property
    def ahead(self) -> int:
        """How many tokens of rows the next step takes."""
        end = self._row_end(self.done)
        next_P = zip(self.drawn, self._guessed, strict=True)
        places = sum(self._stop(drawn, guessed) - drawn for drawn, guessed in next_P if drawn < end)
        return len(self.contexts) * places

    @property
    def finished(self) -> bool:
        """Whether all tokens are drawn."""
        return self.done == self.tokens_PT.shape[1]

    @property
    def wants_partials(self) -> bool:
        """Whether it draws pictures that are to be shown before they are finished."""
        return self.job.partials and self.pictures.start < self.job.request.count

    def stretches(self) -> list[Stretch]:
        """What the next step shall draw; the cache has room for it from now on."""
        if self._lengthened is not None and self._row_end(self.done) > self.cache.length:
            self.cache = self._lengthened(self.cache)
        next_P = list(zip(self.drawn, self._guessed, strict=True))
        if all(same == next_P[0] for same in next_P):
            return [self._stretch(slice(None), *next_P[0])]
        end = self._row_end(self.done)
        # What is drawn of a picture, and how, depends on that picture alone, and so does its rounding.
        return [self._stretch(slice(p, p + 1), *of) for p, of in enumerate(next_P) if of[0] < end]

    def seen_by(self, count: int) -> list[CrossKV]:
        """The contexts for all of its pictures or for one of them."""
        return self._spread if count == len(self.pictures) else self.contexts

    def take(self, stretch: Stretch, chosen_PW: Tensor, healthy_PW: Tensor) -> None:
        """Take what was chosen for a stretch, and which of it was chosen from finite numbers."""
        # Without guesses nothing has to be known of a GPU's choice.
        counts = [1] * len(chosen_PW)
        if stretch.width > 1:
            # A choice counts while all before it were what the decoder was fed.
            right_PW = (chosen_PW[:, :-1] == stretch.fed_PW[:, 1:]).long().cumprod(1)
            healthy_PW = torch.cat([healthy_PW[:, :1], healthy_PW[:, 1:] | (right_PW == 0)], 1)
            counts = (1 + right_PW.sum(1)).tolist()
        self.tokens_PT[stretch.pictures, stretch.start : stretch.start + stretch.width] = chosen_PW
        self.healthy_P[stretch.pictures] &= healthy_PW.all(1)
        self.drawn[stretch.pictures] = [stretch.start + count for count in counts]

    def row_done(self) -> None:
        """All pictures stand at the end of a row: of which is the next one worth guessing?"""
        self.company = 0
        if self._drafts is not None:
            missed_P = self._drafts.missed(self.tokens_PT, self.done - self._side, self.done)
            self._guessed = [missed <= MISSES for missed in missed_P]

    def _row_end(self, position: int) -> int:
        return (position // self._side + 1) * self._side

    def _stop(self, start: int, guessed: bool) -> int:
        """Up to where the next step draws a picture. Of its background nothing is known before its first token."""
        return self._row_end(start) if guessed and start else start + 1

    def _stretch(self, pictures: slice, start: int, guessed: bool) -> Stretch:
        if start:
            fed_PW = self.tokens_PT[pictures, start - 1 : start]
        else:
            fed_PW = torch.full_like(self.tokens_PT[pictures, :1], self.start_token)
        stop = self._stop(start, guessed)
        if self._drafts is not None and stop > start + 1:
            guessed_PW = self._drafts.guess(self.tokens_PT, pictures, start, stop - 1)
            fed_PW = torch.cat([fed_PW, guessed_PW], 1)
        return Stretch(self, pictures, start, fed_PW)


@dataclass(frozen=True)
class Stretch:
    """Successive places of one or all pictures of a block, which one step draws.

    Attributes:
        pictures: of the block.
        start: the first of the places.
        fed_PW: the tokens before each of the places: the last one drawn, and guesses.
    """

    block: Block
    pictures: slice
    start: int
    fed_PW: Tensor

    @property
    def width(self) -> int:
        """How many places."""
        return self.fed_PW.shape[1]

    @property
    def count(self) -> int:
        """How many choices."""
        return self.fed_PW.numel()

    @property
    def rows(self) -> Rows:
        """The decoder's rows of its pictures."""
        count = self.fed_PW.shape[0]
        contexts = [Context(count, context) for context in self.block.seen_by(count)]
        return Rows(self.block.cache.kv[:, :, self._lines], contexts, self.start, self.width)

    @property
    def fed_X(self) -> Tensor:
        """The tokens that these rows are fed."""
        return self.fed_PW.repeat(len(self.block.contexts), 1).flatten()

    @property
    def hint_XD(self) -> Tensor | None:
        """The hints of these rows at each of the places."""
        hint_RTD = self.block.hint_RTD
        if hint_RTD is None:
            return None
        return hint_RTD[self._lines, self.start : self.start + self.width].flatten(0, 1)

    @property
    def _lines(self) -> slice:
        # A picture's unconditional row lies a block behind its conditional one.
        return slice(
            self.pictures.start, None, None if self.pictures.start is None else len(self.block.pictures)
        )

    def of_places(self, values_PTX: Tensor) -> Tensor:
        """What a block holds for its pictures at each position, at the places that are drawn."""
        return values_PTX[self.pictures, self.start : self.start + self.width].flatten(0, 1)
