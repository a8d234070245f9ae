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
SHARPNESS = 0.04
"""A wording that is nearer by this is chosen e times as often."""
MOST = 1 / 2
"""The nine of a prompt are to differ, so one picture is drawn after at most so often, where there are others."""

FEW = 4
"""With fewer pictures under a wording, those of wordings further away are taken along."""
STYLES = ("emoji", "3D render", "clip art", "line drawing", "pixel art", "photo", "flat icon", "painting")
UNASKED = ("line drawing", "pixel art")
"""Styles that few mean when they name none."""
ENOUGH = 0.25
"""Share of a colour from which a picture has it."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
CHROMATIC = 8
"""The first so many are no black, white or gray."""
ASKED_KEPT = 256
"""So many answers are kept: the nine of a prompt ask for the same few things."""


@dataclass(frozen=True)
class Remembered:
    """One remembered picture laid on the canvas: `size` cells square, its top left cell at (`row`, `column`).

    `colour`: a colour that it is to be imagined in, since it lacks it.
    """

    picture: int
    slot: int
    size: int = FULL
    row: int = 0
    column: int = 0
    colour: str | None = None


class PictureMemory:
    """Remembered pictures with the words that call them up.

    Args:
        keys_KE: int8 (K, E), normalised sentence embeddings times 127, one for each distinct wording.
        offsets: int64 (K + 1); wording k calls up `members[offsets[k] : offsets[k + 1]]`.
        members: int64, picture numbers.
        full_NT: int64 or int16 (N, 256) codec tokens of the whole picture; the codebook's size stands where a cut-out
            shows nothing.
        small_NT: (N, 81) codec tokens of the picture at `SMALL` size.
        colours_NC: float or uint8 (N, 11), share of each of `COLOURS` in the picture, 0 to 255.
        sources: for every picture its title, author or set, and licence.
        weights_N: float or uint8 (N,), how gladly each is remembered, 0 to 255: good pictures more, members of a
            crowd less. None is all alike.
        styles_N: uint8 (N,), the number in `STYLES` of each picture's style. None is not known.
        scenery_N: uint8 or bool (N,), whether a picture shows a place that fills the canvas. None is nowhere.
        extents_N2: uint8 (N, 2), where what is visible begins from above and where it ends, 0 to 255. None is the
            whole height.
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
        weights_N: Tensor | None = None,
        styles_N: Tensor | None = None,
        scenery_N: Tensor | None = None,
        extents_N2: Tensor | None = None,
    ) -> None:
        self.keys_KE = keys_KE.float() / 127
        self.offsets = offsets.tolist()
        self.members = members.tolist()
        self.full_NT = full_NT.long()
        self.small_NT = small_NT.long()
        self.colours_NC = colours_NC.float() / 255
        self.sources = sources
        self.weights: list[float] = [1.0] * len(full_NT) if weights_N is None else weights_N.tolist()
        self.scenery: list[bool] = [False] * len(full_NT) if scenery_N is None else scenery_N.bool().tolist()
        self.extents: list[list[int]] = (
            [[0, 255]] * len(full_NT) if extents_N2 is None else extents_N2.tolist()
        )
        self.styles: list[int] = [len(STYLES)] * len(full_NT) if styles_N is None else styles_N.tolist()
        self._asked: dict[tuple[bytes, int, float], tuple[tuple[int, float], ...]] = {}

    def __len__(self) -> int:
        return int(self.full_NT.shape[0])

    def forget(self) -> None:
        """Forget what was asked for."""
        self._asked.clear()

    def nearest(self, query_E: Tensor, count: int = 96, window: float = 0.15) -> Sequence[tuple[int, float]]:
        """The pictures whose wording is nearest to a normalised sentence embedding, with their similarity.

        Pictures further than `window` below the best are left out, but never the best itself.
        """
        asked = query_E.numpy(force=True).tobytes(), count, window
        found = self._asked.get(asked)
        if found is None:
            if len(self._asked) >= ASKED_KEPT:
                self._asked.clear()
            found = self._asked[asked] = self._nearest(query_E, count, window)
        return found

    def _nearest(self, query_E: Tensor, count: int, window: float) -> tuple[tuple[int, float], ...]:
        similarity_K = self.keys_KE @ query_E.float()
        best: dict[int, float] = {}
        values, order = similarity_K.topk(min(4 * count, similarity_K.shape[0]))
        for value, key in zip(values.tolist(), order.tolist(), strict=True):
            if best and (value < values[0].item() - window or len(best) >= count):
                break
            for picture in self.members[self.offsets[key] : self.offsets[key + 1]]:
                best.setdefault(picture, value)
        return tuple(best.items())

    def recall(
        self,
        query_E: Tensor,
        count: int,
        rng: random.Random,
        *,
        colour: str | None = None,
        style: str | None = None,
        behind: bool = False,
        without: frozenset[int] = frozenset(),
        at: float | None = None,
    ) -> list[int]:
        """Choose `count` different pictures near the query: nearer, better and rarer ones more often.

        Args:
            colour: pictures that have it are preferred.
            style: one of `STYLES`; pictures of that style are preferred. Without, `UNASKED` ones seldom come.
            behind: whether it shall stand behind all else, where places are preferred; elsewhere they seldom come.
            without: pictures that must not be chosen.
            at: chooses the first one, from 0 to 1, instead of `rng`: evenly spread numbers give different pictures.
        """
        pool = [(p, s) for p, s in self.nearest(query_E) if p not in without]
        if len(pool) < FEW:
            pool = [(p, s) for p, s in self.nearest(query_E, window=0.5) if p not in without]
        if not pool:
            return []
        best = pool[0][1]
        chances = evened([self.weights[p] * math.exp((s - best) / SHARPNESS) for p, s in pool])
        named = STYLES.index(style) if style in STYLES else None
        chances = [c * self._suits(p, named, behind) for c, (p, _) in zip(chances, pool, strict=True)]
        if colour in COLOURS:
            shares = self.colours_NC[[p for p, _ in pool], COLOURS.index(colour)].tolist()
            # What has a colour of its own can be imagined in another.
            coloured = self.colours_NC[[p for p, _ in pool], :CHROMATIC].sum(1).tolist()
            fits = [
                max(min(1.0, s / 0.3), 0.4 * min(1.0, c / 0.3)) for s, c in zip(shares, coloured, strict=True)
            ]
            chances = [chance * (0.03 + fit) for chance, fit in zip(chances, fits, strict=True)]
        pictures = [p for p, _ in pool]
        first: list[int] = []
        if at is not None:
            first = [pick(pictures, chances, at)]
            place = pictures.index(first[0])
            del pictures[place], chances[place]
        return first + sample_without_replacement(pictures, chances, count - len(first), rng)

    def _suits(self, picture: int, named: int | None, behind: bool) -> float:
        place = 1.0 if self.scenery[picture] == behind else 0.1 if behind else 0.02
        style = self.styles[picture]
        if named is not None:
            return place if style == named or behind else 0.01 * place
        return 0.15 * place if style < len(STYLES) and STYLES[style] in UNASKED else place

    def lacks(self, picture: int, colour: str) -> bool:
        """Whether a picture has little of a colour."""
        if colour not in COLOURS:
            return True
        return float(self.colours_NC[picture, COLOURS.index(colour)]) < ENOUGH

    def extent(self, picture: int) -> tuple[float, float]:
        """Top and bottom of what is visible, as shares of the picture's height."""
        top, bottom = self.extents[picture]
        return top / 255, bottom / 255

    def tokens(self, item: Remembered) -> Tensor:
        """A remembered picture's tokens at its size: (256,) or (81,)."""
        return (self.full_NT if item.size == FULL else self.small_NT)[item.picture]


def lay(remembered: Sequence[Remembered], tokens: Sequence[Tensor], empty: int) -> Tensor:
    """Token grids (SLOTS, 256) with the given pictures' tokens at their places, `empty` where nothing is remembered."""
    grid = torch.full((SLOTS, GRID, GRID), empty, dtype=torch.int64)
    for item, tokens_T in zip(remembered, tokens, strict=True):
        side = math.isqrt(len(tokens_T))
        rows, columns = min(side, GRID - item.row), min(side, GRID - item.column)
        grid[item.slot, item.row : item.row + rows, item.column : item.column + columns] = tokens_T.view(
            side, side
        )[:rows, :columns]
    return grid.view(SLOTS, GRID * GRID)


def evened(chances: list[float]) -> list[float]:
    """Chances of which none is more than `MOST` of all, as far as there are others."""
    for _ in range(6):
        most = MOST * sum(chances)
        chances = [min(chance, most) for chance in chances]
    return chances


def pick(items: Sequence[int], chances: Sequence[float], at: float) -> int:
    """The item at a share of all chances laid end to end."""
    left = at * sum(chances)
    for item, chance in zip(items, chances, strict=True):
        left -= chance
        if left < 0:
            return item
    return items[-1]


def sample_without_replacement(
    items: Sequence[int], chances: Sequence[float], count: int, rng: random.Random
) -> list[int]:
    """Draw different items with probability proportional to their chances."""
    # Gumbel top-k: adding Gumbel noise to logarithms and sorting samples without replacement.
    noisy = [
        (math.log(chance) - math.log(-math.log(rng.random() or 1e-12)), item)
        for item, chance in zip(items, chances, strict=True)
        if chance > 0
    ]
    return [item for _, item in sorted(noisy, reverse=True)[:count]]
