"""Deciding what the composer paints: which things, where, before what, and what the caption says."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from nonet.data import backdrops, grammar
from nonet.data.collection import BackgroundRecord, SpriteRecord
from nonet.data.plan import CELL, Backdrop, Mixture, Part, Plan, nearest_slot
from nonet.data.sprites import FILL, Sprites
from nonet.data.stock import Painted, Pool, Stock, as_place, noun_of, several, wording
from nonet.model.layout import BACKGROUND, FULL, Placed, arrange, settle
from nonet.model.phrases import KEEPS_SUBJECT, Kind, Relation, Scene, Thing, thing
from nonet.model.plurals import singular

PlanKind = Literal["single", "pair", "many", "background"]

_RELATIONS: dict[Kind, float] = {
    "and": 0.16,
    "beside": 0.13,
    "left": 0.12,
    "right": 0.12,
    "with": 0.09,
    "on": 0.10,
    "above": 0.06,
    "under": 0.05,
    "front": 0.04,
    "behind": 0.03,
    "wear": 0.08,
    "hold": 0.06,
    "ride": 0.04,
    "in": 0.03,
}
# A third thing joins two by one of these; what is worn or ridden joins its bearer alone.
_LATER: tuple[Kind, ...] = ("and", "beside", "left", "right", "with", "above", "under", "on")


class Planner:
    """Makes plans from seeds.

    Args:
        sprites: the opened collection.
        split: "train", or "heldout" for concepts and combinations that no training picture shows.
        mixture: how often which kind of picture comes.
    """

    def __init__(self, sprites: Sprites, split: str, mixture: Mixture) -> None:
        if split not in ("train", "heldout"):
            raise ValueError(f"split is 'train' or 'heldout', not {split!r}")
        self.split, self.mixture = split, mixture
        collection = sprites.collection
        self.records = collection.records
        self.backgrounds = collection.background_records
        colour_pairs = frozenset(collection.heldout_pairs.get("colour_object", ()))
        members: dict[str, list[int]] = {"train": [], "heldout": []}
        for i, record in enumerate(self.records):
            # "green cat" as a label of its own would give the held-out pair away.
            noun = noun_of(record.concept)
            given_away = any((word, noun) in colour_pairs for word in record.caption.split())
            if record.weight > 0 and not given_away:
                members[record.split].append(i)
        self.stock = Stock(sprites, members[split], mixture)
        # Backgrounds are few, so a held-out picture may stand before any of them.
        seen = [i for i, r in enumerate(self.backgrounds) if r.split in ("train", split) and r.weight > 0]
        self.scenery = _by_concept(seen, self.backgrounds)
        self.places = _by_concept(
            [i for i in seen if as_place(self.backgrounds[i]) is not None], self.backgrounds
        )
        self.scenery_pool = _pool(self.scenery, self.backgrounds)
        self.places_pool = _pool(self.places, self.backgrounds)
        places: dict[str, set[frozenset[str]]] = defaultdict(set)
        for item, place in collection.heldout_pairs.get("object_background", ()):
            places[item].add(_word_set(place))
        self.place_pairs = dict(places)
        self.trained: dict[str, list[int]] = defaultdict(list)
        if split == "heldout":
            # Held-out combinations are made of things that training knows well; a hot dog is no dog.
            for i in members["train"]:
                self.trained[self.records[i].concept].append(i)

    def plan(self, seed: int) -> Plan:
        """The plan of one picture; the same seed always gives the same."""
        rng = random.Random(seed)
        if self.split == "heldout" and (combination := self._heldout_combination(rng)) is not None:
            return combination
        m = self.mixture
        shares = (m.single, m.pair, m.many, m.background)
        kind = rng.choices(("single", "pair", "many", "background"), shares)[0]
        if kind == "background" and self.scenery_pool:
            return self._scenery(rng)
        if kind == "pair" and self.stock.pools["thing"]:
            return self._pair(rng)
        if kind == "many" and self.stock.pools["thing"]:
            return self._many(rng)
        return self._single(rng)

    def _single(self, rng: random.Random) -> Plan:
        sprite = self.stock.sprite(self.stock.all.draw(rng), None, rng)
        label, colour = self.stock.label(sprite, rng, simple=False)
        if rng.random() < 0.06 and grammar.is_simple(label):
            # Size words mean what they say: `arrange` makes a small thing small.
            label = f"{rng.choice(('small', 'tiny', 'little', 'big', 'large', 'giant'))} {label}"
        scene = Scene((thing(label),), style=self._style(self.records[sprite], rng))
        return self._finish(scene, [(sprite, colour)], None, "single", rng)

    def _scenery(self, rng: random.Random) -> Plan:
        number = rng.choice(self.scenery[self.scenery_pool.draw(rng)])
        record = self.backgrounds[number]
        item = thing(wording(record, rng, self.mixture.synonym, simple=False))
        style = self._style(record, rng)
        caption = grammar.write(Scene((item,), style=style), rng)
        backdrop = backdrops.picture(number, record.concept, rng)
        # A prompt's lone place is a thing that fills the canvas; here nothing but the backdrop is painted.
        return Plan(Scene(background=item, style=style), caption, (), backdrop, "background")

    def _pair(self, rng: random.Random) -> Plan:
        if rng.random() < (0.5 if self.places_pool else 0.2) and self._has_settings():
            sprite = self.stock.thing(rng)
            label, colour = self.stock.label(sprite, rng)
            return self._before([thing(label)], [(sprite, colour)], (), "pair", rng)
        if rng.random() < 0.12:
            return self._repeated(2, "pair", rng)
        things, sprites, relations = self._chain(2, rng)
        scene = Scene(tuple(things), tuple(relations), style=self._style(self.records[sprites[0][0]], rng))
        return self._finish(scene, sprites, None, "pair", rng)

    def _many(self, rng: random.Random) -> Plan:
        roll = rng.random()
        if roll < 0.08:
            return self._repeated(3, "many", rng)
        things, sprites, relations = self._chain(2 if roll < 0.7 else 3, rng)
        if roll < 0.82 and self._has_settings():
            return self._before(things, sprites, tuple(relations), "many", rng)
        scene = Scene(tuple(things), tuple(relations), style=self._style(self.records[sprites[0][0]], rng))
        return self._finish(scene, sprites, None, "many", rng)

    def _repeated(self, count: int, kind: PlanKind, rng: random.Random) -> Plan:
        sprite = self.stock.thing(rng)
        label, colour = self.stock.label(sprite, rng)
        scene = Scene((several(thing(label), count),), style=self._style(self.records[sprite], rng))
        return self._finish(scene, [(sprite, colour)], None, kind, rng)

    def _before(
        self,
        things: Sequence[Thing],
        sprites: list[Painted],
        relations: tuple[Relation, ...],
        kind: PlanKind,
        rng: random.Random,
    ) -> Plan:
        """Things before a setting: a picture of the collection, or a large cut-out such as the moon."""
        nouns = [noun_of(self.records[sprite].concept) for sprite, _ in sprites]
        style = self.records[sprites[0][0]].style
        settings = self.stock.pools["setting"]
        for _ in range(8):
            record: SpriteRecord | BackgroundRecord
            behind: int | Backdrop
            if self.places_pool and (not settings or rng.random() < 0.75):
                number = rng.choice(self.places[self.places_pool.draw(rng)])
                record = self.backgrounds[number]
                behind = backdrops.picture(number, record.concept, rng)
            else:
                behind = self.stock.sprite(settings.draw(rng), style, rng)
                record = self.records[behind]
            setting = as_place(record, rng, self.mixture.synonym)
            if setting is None or self._place_heldout(nouns, setting, record):
                continue
            said = self._style(self.records[sprites[0][0]], rng, 0.5)
            scene = Scene(tuple(things), relations, setting, said)
            return self._finish(scene, sprites, behind, kind, rng)
        return self._finish(Scene(tuple(things), relations), sprites, None, kind, rng)

    def _chain(self, count: int, rng: random.Random) -> tuple[list[Thing], list[Painted], list[Relation]]:
        """Things, each in some relation to one before it, of one style where there are such."""
        stock = self.stock
        kind = self._relation(rng, tuple(_RELATIONS))
        numbers = [stock.subject(kind, rng)]
        style = self.records[numbers[0]].style
        relations: list[Relation] = []
        subject = 0
        for index in range(1, count):
            if index > 1:
                kind = self._relation(rng, _LATER)
            pool = stock.pools.get(kind) or stock.pools["thing"]
            if kind == "with" and stock.pools["hold"] and rng.random() < 0.5:
                pool = stock.pools["hold"]
            numbers.append(stock.sprite(pool.draw(rng), style, rng))
            relations.append(Relation(kind, subject, index))
            if kind not in KEEPS_SUBJECT:
                subject = index
        # The first stands in no relation to anything before it.
        kinds = ("and", *(relation.kind for relation in relations))
        labels = [stock.named(kind, number, rng) for kind, number in zip(kinds, numbers, strict=True)]
        sprites = [(number, colour) for number, (_, colour) in zip(numbers, labels, strict=True)]
        return [thing(label) for label, _ in labels], sprites, relations

    def _relation(self, rng: random.Random, kinds: Sequence[Kind]) -> Kind:
        """A relation for which the collection has objects."""
        possible = [kind for kind in kinds if self.stock.pools.get(kind, self.stock.pools["thing"])]
        return rng.choices(possible, [_RELATIONS[kind] for kind in possible])[0]

    def _has_settings(self) -> bool:
        return bool(self.places_pool or self.stock.pools["setting"])

    def _style(
        self, record: SpriteRecord | BackgroundRecord, rng: random.Random, share: float = 1.0
    ) -> str | None:
        known = record.style in grammar.STYLE_FORMS
        return record.style if known and rng.random() < self.mixture.styled * share else None

    def _place_heldout(
        self, nouns: Iterable[str], setting: Thing, record: SpriteRecord | BackgroundRecord
    ) -> bool:
        if self.split == "heldout":
            return False
        said = _word_set(f"{setting.text} {record.concept} {record.caption}")
        pairs = (place for noun in nouns for place in self.place_pairs.get(noun, ()))
        return any(place <= said or setting.noun in place for place in pairs)

    def _finish(
        self,
        scene: Scene,
        sprites: Sequence[Painted],
        behind: int | Backdrop | None,
        kind: PlanKind,
        rng: random.Random,
    ) -> Plan:
        """Lay the scene out and write its caption. `behind`: a picture, a cut-out's number, or None for
        neither."""
        if behind is None:
            backdrop, scene = backdrops.behind(self.stock, scene, sprites, rng)
        elif isinstance(behind, Backdrop):
            backdrop = behind
        else:
            backdrop = backdrops.plain(self.stock, sprites, rng)
        placed = arrange(scene, rng)
        if isinstance(behind, Backdrop):
            placed = [item for item in placed if item.thing != BACKGROUND]
        chosen: list[Painted] = [
            (behind, None) if item.thing == BACKGROUND and isinstance(behind, int) else sprites[item.thing]
            for item in placed
        ]
        placed = settle(placed, scene, [self._extent(sprite) for sprite, _ in chosen])
        parts = [
            self._part(item, sprite, colour, rng)
            for item, (sprite, colour) in zip(placed, chosen, strict=True)
        ]
        return Plan(scene, grammar.write(scene, rng), tuple(parts), backdrop, kind)

    def _extent(self, sprite: int) -> tuple[float, float]:
        """Top and bottom of a sprite as shares of its box."""
        _, top, _, bottom = self.stock.extent[sprite]
        margin = (1 - FILL) / 2
        return margin + FILL * top, margin + FILL * bottom

    def _part(self, placed: Placed, sprite: int, colour: str | None, rng: random.Random) -> Part:
        m = self.mixture
        side = float(placed.size * CELL)
        x, y = placed.col * CELL + side / 2, placed.row * CELL + side / 2
        turn = 0.0
        if rng.random() >= m.exact:
            reach = 5 if placed.size == FULL else 8
            x, y = x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)
            side *= rng.uniform(0.86, 1.06)
            if rng.random() < m.turn:
                turn = rng.uniform(-14, 14)
        slot = nearest_slot(placed, x, y, side)
        flip = rng.random() < m.flip
        return Part(placed.thing, sprite, self.records[sprite].concept, slot, x, y, side, flip, turn, colour)

    def _heldout_combination(self, rng: random.Random) -> Plan | None:
        """A held-out (colour, object) or (object, background) picture, two times in five, where there are
        such."""
        roll = rng.random()
        if roll < 0.2 and self.stock.colour_pairs:
            colour, noun = rng.choice(sorted(self.stock.colour_pairs))
            rows = [i for i in self.trained.get(noun, ()) if self.stock.paintable[i]]
            if rows:
                sprite = rng.choice(rows)
                return self._finish(
                    Scene((thing(f"{colour} {noun}"),)), [(sprite, colour)], None, "single", rng
                )
        elif roll < 0.4 and self.place_pairs:
            noun = rng.choice(sorted(self.place_pairs))
            rows = self.trained.get(noun, [])
            wanted = [
                number
                for concept in sorted(self.places)
                for number in self.places[concept]
                if self._is_heldout_place(noun, self.backgrounds[number])
            ]
            if rows and wanted:
                number = rng.choice(wanted)
                backdrop = backdrops.picture(number, self.backgrounds[number].concept, rng)
                scene = Scene((thing(noun),), (), as_place(self.backgrounds[number]))
                return self._finish(scene, [(rng.choice(rows), None)], backdrop, "pair", rng)
        return None

    def _is_heldout_place(self, noun: str, record: BackgroundRecord) -> bool:
        said = _word_set(f"{record.caption} {record.concept}")
        return any(place <= said for place in self.place_pairs[noun])


def _word_set(text: str) -> frozenset[str]:
    return frozenset(singular(word) for word in text.lower().split())


def _by_concept(numbers: Iterable[int], records: Sequence[BackgroundRecord]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        groups[records[number].concept].append(number)
    return dict(groups)


def _pool(groups: dict[str, list[int]], records: Sequence[BackgroundRecord]) -> Pool:
    # The square root keeps a hundred nebulas from hiding the one beach.
    return Pool.of((name, sum(records[i].weight for i in rows) ** 0.5) for name, rows in groups.items())
