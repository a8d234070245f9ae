"""From a laid-out scene to what is remembered of it: which pictures, in which slots.

Training and drawing call the same functions, so a drawing is reminded as the pictures were that taught it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from nonet.model.layout import BACKGROUND, Placed
from nonet.model.memory import SLOTS, PictureMemory, Remembered
from nonet.model.phrases import Scene, Thing


@dataclass(frozen=True)
class Query:
    """What one placed thing looks for: a normalised sentence embedding (E,) and the colour that was asked for."""

    embedding_E: Tensor
    colour: str | None = None


def query_text(item: Thing) -> str:
    """The words that are looked up: the noun phrase without its colour, which is matched by the eye, not by words."""
    text = item.text
    if item.colour:
        text = re.sub(rf"\b{re.escape(item.colour)}\b", " ", text)
    return " ".join(text.split()) or item.noun


def placed_thing(scene: Scene, placed: Placed) -> Thing | None:
    """The thing that stands at a place."""
    return scene.background if placed.thing == BACKGROUND else scene.things[placed.thing]


def remember(
    memory: PictureMemory,
    placed: Sequence[Placed],
    queries: Sequence[Query],
    rng: random.Random,
    *,
    twice: bool,
    fixed: Mapping[int, int] | None = None,
    without: frozenset[int] = frozenset(),
) -> list[Remembered]:
    """Choose a remembered picture for every place.

    Args:
        placed: what stands where, from back to front; only what fits into the slots is remembered.
        queries: one for each of `placed`.
        twice: a thing that stands alone is remembered by two pictures, laid over one another.
        fixed: pictures already chosen, by number in `placed`.
        without: pictures that must not be chosen.

    Returns:
        At most one picture for each slot; slot 0 for what fills the canvas behind all others.
    """
    chosen: list[Remembered] = []
    slot = 1
    alone = len(placed) == 1
    for index, (place, query) in enumerate(zip(placed, queries, strict=True)):
        behind = place.role == "background" and not alone
        target = 0 if behind else slot
        if target >= SLOTS:
            break
        count = 2 if twice and alone else 1
        pictures = [fixed[index]] if fixed and index in fixed else []
        if len(pictures) < count:
            taken = without | set(pictures)
            pictures += memory.recall(
                query.embedding_E, count - len(pictures), rng, colour=query.colour, without=taken
            )
        rng.shuffle(pictures)
        for offset, picture in enumerate(pictures):
            chosen.append(Remembered(picture, target + offset, place.size, place.row, place.col))
        if not behind:
            slot += len(pictures)
    return chosen
