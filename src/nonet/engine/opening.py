"""Blocks are opened and closed here: what their pictures remember, and the memory that their rows take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nonet.engine.block import Block
from nonet.engine.fixed_step import FixedSteps
from nonet.engine.hands import Hands, Pending
from nonet.engine.job import Job
from nonet.engine.needs import DrawingModel, Plan
from nonet.model.cache import KVCache

SHORT = 1 / 4
"""The part of a picture for which its first cache is long enough: what is shown first, and another row of tokens."""
KEEP_BYTES = 64 << 20
"""A larger cache is not kept on a processor: taking it anew is nothing beside the time that its pictures take, and
finished pictures are painted in its memory."""


@dataclass(frozen=True)
class Opening:
    """Pictures that shall be drawn as soon as it is known what they remember.

    Attributes:
        shares: the pictures, by plan.
        plans: what they remember; without a memory no plan.
    """

    job: Job
    pictures: range
    shares: list[range]
    plans: Pending[Plan]


class Opener:
    """Opens blocks of one model, and keeps what closed ones leave for the next.

    Args:
        max_rows: as many rows may have memory for whole pictures at a time.
        keep: whether anything is kept for later.
        fixed: whether blocks get steps of fixed shapes, where the decoder can be drawn so.
        hands: plan what is remembered.
    """

    def __init__(self, model: DrawingModel, *, max_rows: int, keep: bool, fixed: bool, hands: Hands) -> None:
        self._model = model
        self._most = max_rows * model.image_length
        self._keep = keep
        self._hands = hands
        self.fixed = FixedSteps(model) if fixed and FixedSteps.serve(model.decoder) else None
        self.spare: list[KVCache] = []
        self._taken = 0
        side = math.isqrt(model.image_length)
        self._short = side * math.ceil(side * SHORT)
        self._empty_TD: Tensor | None = None

    def begin(self, job: Job, pictures: range) -> Opening:
        """Have it found out what these pictures remember."""
        if self._model.memory is None:
            return Opening(job, pictures, [], Pending([]))
        shares = self._hands.shares(pictures)
        plans = self._hands.start(lambda share: self._model.plan(job.request, share), shares)
        return Opening(job, pictures, shares, plans)

    def open(self, opening: Opening) -> Block:
        """The block, once that is known."""
        job, pictures = opening.job, opening.pictures
        if self.fixed is not None:
            step = self.fixed.take(len(pictures), guided=job.guided, sampling=job.sampling)
            block = Block(job, pictures, self._model, step.cache)
            step.begin(block)
            return block
        memory_PST = None
        if opening.shares:
            plans = opening.plans.results()
            for share, plan in zip(opening.shares, plans, strict=True):
                job.sources.update(zip(share, plan.sources, strict=True))
            memory_PST = torch.cat([plan.memory_PST for plan in plans])
        rows = len(pictures) * (2 if job.guided else 1)
        # In a crowd most blocks wait for their turn when they have shown something: a short cache will do till then.
        cache = self._find(rows, self._model.image_length) or self._cache(rows, self._short)
        block = Block(
            job, pictures, self._model, cache, self._empty_hint(), memory_PST, lengthened=self._lengthened
        )
        self._taken += cache.positions
        return block

    def close(self, block: Block) -> None:
        """Take back what a block had."""
        if block.fixed is None:
            self._taken -= block.cache.positions
            self._put_back(block.cache)
        elif self.fixed is not None and self._keep:
            self.fixed.give_back(block.fixed)

    def rest(self) -> None:
        """Keep the largest cache for the next request; after a crowd the memory is given back."""
        self.spare = sorted(self.spare, key=lambda cache: cache.nbytes)[-1:]

    def _lengthened(self, short: KVCache) -> KVCache:
        """A cache for whole pictures with what is in a short one, which is taken back."""
        cache = self._cache(short.rows, self._model.image_length)
        cache.kv[:, :, :, :, : short.length] = short.kv
        self._taken += cache.positions - short.positions
        self._put_back(short)
        return cache

    def _put_back(self, cache: KVCache) -> None:
        if self._keep and (cache.kv.is_cuda or cache.nbytes <= KEEP_BYTES) and self._fits(cache.positions):
            self.spare.append(cache)

    def _fits(self, positions: int) -> bool:
        return positions + self._taken + sum(cache.positions for cache in self.spare) <= self._most

    def _cache(self, rows: int, length: int) -> KVCache:
        found = self._find(rows, length)
        if found is not None:
            return found
        # Spare ones of other sizes must not take more memory than the rows there may be.
        while self.spare and not self._fits(rows * length):
            del self.spare[0]
        return self._model.decoder.new_cache(rows, length)

    def _find(self, rows: int, length: int) -> KVCache | None:
        for index, cache in enumerate(self.spare):
            if (cache.rows, cache.length) == (rows, length):
                return self.spare.pop(index)
        return None

    def _empty_hint(self) -> Tensor | None:
        """What a decoder that takes hints is told when nothing is remembered."""
        decoder = self._model.decoder
        if decoder.hint is None:
            return None
        if self._empty_TD is None:
            size = (1, decoder.config.memory_slots, self._model.image_length)
            device = decoder.embed_tokens.weight.device
            nothing = torch.full(size, self._model.codebook_size, device=device)
            self._empty_TD = decoder.memory_hint(nothing)[0]
        return self._empty_TD
