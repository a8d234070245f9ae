"""The picture memory: what a drawing remembers, and where on the canvas it remembers it.

Retrieval-augmented drawing (Re-Imagen, RDM, KNN-Diffusion, RA-CM3) made small: every remembered picture is kept as
codec tokens at two sizes, `FULL` (the whole canvas) and `SMALL` (9x9 cells), so that it can be laid on the 16x16
token grid wherever the thing shall appear. The decoder reads these grids position by position, and learns from them
what to copy, what to change and how to join.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

GRID = 16
FULL = 16
SMALL = 9
SLOTS = 4
"""Slot 0 holds a background, slots 1 to 3 things."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")


@dataclass(frozen=True)
class Remembered:
    """One remembered picture laid on the canvas: `size` cells square, its top left cell at (`row`, `column`)."""

    picture: int
    slot: int
    size: int = FULL
    row: int = 0
    column: int = 0


class PictureMemory:
    """Remembered pictures with the words that call them up.

    Args:
        keys_KE: int8 (K, E), normalised sentence embeddings times 127, one for each distinct wording.
        offsets: int64 (K + 1); wording k calls up `members[offsets[k] : offsets[k + 1]]`.
        members: int64, picture numbers.
        full_NT: int64 or int16 (N, 256) codec tokens of the whole picture.
        small_NT: (N, 81) codec tokens of the picture at `SMALL` size.
        colours_NC: float or uint8 (N, 11), share of each of `COLOURS` in the picture, 0 to 255.
        sources: for every picture its title, author or set, and licence.
    """

    def __init__(
        self,
        keys_KE: Tensor,
        offsets: Tensor,
        members: Tensor,
        full_NT: Tensor,
        small_NT: Tensor,
        colours_NC: Tensor,
        sources: Sequence[dict[str, str]] = (),
    ) -> None:
        self.keys_KE = keys_KE.float() / 127
        self.offsets = offsets.tolist()
        self.members = members.tolist()
        self.full_NT = full_NT.long()
        self.small_NT = small_NT.long()
        self.colours_NC = colours_NC.float() / 255
        self.sources = sources

    def __len__(self) -> int:
        return int(self.full_NT.shape[0])

    def nearest(self, query_E: Tensor, count: int = 24, window: float = 0.2) -> list[tuple[int, float]]:
        """The pictures whose wording is nearest to a normalised sentence embedding, with their similarity.

        Pictures further than `window` below the best are left out, but never the best itself.
        """
        similarity_K = self.keys_KE @ query_E.float()
        best: dict[int, float] = {}
        values, order = similarity_K.topk(min(4 * count, similarity_K.shape[0]))
        for value, key in zip(values.tolist(), order.tolist(), strict=True):
            if best and (value < values[0].item() - window or len(best) >= count):
                break
            for picture in self.members[self.offsets[key] : self.offsets[key + 1]]:
                best.setdefault(picture, value)
        return list(best.items())

    def recall(
        self,
        query_E: Tensor,
        count: int,
        rng: random.Random,
        *,
        colour: str | None = None,
        without: frozenset[int] = frozenset(),
        sharpness: float = 0.04,
    ) -> list[int]:
        """Sample `count` different pictures near the query, nearer ones more often.

        A colour draws pictures that have much of it: full share counts as much as `sharpness` times five.
        """
        pool = [(p, s) for p, s in self.nearest(query_E) if p not in without]
        if not pool:
            return []
        if colour in COLOURS:
            column = COLOURS.index(colour)
            pool = [(p, s + 5 * sharpness * float(self.colours_NC[p, column])) for p, s in pool]
        return sample_without_replacement(pool, count, rng, sharpness)

    def slots(self, remembered: Sequence[Remembered], empty: int) -> Tensor:
        """Lay remembered pictures into slots: (SLOTS, 256) tokens, `empty` where nothing is remembered."""
        return lay(remembered, self.full_NT, self.small_NT, empty)


def lay(remembered: Sequence[Remembered], full_NT: Tensor, small_NT: Tensor, empty: int) -> Tensor:
    """(SLOTS, 256) token grids with the given pictures' tokens at their places."""
    grid = torch.full((SLOTS, GRID, GRID), empty, dtype=torch.int64)
    for item in remembered:
        if item.size == FULL:
            grid[item.slot] = full_NT[item.picture].long().view(GRID, GRID)
        else:
            tokens = small_NT[item.picture].long().view(SMALL, SMALL)
            rows, columns = min(SMALL, GRID - item.row), min(SMALL, GRID - item.column)
            grid[item.slot, item.row : item.row + rows, item.column : item.column + columns] = tokens[
                :rows, :columns
            ]
    return grid.view(SLOTS, GRID * GRID)


def sample_without_replacement(
    pool: list[tuple[int, float]], count: int, rng: random.Random, sharpness: float
) -> list[int]:
    """Draw from (item, score) with probability proportional to exp(score / sharpness)."""
    # Gumbel top-k: adding Gumbel noise and sorting samples without replacement.
    noisy = [(score / sharpness - math.log(-math.log(rng.random() or 1e-12)), item) for item, score in pool]
    return [item for _, item in sorted(noisy, reverse=True)[:count]]
