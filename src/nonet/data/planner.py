"""Deciding what the composer paints: which things, where, before what, and what the caption says."""

from __future__ import annotations

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate

from nonet.data import grammar
from nonet.data.plan import CANVAS, CELL, Backdrop, Colour, Part, Plan, nearest_slot
from nonet.data.sprites import Record, Sprites
from nonet.model import words as w
from nonet.model.layout import BACKGROUND, FULL, Placed, arrange, settle
from nonet.model.phrases import KEEPS_SUBJECT, Kind, Relation, Scene, Thing, is_place, thing
from nonet.model.plurals import singular

BOOST = (
    "apple dog cat pizza house car tree moon robot fish guitar crown rocket flower castle bicycle penguin hat avocado "
    "armchair dinosaur dragon sun star horse astronaut mushroom ball cake elephant"
)
PAINTABLE = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
_SOFT: tuple[Colour, ...] = (
    (214, 232, 250), (250, 232, 214), (226, 244, 220), (246, 222, 232), (238, 230, 250), (252, 246, 214),
    (230, 232, 236), (206, 238, 238),
)  # fmt: skip
# Settings that a cut-out can be: "a cat on the moon" before a drawn moon.
_SPRITE_SETTINGS = frozenset(
    "moon planet earth mars saturn mountain volcano island beach desert cityscape night sunset sunrise".split()
)


@dataclass(frozen=True)
class Mixture:
    """How often which kind of picture comes; the shares of the four kinds need not add up to one."""

    single: float = 0.50
    pair: float = 0.35
    many: float = 0.10
    background: float = 0.05
    white: float = 0.68
    """Of scenes without a setting: before plain white. The rest is soft, gradient or a colour that is named."""
    named_colour: float = 0.45
    """Of the rest: a strong colour, said in the caption."""
    styled: float = 0.2
    synonym: float = 0.3
    coloured: float = 0.14
    """Single colours that are named because the thing has them."""
    recoloured: float = 0.14
    """Things painted in another colour, which is named; only those of one colour can be."""
    exact: float = 0.6
    """Things set exactly on the token grid, unturned and unscaled, as remembered pictures are."""
    flip: float = 0.2
    turn: float = 0.08
    boost: float = 6.0
    boosted: tuple[str, ...] = tuple(BOOST.split())


@dataclass
class _Pool:
    """Concepts to choose from by weight; for each the sprites by style."""

    names: list[str] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, weights: Iterable[tuple[str, float]]) -> _Pool:
        pairs = sorted(weights)
        return cls([name for name, _ in pairs], list(accumulate(weight for _, weight in pairs)))

    def draw(self, rng: random.Random) -> str:
        return self.names[bisect(self.sums, rng.random() * self.sums[-1])]

    def __bool__(self) -> bool:
        return bool(self.names)


class Planner:
    """Makes plans from seeds; see `composer.Composer` for the arguments."""

    def __init__(self, sprites: Sprites, split: str, mixture: Mixture) -> None:
        if split not in ("train", "heldout"):
            raise ValueError(f"split is 'train' or 'heldout', not {split!r}")
        self.sprites, self.split, self.mixture = sprites, split, mixture
        self.records = sprites.records
        stats = sprites.stats
        self.extent = stats.extent_N4.tolist()
        self.mean = stats.mean_N3.tolist()
        self.paintable = (
            (stats.hue_focus_N > 0.86) & (stats.coloured_N > 0.45) & (stats.hsv_N3[:, 1] > 0.3)
        ).tolist()
        self.colour_pairs = sprites.heldout_pairs.get("colour_object", frozenset())
        places = defaultdict(set)
        for item, place in sprites.heldout_pairs.get("object_background", frozenset()):
            places[item].add(frozenset(singular(word) for word in place.split()))
        self.place_pairs = dict(places)
        in_split = [i for i, r in enumerate(self.records) if r.split == split and r.weight > 0]
        # Held-out combinations are made of things that training knows well.
        trained = [i for i, r in enumerate(self.records) if r.split == "train" and r.weight > 0]
        self._index(in_split)
        self.scenery = [
            i
            for i, r in enumerate(sprites.backgrounds)
            if r.weight > 0 and (r.split == split or split == "heldout")
        ]
        self.places = [i for i in self.scenery if _as_place(sprites.backgrounds[i]) is not None]
        self.trained = {_noun(self.records[i].concept): i for i in trained}
        self.of_trained: dict[str, list[int]] = defaultdict(list)
        if split == "heldout":
            for i in trained:
                self.of_trained[_noun(self.records[i].concept)].append(i)

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
            elif _noun(concept) in boosted:
                weight *= 1.5
            weights[concept] = weight
        self.all = _Pool.of(weights.items())
        self.simple = _Pool.of((c, v) for c, v in weights.items() if grammar.is_simple(c))

        def pool(test: Callable[[str, Thing], bool]) -> _Pool:
            return _Pool.of((c, weights[c]) for c in self.simple.names if test(_noun(c), thing(c)))

        # Wearables and surfaces are few kinds among thousands, so they are drawn from pools of their own.
        self.pools: dict[str, _Pool] = {
            "wear": pool(lambda noun, _: noun in w.WEARABLES),
            "hold": pool(lambda noun, _: noun in w.HANDHELD),
            "ride": pool(lambda noun, _: noun in w.MOUNTS),
            "on": pool(lambda noun, item: noun in w.SURFACES and not is_place(item)),
            "in": pool(lambda noun, item: noun in w.CONTAINERS and not is_place(item)),
            "animate": pool(lambda noun, _: noun in w.ANIMATES),
            "thing": pool(lambda noun, item: not is_place(item) and noun not in w.WEARABLES),
            "setting": pool(lambda noun, item: noun in _SPRITE_SETTINGS and is_place(item)),
        }

    # One picture

    def plan(self, seed: int) -> Plan:
        """The plan of one picture; the same seed always gives the same."""
        rng = random.Random(seed)
        if self.split == "heldout" and (pairs := self._heldout_pair(rng)) is not None:
            return pairs
        m = self.mixture
        kind = rng.choices(
            ("single", "pair", "many", "background"), (m.single, m.pair, m.many, m.background)
        )[0]
        if kind == "background" and self.scenery:
            return self._scenery(rng)
        if kind == "pair" and self.pools["thing"]:
            return self._pair(rng)
        if kind == "many" and self.pools["thing"]:
            return self._many(rng)
        return self._single(rng)

    def _single(self, rng: random.Random) -> Plan:
        sprite = self._sprite(self.all.draw(rng), None, rng)
        record = self.records[sprite]
        label, colour = self._label(sprite, rng, simple=False)
        roll = rng.random()
        size = None
        if roll < 0.06 and grammar.is_simple(label):
            # Size words mean what they say: a small thing is a SMALL thing.
            size = rng.choice(("small", "tiny", "little", "big", "large", "giant"))
            label = f"{size} {label}"
        item = _one_thing(label)
        scene = Scene((item,), style=self._style(record, rng))
        return self._finish(scene, [(sprite, colour)], None, "single", rng)

    def _scenery(self, rng: random.Random) -> Plan:
        picture = rng.choice(self.scenery)
        record = self.sprites.backgrounds[picture]
        style = (
            record.style
            if record.style in grammar.STYLE_FORMS and rng.random() < self.mixture.styled
            else None
        )
        scene = Scene((_one_thing(_wording(record, rng, self.mixture.synonym, simple=False)),), style=style)
        backdrop = self._picture(picture, rng)
        return Plan(scene, grammar.write(scene, rng), (), backdrop, "background")

    def _pair(self, rng: random.Random) -> Plan:
        if rng.random() < 0.5 and (self.places or self.pools["setting"]):
            sprite = self._thing(rng)
            style = self.records[sprite].style
            label, colour = self._label(sprite, rng)
            return self._before(rng, [thing(label)], [(sprite, colour)], (), style, "pair")
        if rng.random() < 0.12:
            sprite = self._thing(rng)
            label, colour = self._label(sprite, rng)
            item = _several(thing(label), 2)
            scene = Scene((item,), style=self._style(self.records[sprite], rng))
            return self._finish(scene, [(sprite, colour)], None, "pair", rng)
        things, sprites, relations = self._chain(2, rng)
        scene = Scene(tuple(things), tuple(relations), style=self._style(self.records[sprites[0][0]], rng))
        return self._finish(scene, sprites, None, "pair", rng)

    def _many(self, rng: random.Random) -> Plan:
        roll = rng.random()
        if roll < 0.08:
            sprite = self._thing(rng)
            label, colour = self._label(sprite, rng)
            scene = Scene((_several(thing(label), 3),), style=self._style(self.records[sprite], rng))
            return self._finish(scene, [(sprite, colour)], None, "many", rng)
        things, sprites, relations = self._chain(2 if roll < 0.7 else 3, rng)
        style = self.records[sprites[0][0]].style
        if roll < 0.82 and (self.places or self.pools["setting"]):
            return self._before(rng, things, sprites, tuple(relations), style, "many")
        scene = Scene(tuple(things), tuple(relations), style=self._style(self.records[sprites[0][0]], rng))
        return self._finish(scene, sprites, None, "many", rng)

    def _before(
        self,
        rng: random.Random,
        things: list[Thing],
        sprites: list[tuple[int, str | None]],
        relations: tuple[Relation, ...],
        style: str,
        kind: str,
    ) -> Plan:
        """Things before a setting: a picture of the collection, or a large cut-out such as the moon."""
        nouns = [_noun(self.records[sprite].concept) for sprite, _ in sprites]
        for _ in range(8):
            if self.places and (rng.random() < 0.7 or not self.pools["setting"]):
                picture = rng.choice(self.places)
                record = self.sprites.backgrounds[picture]
                setting = _as_place(record, rng, self.mixture.synonym)
                behind: int | Backdrop = self._picture(picture, rng)
            else:
                behind = self._sprite(self.pools["setting"].draw(rng), style, rng)
                record = self.records[behind]
                setting = _as_place(record, rng, self.mixture.synonym)
            if setting is None or self._place_heldout(nouns, setting, record):
                continue
            scene = Scene(
                tuple(things), relations, setting, self._style(self.records[sprites[0][0]], rng, 0.5)
            )
            return self._finish(scene, sprites, behind, kind, rng)
        scene = Scene(tuple(things), relations)
        return self._finish(scene, sprites, None, kind, rng)

    def _chain(
        self, count: int, rng: random.Random
    ) -> tuple[list[Thing], list[tuple[int, str | None]], list[Relation]]:
        """Things, each in some relation to one before it, of one style where there are such."""
        first = self._relation(rng)
        sprites = [self._subject(first, rng)]
        style = self.records[sprites[0]].style
        relations: list[Relation] = []
        subject, kind = 0, first
        for index in range(1, count):
            if index > 1:
                kind = self._relation(rng)
                while kind in ("wear", "ride", "hold", "in") or (
                    kind == "with" and relations[-1].kind == "with"
                ):
                    kind = self._relation(rng)
            pool = self.pools.get(kind) or self.pools["thing"]
            if kind == "with" and self.pools["hold"] and rng.random() < 0.5:
                pool = self.pools["hold"]
            sprites.append(self._sprite(pool.draw(rng), style, rng))
            relations.append(Relation(kind, subject, index))
            if kind not in KEEPS_SUBJECT:
                subject = index
        parts, things = [], []
        for sprite in sprites:
            label, colour = self._label(sprite, rng)
            parts.append((sprite, colour))
            things.append(thing(label))
        return things, parts, relations

    def _relation(self, rng: random.Random) -> Kind:
        while True:
            kind: Kind = rng.choices(*_RELATIONS)[0]
            if kind not in self.pools or self.pools[kind]:
                return kind

    def _subject(self, kind: str, rng: random.Random) -> int:
        if kind in ("wear", "ride", "hold") and self.pools["animate"] and rng.random() < 0.8:
            return self._sprite(self.pools["animate"].draw(rng), None, rng)
        return self._thing(rng)

    def _thing(self, rng: random.Random) -> int:
        return self._sprite(self.pools["thing"].draw(rng), None, rng)

    def _sprite(self, concept: str, style: str | None, rng: random.Random) -> int:
        rows = self.by_concept[concept]
        if style is not None:
            rows = [i for i in rows if self.records[i].style == style] or rows
        return rng.choices(rows, [self.records[i].weight for i in rows])[0]

    # Words

    def _label(self, sprite: int, rng: random.Random, *, simple: bool = True) -> tuple[str, str | None]:
        """What the caption calls a sprite, and the colour it is to be painted in."""
        record = self.records[sprite]
        label = _wording(record, rng, self.mixture.synonym, simple=simple)
        if not grammar.is_simple(label) or any(word in w.COLOURS for word in label.split()):
            return label, None
        noun = _noun(record.concept)
        roll = rng.random()
        main = max(record.colours, key=lambda name: record.colours[name], default=None)
        if roll < self.mixture.recoloured and self.paintable[sprite]:
            options = [
                c for c in PAINTABLE if record.colours.get(c, 0) < 0.15 and (c, noun) not in self.colour_pairs
            ]
            if options:
                colour = rng.choice(options)
                return f"{colour} {label}", colour
        elif main is not None and roll > 1 - self.mixture.coloured and record.colours[main] > 0.45:
            if (main, noun) not in self.colour_pairs and main in w.COLOURS:
                return f"{main} {label}", None
        return label, None

    def _style(self, record: Record, rng: random.Random, share: float = 1.0) -> str | None:
        known = record.style in grammar.STYLE_FORMS
        return record.style if known and rng.random() < self.mixture.styled * share else None

    def _place_heldout(self, nouns: Iterable[str], setting: Thing, record: Record) -> bool:
        if self.split == "heldout":
            return False
        said = {singular(word) for word in f"{setting.text} {record.concept} {record.caption}".split()}
        return any(
            place <= said or setting.noun in place
            for noun in nouns
            for place in self.place_pairs.get(noun, ())
        )

    # Places

    def _finish(
        self,
        scene: Scene,
        sprites: list[tuple[int, str | None]],
        behind: int | Backdrop | None,
        kind: str,
        rng: random.Random,
    ) -> Plan:
        if behind is None:
            backdrop, scene = self._backdrop(scene, sprites, rng)
        else:
            backdrop = behind if isinstance(behind, Backdrop) else self._plain(sprites, rng)
        placed = arrange(scene, rng)
        if isinstance(behind, Backdrop):
            placed = [item for item in placed if item.thing != BACKGROUND]
        chosen = [
            (behind, None)
            if item.thing == BACKGROUND and isinstance(behind, int)
            else sprites[max(item.thing, 0)]
            for item in placed
        ]
        margin = 1 / 16
        extents = [
            (margin + (1 - 2 * margin) * self.extent[s][1], margin + (1 - 2 * margin) * self.extent[s][3])
            for s, _ in chosen
        ]
        placed = settle(placed, scene, extents)
        parts = tuple(
            self._part(item, sprite, colour, rng)
            for item, (sprite, colour) in zip(placed, chosen, strict=True)
        )
        return Plan(scene, grammar.write(scene, rng), parts, backdrop, kind)  # type: ignore[arg-type]

    def _part(self, placed: Placed, sprite: int, colour: str | None, rng: random.Random) -> Part:
        m = self.mixture
        side = float(placed.size * CELL)
        x, y = placed.col * CELL + side / 2, placed.row * CELL + side / 2
        turn = 0.0
        if rng.random() >= m.exact:
            reach = 5 if placed.size == FULL else 8
            x, y = x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)
            side *= rng.uniform(0.86, 1.06)
            if rng.random() < m.turn / (1 - m.exact):
                turn = rng.uniform(-14, 14)
        slot = nearest_slot(placed, x, y, side)
        flip = rng.random() < m.flip
        return Part(placed.thing, sprite, self.records[sprite].concept, slot, x, y, side, flip, turn, colour)

    # What lies behind

    def _backdrop(
        self, scene: Scene, sprites: list[tuple[int, str | None]], rng: random.Random
    ) -> tuple[Backdrop, Scene]:
        """White, soft, or a strong colour that the caption names."""
        if rng.random() < self.mixture.white:
            return self._plain(sprites, rng), scene
        if rng.random() < self.mixture.named_colour and all(grammar.is_simple(t.text) for t in scene.things):
            options = [c for c in PAINTABLE if self._distance(sprites, w.COLOURS[c]) > 0.3 and c != "white"]
            if options:
                name = rng.choice(options)
                setting = thing(f"{name} background")
                return Backdrop("plain", (w.COLOURS[name],) * 2), replace(scene, background=setting)
        soft = [c for c in _SOFT if self._distance(sprites, c) > 0.2] or list(_SOFT)
        first = rng.choice(soft)
        if rng.random() < 0.5:
            return Backdrop("plain", (first, first)), scene
        return Backdrop("gradient", (first, rng.choice((*soft, (255, 255, 255)))), rng.uniform(0, 360)), scene

    def _plain(self, sprites: list[tuple[int, str | None]], rng: random.Random) -> Backdrop:
        """White, unless something would not be seen on it."""
        white = (255, 255, 255)
        if self._distance(sprites, white) > 0.14:
            return Backdrop()
        best = max(_SOFT, key=lambda colour: self._distance(sprites, colour) + rng.random() * 0.1)
        return Backdrop("plain", (best, best))

    def _distance(self, sprites: list[tuple[int, str | None]], colour: Colour) -> float:
        """How far a colour lies from the mean colour of the nearest sprite, 0 to about 1.7."""
        own = [
            tuple(c / 255 for c in w.COLOURS[painted]) if painted else self.mean[sprite]
            for sprite, painted in sprites
        ]
        return min(sum((a - b / 255) ** 2 for a, b in zip(rgb, colour, strict=True)) ** 0.5 for rgb in own)

    def _picture(self, picture: int, rng: random.Random) -> Backdrop:
        zoom = 1.0 if rng.random() < 0.5 else rng.uniform(1, 1.5)
        return Backdrop(
            "picture",
            picture=picture,
            concept=self.sprites.backgrounds[picture].concept,
            flip=rng.random() < 0.5,
            zoom=zoom,
            x=rng.random(),
            y=rng.random(),
        )

    # Held-out combinations

    def _heldout_pair(self, rng: random.Random) -> Plan | None:
        """A held-out (colour, object) or (object, background) picture, two times in five, where there are such."""
        roll = rng.random()
        if roll < 0.2:
            colour, noun = rng.choice(sorted(self.colour_pairs) or [("", "")])
            rows = [i for i in self.of_trained.get(noun, ()) if self.paintable[i]]
            if rows:
                sprite = rng.choice(rows)
                scene = Scene((thing(f"{colour} {noun}"),))
                return self._finish(scene, [(sprite, colour)], None, "single", rng)
        elif roll < 0.4 and self.place_pairs:
            noun = rng.choice(sorted(self.place_pairs))
            rows = self.of_trained.get(noun, [])
            wanted = [
                i
                for i in self.places
                for r in (self.sprites.backgrounds[i],)
                if any(
                    p <= {singular(x) for x in f"{r.caption} {r.concept}".split()}
                    for p in self.place_pairs[noun]
                )
            ]
            if rows and wanted:
                picture = rng.choice(wanted)
                setting = _as_place(self.sprites.backgrounds[picture])
                scene = Scene((thing(noun),), (), setting)
                return self._finish(
                    scene, [(rng.choice(rows), None)], self._picture(picture, rng), "pair", rng
                )
        return None


_RELATIONS: tuple[tuple[Kind, ...], tuple[float, ...]] = (
    (
        "and",
        "beside",
        "left",
        "right",
        "with",
        "on",
        "above",
        "under",
        "front",
        "behind",
        "wear",
        "hold",
        "ride",
        "in",
    ),
    (0.16, 0.13, 0.12, 0.12, 0.09, 0.10, 0.06, 0.05, 0.04, 0.03, 0.08, 0.06, 0.04, 0.03),
)


def _noun(concept: str) -> str:
    return singular(concept.split()[-1]) if concept else ""


def _several(item: Thing, count: int) -> Thing:
    """The thing asked for `count` times; where English has no clear plural it stays one."""
    many = replace(item, text=" ".join([*item.text.split()[:-1], item.noun]), count=count)
    return many if " of " not in item.text else item


def _one_thing(label: str) -> Thing:
    """A label as one thing, also where reading it would find several: "bowl with spoon"."""
    return thing(label)


def _wording(record: Record, rng: random.Random, share: float, *, simple: bool = True) -> str:
    """The record's label or, for a share, a synonym; with `simple` one that a longer caption can hold."""
    if record.synonyms and rng.random() < share:
        word = rng.choice(record.synonyms)
        if grammar.is_simple(word):
            return word
    if simple and not grammar.is_simple(record.caption):
        return record.concept
    return record.caption


def _as_place(record: Record, rng: random.Random | None = None, share: float = 0.0) -> Thing | None:
    """The record as the setting of a scene; None where its words cannot be said as one."""
    words = [_wording(record, rng, share)] if rng else []
    for word in (*words, record.caption, record.concept):
        if grammar.is_simple(word):
            return thing(word)
    return None
