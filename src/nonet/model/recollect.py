"""From a laid-out scene to what is remembered of it: which pictures, in which slots.

Training and drawing call the same functions, so a drawing is reminded as the pictures were that taught it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from nonet.model.layout import BACKGROUND, Placed, arrange, settle
from nonet.model.memory import SLOTS, PictureMemory, Remembered, lay
from nonet.model.phrases import Scene, Thing, parse
from nonet.model.words import ADJECTIVES, BACKDROPS, COLOURS

KNOWN = 0.85
"""Similarity of a wording from which a phrase counts as known."""
# 2**64 times the golden ratio's and three other irrational numbers' fractions: their multiples are spread evenly.
_STEPS = (0x9E3779B97F4A7C15, 0xC13FA9A902A6328F, 0x91E10DA5C79E7B1D, 0xD1B54A32D192ED03)


class Fancy(Protocol):
    """Imagines what is not remembered as it was asked for."""

    def repaint(self, tokens_T: Tensor, colour: str) -> Tensor:
        """The tokens (T,) of a picture in another colour."""

    def plain(self, colour: str) -> Tensor:
        """The tokens (256,) of a canvas of one colour."""

    def before(self, slots_ST: Tensor) -> Tensor:
        """Slots whose things show at their rims what stands behind them."""


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
    style: str | None = None,
    seed: int | None = None,
) -> list[Remembered]:
    """Choose a remembered picture for every place.

    Args:
        placed: what stands where, from back to front; only what fits into the slots is remembered.
        queries: one for each of `placed`.
        twice: a thing that stands alone is remembered by two pictures, laid over one another.
        fixed: pictures already chosen, by number in `placed`.
        without: pictures that must not be chosen.
        style: of the whole picture, where one was asked for.
        seed: chooses instead of `rng`, so that successive seeds remember different pictures.

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
                query.embedding_E,
                count - len(pictures),
                rng,
                colour=query.colour,
                style=style,
                behind=place.role == "background",
                without=taken,
                at=None if seed is None else spread(seed, index),
            )
        rng.shuffle(pictures)
        for offset, picture in enumerate(pictures):
            colour = query.colour if query.colour in COLOURS and not behind else None
            if colour is not None and not memory.lacks(picture, colour):
                colour = None
            chosen.append(Remembered(picture, target + offset, place.size, place.row, place.col, colour))
        if not behind:
            slot += len(pictures)
    return chosen


def spread(seed: int, place: int) -> float:
    """A number from 0 to 1 for a place of a picture; those of successive seeds lie far from one another."""
    return (seed * _STEPS[place % len(_STEPS)] % 2**64) / 2**64


def imagined(
    memory: PictureMemory, remembered: Sequence[Remembered], empty: int, fancy: Fancy | None
) -> Tensor:
    """The slots (SLOTS, 256) of remembered pictures, in other colours where they were asked for."""
    tokens = [
        memory.tokens(item)
        if item.colour is None or fancy is None
        else fancy.repaint(memory.tokens(item), item.colour)
        for item in remembered
    ]
    return lay(remembered, tokens, empty)


def recollect(
    memory: PictureMemory,
    prompt: str,
    seeds: Sequence[int],
    embed: Callable[[list[str]], Tensor],
    empty: int,
    *,
    fancy: Fancy | None = None,
    twice: float = 0.0,
) -> tuple[Tensor, list[list[int]]]:
    """What each picture of a prompt is reminded of.

    Args:
        memory: the picture memory.
        prompt: as written by the user.
        seeds: one a picture; a seed gives the same layout and the same remembered pictures always.
        embed: phrases to normalised sentence embeddings (N, E).
        empty: the token that stands for nothing remembered.
        fancy: imagines colours that are asked for and not remembered; None leaves pictures as they are.
        twice: share of pictures in which a lone thing is remembered by two pictures.

    Returns:
        Tokens (P, SLOTS, 256) and, for every picture, the numbers of the remembered pictures.
    """
    scene = parse(prompt)
    things = [*scene.things, *([scene.background] if scene.background else [])]
    texts = list(dict.fromkeys(text for thing in things for text in (query_text(thing), *blended(thing))))
    known = dict(zip(texts, embed(texts), strict=True)) if texts else {}
    behind = scene.background
    plain = behind is not None and behind.noun in BACKDROPS and behind.colour in COLOURS
    backdrop = behind.colour if behind is not None and plain else None
    grids: list[Tensor] = []
    pictures: list[list[int]] = []
    for seed in seeds:
        rng = random.Random(seed)
        placed = arrange(scene, rng)
        queries: list[Query] = []
        for place in placed:
            thing = placed_thing(scene, place)
            assert thing is not None
            queries.append(Query(known[query_text(thing)], thing.colour))
        lone = placed_thing(scene, placed[0]) if len(placed) == 1 else None
        parts = blended(lone) if lone is not None and not _is_known(memory, queries[0]) else ()
        if parts:
            # A blend that nobody drew yet: one picture for each half, laid over one another.
            halves = [Query(known[text], queries[0].colour) for text in parts]
            placed, queries = [placed[0]] * len(halves), halves
        double = not parts and rng.random() < twice
        found = remember(memory, placed, queries, rng, twice=double, style=scene.style, seed=seed)
        if len(found) == len(placed):
            # What stands on something touches it, now that it is known how high the pictures are.
            settled = settle(placed, scene, [memory.extent(item.picture) for item in found])
            found = [replace(item, row=place.row) for item, place in zip(found, settled, strict=True)]
        slots_ST = imagined(memory, found, empty, fancy)
        if fancy is not None and backdrop is not None and all(item.slot for item in found):
            slots_ST[0] = fancy.plain(backdrop)
        if fancy is not None and int((slots_ST != empty).any(1).sum()) > 1:
            slots_ST = fancy.before(slots_ST)
        grids.append(slots_ST)
        pictures.append([item.picture for item in found])
    return torch.stack(grids), pictures


def blended(thing: Thing) -> tuple[str, ...]:
    """The halves of a noun phrase that may be a blend: its head and what stands before it; else nothing."""
    nouns = [word for word in thing.modifiers if word not in ADJECTIVES]
    return (thing.noun, " ".join(nouns)) if nouns else ()


def _is_known(memory: PictureMemory, query: Query) -> bool:
    """Whether some remembered picture is called nearly so."""
    return memory.nearest(query.embedding_E, count=1)[0][1] >= KNOWN
