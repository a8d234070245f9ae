"""What a collection has to offer the planner: concepts by weight and by use, sprites by style, and their
words."""

from __future__ import annotations

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate

from nonet.data import grammar
from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.data.plan import Colour, Mixture
from nonet.data.sprites import Sprites
from nonet.model import words as w
from nonet.model.phrases import Thing, is_place, thing
from nonet.model.plurals import plural, singular

PAINTABLE = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
Painted = tuple[int, str | None]
"""A sprite and the colour it is painted in, if another than its own."""
# Settings that a cut-out can be: "a cat on the moon" before a drawn moon.
_SPRITE_SETTINGS = frozenset({"moon", "planet", "earth", "mars", "saturn", "mountain", "volcano", "beach"})
_ISLANDS = frozenset({"island", "desert island", "tropical island"})


@dataclass
class Pool:
    """Concepts to choose from by weight; for each the sprites by style."""

    names: list[str] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, weights: Iterable[tuple[str, float]]) -> Pool:
        pairs = sorted(weights)
        return cls([name for name, _ in pairs], list(accumulate(weight for _, weight in pairs)))

    def draw(self, rng: random.Random) -> str:
        return self.names[bisect(self.sums, rng.random() * self.sums[-1])]

    def __bool__(self) -> bool:
        return bool(self.names)


class Stock:
    """The sprites of one split, ready to be drawn from."""

    def __init__(self, sprites: Sprites, members: list[int], mixture: Mixture) -> None:
        self.mixture = mixture
        self.records = sprites.collection.records
        stats = sprites.stats
        self.extent: list[list[float]] = stats.extent_N4.tolist()
        self.mean: list[list[float]] = stats.mean_N3.tolist()
        # Only a thing of one clear colour can be painted in another and still look like itself.
        paintable = (stats.hue_focus_N > 0.86) & (stats.coloured_N > 0.45) & (stats.hsv_N3[:, 1] > 0.3)
        self.paintable: list[bool] = paintable.tolist()
        self.colour_pairs = frozenset(sprites.collection.heldout_pairs.get("colour_object", ()))
        self._index(members)

    def _index(self, members: list[int]) -> None:
        boosted = frozenset(self.mixture.boosted)
        self.by_concept: dict[str, list[int]] = defaultdict(list)
        for i in members:
            self.by_concept[self.records[i].concept].append(i)
        weights = {}
        for concept, rows in self.by_concept.items():
            weight = sum(self.records[i].weight for i in rows) ** 0.5
            if concept in boosted:
                weight *= self.mixture.boost
            elif noun_of(concept) in boosted:
                weight *= 1.5
            weights[concept] = weight
        self.all = Pool.of(weights.items())
        self.simple = Pool.of((c, v) for c, v in weights.items() if grammar.is_simple(c))

        def pool(test: Callable[[str, Thing], bool]) -> Pool:
            return Pool.of((c, weights[c]) for c in self.simple.names if test(noun_of(c), thing(c)))

        # Wearables and surfaces are few kinds among thousands, so they are drawn from pools of their own.
        self.pools: dict[str, Pool] = {
            "wear": pool(lambda noun, _: noun in w.WEARABLES),
            "hold": pool(lambda noun, _: noun in w.HANDHELD),
            "ride": pool(lambda noun, _: noun in w.MOUNTS),
            "on": pool(lambda noun, item: noun in w.SURFACES and not is_place(item)),
            "in": pool(lambda noun, item: noun in w.CONTAINERS and not is_place(item)),
            "animate": pool(lambda noun, _: noun in w.ANIMATES),
            "thing": pool(lambda noun, item: not is_place(item) and noun not in w.WEARABLES),
            "setting": _settings(weights, self.simple.names),
        }

    def named(self, kind: str, sprite: int, rng: random.Random) -> tuple[str, str | None]:
        """Like `label`, for what stands in a relation: a hat is never called by a word that nobody wears."""
        label, colour = self.label(sprite, rng)
        concept = self.records[sprite].concept
        if kind == "wear" and thing(label).noun not in w.WEARABLES:
            label = f"{colour} {concept}" if colour else concept
        return label, colour

    def subject(self, kind: str, rng: random.Random) -> int:
        if kind in ("wear", "ride", "hold") and self.pools["animate"] and rng.random() < 0.8:
            return self.sprite(self.pools["animate"].draw(rng), None, rng)
        return self.thing(rng)

    def thing(self, rng: random.Random) -> int:
        return self.sprite(self.pools["thing"].draw(rng), None, rng)

    def sprite(self, concept: str, style: str | None, rng: random.Random) -> int:
        """A sprite of the concept, of the given style where there is one."""
        rows = self.by_concept[concept]
        if style is not None:
            rows = [i for i in rows if self.records[i].style == style] or rows
        return rng.choices(rows, [self.records[i].weight for i in rows])[0]

    def label(self, sprite: int, rng: random.Random, *, simple: bool = True) -> tuple[str, str | None]:
        """What the caption calls a sprite, and the colour it is to be painted in."""
        record = self.records[sprite]
        label = wording(record, rng, self.mixture.synonym, simple=simple)
        if not grammar.is_simple(label) or any(word in w.COLOURS for word in label.split()):
            return label, None
        noun = noun_of(record.concept)
        roll = rng.random()
        main = max(record.colours, key=lambda name: record.colours[name], default=None)
        if roll < self.mixture.recoloured and self.paintable[sprite]:
            options = [
                c for c in PAINTABLE if record.colours.get(c, 0) < 0.15 and (c, noun) not in self.colour_pairs
            ]
            if options:
                colour = rng.choice(options)
                return f"{colour} {label}", colour
        elif (
            main in w.COLOURS
            and roll > 1 - self.mixture.coloured
            and record.colours[main] > 0.45
            and (main, noun) not in self.colour_pairs
        ):
            return f"{main} {label}", None
        return label, None

    def distance(self, sprites: Iterable[Painted], colour: Colour) -> float:
        """How far a colour lies from the mean colour of the nearest sprite, 0 to about 1.7."""
        nearest = 2.0
        for sprite, painted in sprites:
            own = [c / 255 for c in w.COLOURS[painted]] if painted else self.mean[sprite]
            squares = sum((a - b / 255) ** 2 for a, b in zip(own, colour, strict=True))
            nearest = min(nearest, squares**0.5)
        return nearest


def _settings(weights: dict[str, float], names: Iterable[str]) -> Pool:
    """Cut-outs that can be a setting. Each noun weighs the same: the moon alone comes in ten phases."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        item = thing(name)
        # Named islands and moon faces are flags and heads, no places to stand on.
        if name in _ISLANDS or (item.noun in _SPRITE_SETTINGS and name.endswith(item.noun)):
            groups[item.noun].append(name)
    return Pool.of(
        (name, weights[name] / sum(weights[other] for other in group))
        for group in groups.values()
        for name in group
    )


def noun_of(concept: str) -> str:
    return singular(concept.split()[-1]) if concept else ""


def several(item: Thing, count: int) -> Thing:
    """The thing asked for `count` times; one that cannot be said in the plural stays single."""
    said = plural(item.noun)
    clear = said != item.noun and singular(said) == item.noun and item.text.endswith(item.noun)
    return replace(item, count=count) if clear and " of " not in item.text else item


def wording(
    record: SpriteRecord | BackgroundRecord, rng: random.Random, share: float, *, simple: bool = True
) -> str:
    """The record's label or, for a share, a synonym; with `simple` one that a longer caption can hold."""
    if record.synonyms and rng.random() < share:
        word = rng.choice(record.synonyms)
        if grammar.is_simple(word):
            return word
    if simple and not grammar.is_simple(record.caption):
        return record.concept
    return record.caption


def as_place(
    record: SpriteRecord | BackgroundRecord, rng: random.Random | None = None, share: float = 0.0
) -> Thing | None:
    """The record as the setting of a scene, in words for a place if any; None if it cannot be said."""
    words = [wording(record, rng, share)] if rng else []
    sayable = [thing(x) for x in (*words, record.caption, record.concept) if grammar.is_simple(x)]
    return next((item for item in sayable if is_place(item)), sayable[0] if sayable else None)
