"""Where the things of a scene lie on the canvas of 16x16 cells: one arrangement for each seed.

Training and drawing both use `arrange`, so a drawing is laid out as the pictures were that taught it. A
thing fills the canvas (`FULL`) or a square of `SMALL` cells whose top left cell lies in rows and columns 0
to 7.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from typing import Literal

from nonet.model import words as w
from nonet.model.phrases import Relation, Scene, is_place

GRID = 16
FULL = 16
SMALL = 9
FARTHEST = GRID - SMALL
MOST_THINGS = 3
BACKGROUND = -1
"""`Placed.thing` of the scene's background."""


@dataclass(frozen=True)
class Placed:
    """One thing at its place, in cells. Lists of these run from back to front.

    `thing` counts into `scene.things`, or is `BACKGROUND`; a thing asked for twice is placed twice.
    """

    thing: int
    size: int = FULL
    row: int = 0
    col: int = 0
    role: Literal["background", "object"] = "object"


Spot = tuple[int, int]
"""Row and column of a `SMALL` box on the coarse grid of three by three anchors, 0 to 2 each."""


def arrange(scene: Scene, seed: int | random.Random) -> list[Placed]:
    """Lay out a scene; the same seed gives the same layout. At most one background and three things are
    placed."""
    rng = seed if isinstance(seed, random.Random) else random.Random(seed)
    instances = _instances(scene)
    behind: list[Placed] = []
    setting = scene.background
    if setting is not None and setting.noun not in w.BACKDROPS:
        behind.append(Placed(BACKGROUND, role="background"))
    if not instances:
        return behind
    if len(instances) == 1:
        return behind + _single(scene, instances[0], rng)
    if len(instances) == 2:
        relation = scene.relations[0] if scene.relations else None
        return behind + _pair(scene, instances, relation, bool(behind), rng)
    return behind + _many(scene, instances, rng)


def _instances(scene: Scene) -> list[int]:
    """Thing numbers to place, repeated by count, at most three in all, each thing at least once while there
    is room."""
    chosen = list(range(min(len(scene.things), MOST_THINGS)))
    spare = MOST_THINGS - len(chosen)
    repeated: list[int] = []
    for index in chosen:
        more = min(scene.things[index].count - 1, spare)
        spare -= more
        repeated += [index] * (1 + more)
    return repeated


def _single(scene: Scene, index: int, rng: random.Random) -> list[Placed]:
    thing = scene.things[index]
    if scene.background is None or scene.background.noun in w.BACKDROPS:
        if w.SMALL_SIZES.intersection(thing.modifiers):
            return [Placed(index, SMALL, rng.randint(3, 5), rng.randint(2, 5))]
        return [Placed(index, role="background" if is_place(thing) else "object")]
    rows = (2, 5) if scene.background.noun in w.AIRY else (4, 7)
    return [Placed(index, SMALL, rng.randint(*rows), rng.randint(1, 6))]


def _pair(
    scene: Scene, instances: list[int], relation: Relation | None, crowded: bool, rng: random.Random
) -> list[Placed]:
    """Two things. `crowded`: something already fills the canvas behind them, so both are small."""
    first, second = instances
    if relation is None:
        return _in_a_row(first, second, rng)
    subject, other = relation.subject, relation.object
    noun = scene.things[other].noun
    kind = relation.kind
    middle = rng.randint(2, 5)
    roomy = not crowded
    near = min(max(middle + rng.randint(-1, 1), 0), FARTHEST)

    def small(index: int, row: int, col: int) -> Placed:
        return Placed(index, SMALL, min(max(row, 0), FARTHEST), min(max(col, 0), FARTHEST))

    if kind in ("left", "right"):
        row = rng.randint(3, 6)
        west, east = (subject, other) if kind == "left" else (other, subject)
        return [small(west, row + rng.randint(-1, 1), 0), small(east, row, FARTHEST)]
    if kind in ("above", "under"):
        top, low = (subject, other) if kind == "above" else (other, subject)
        return [small(low, FARTHEST, middle), small(top, 0, near)]
    if kind == "on":
        if roomy and noun not in w.SURFACES and rng.random() < 0.3:
            return [Placed(other), small(subject, rng.randint(0, 2), rng.randint(3, 4))]
        return [small(other, FARTHEST, middle), small(subject, 0, near)]
    if kind == "ride":
        return [small(other, FARTHEST, middle), small(subject, rng.randint(1, 2), middle)]
    if kind == "wear":
        if noun in w.HEADWEAR:
            return [small(subject, FARTHEST, middle), small(other, 0, middle)]
        row = rng.randint(2, 4) if noun in w.EYEWEAR else rng.randint(5, 7)
        if roomy:
            return [Placed(subject), small(other, row, rng.randint(3, 4))]
        return [small(subject, 3, middle), small(other, min(row + 2, FARTHEST), middle)]
    if kind == "in" and roomy:
        return [Placed(other), small(subject, rng.randint(1, 3), rng.randint(3, 4))]
    if kind == "in":
        return [small(other, FARTHEST, middle), small(subject, rng.randint(2, 3), middle)]
    if kind in ("front", "behind"):
        back, front = (other, subject) if kind == "front" else (subject, other)
        if roomy:
            return [Placed(back), small(front, FARTHEST, rng.choice((0, 1, 2, 5, 6, 7)))]
        col = rng.choice((0, FARTHEST))
        return [small(back, rng.randint(1, 2), 4), small(front, FARTHEST, col)]
    if kind in ("hold", "with") and roomy and rng.random() < 0.5:
        return [Placed(subject), small(other, rng.randint(6, 7), rng.choice((0, 1, 6, 7)))]
    if kind == "hold":
        row = rng.randint(3, 6)
        west = rng.random() < 0.5
        step = rng.randint(5, 6)
        col = rng.randint(0, FARTHEST - step)
        cols = (col, col + step) if west else (col + step, col)
        return [small(subject, row, cols[0]), small(other, row + 1, cols[1])]
    if kind == "and" and rng.random() < 0.7:
        return _in_a_row(subject, other, rng)
    west, east = (subject, other) if rng.random() < 0.5 else (other, subject)
    return _in_a_row(west, east, rng)


def _in_a_row(west: int, east: int, rng: random.Random) -> list[Placed]:
    row = rng.randint(3, 6)
    return [
        Placed(west, SMALL, row, rng.randint(0, 1)),
        Placed(east, SMALL, min(row + rng.randint(0, 1), FARTHEST), rng.randint(FARTHEST - 1, FARTHEST)),
    ]


def _many(scene: Scene, instances: list[int], rng: random.Random) -> list[Placed]:
    """Three small things: anchors that keep them apart and every relation true."""
    slot_of = {thing: slot for slot, thing in reversed(list(enumerate(instances)))}
    relations = tuple(
        (r.kind, slot_of[r.subject], slot_of[r.object])
        for r in scene.relations
        if r.subject in slot_of and r.object in slot_of
    )
    spots = rng.choice(_spots(relations))
    placed = []
    for thing, (row, col) in zip(instances, spots, strict=True):
        row, col = row * FARTHEST // 2, col * FARTHEST // 2
        # Things in the middle of an edge may stand a cell off; corners keep what distance there is.
        col += rng.randint(0, 1) if col == FARTHEST // 2 else 0
        placed.append(Placed(thing, SMALL, row, col))
    # Lower things stand nearer, so they come in front; a hat or a rider comes in front of what carries it.
    upon = {slot for kind, slot, _ in relations if kind in ("on", "ride")}
    upon |= {slot for kind, _, slot in relations if kind == "wear"}
    order = sorted(range(len(placed)), key=lambda slot: (slot in upon, placed[slot].row))
    return [placed[slot] for slot in order]


@lru_cache(maxsize=4096)
def _spots(relations: tuple[tuple[str, int, int], ...]) -> list[tuple[Spot, ...]]:
    """Every way to set three small things apart on the anchors such that all, else most, relations hold."""
    anchors = [(row, col) for row in range(3) for col in range(3)]
    best: list[tuple[Spot, ...]] = []
    most = -1.0
    for spots in permutations(anchors, MOST_THINGS):
        if any(
            max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 2 for i, a in enumerate(spots) for b in spots[i + 1 :]
        ):
            continue
        # Two of the three at least stand low: things that float are the exception.
        if sum(row == 0 for row, _ in spots) > 1:
            continue
        held = sum(_holds(kind, spots[subject], spots[other]) for kind, subject, other in relations)
        if held > most:
            most, best = held, []
        if held == most:
            best.append(spots)
    return best


def _holds(kind: str, subject: Spot, other: Spot) -> float:
    """How well a relation is seen, 0 to 1."""
    down, across = other[0] - subject[0], other[1] - subject[1]
    if kind in ("left", "right"):
        toward = across if kind == "left" else -across
        return (1.0 if abs(down) <= 1 else 0.9) if toward > 0 else 0.0
    if kind in ("on", "above", "ride", "under", "wear"):
        drop = down if kind in ("on", "above", "ride") else -down
        return (1.0 if across == 0 else 0.6 if abs(across) == 1 else 0.0) if drop == 2 else 0.0
    if kind in ("front", "behind"):
        return float(down < 0 if kind == "front" else down > 0)
    if kind == "in":
        return float(down > 0 and across == 0)
    return float(kind == "and" or (abs(across) >= 1 and abs(down) <= 1))


def settle(placed: Sequence[Placed], scene: Scene, extents: Sequence[tuple[float, float]]) -> list[Placed]:
    """Move small things by whole cells so that they touch what they are on, and stand on one ground.

    Args:
        extents: for every placed thing the top and bottom of what is visible of its picture, as shares (0 to
        1) of its
            box, since pictures are rarely square.
    """
    rows = [float(item.row) for item in placed]
    top = [item.row + item.size * extent[0] for item, extent in zip(placed, extents, strict=True)]
    bottom = [item.row + item.size * extent[1] for item, extent in zip(placed, extents, strict=True)]
    at = {item.thing: index for index, item in reversed(list(enumerate(placed)))}
    for relation in scene.relations:
        if relation.subject not in at or relation.object not in at:
            continue
        subject, other = at[relation.subject], at[relation.object]
        if placed[subject].size != SMALL or placed[other].size != SMALL:
            continue
        shift, mover = 0.0, subject
        if relation.kind in ("on", "ride"):
            # A rider sits deeper in than an apple on a table.
            sink = 0.3 if relation.kind == "ride" else 0.06
            shift = top[other] + sink * (bottom[other] - top[other]) + 0.3 - bottom[subject]
        elif relation.kind == "wear" and scene.things[relation.object].noun in w.HEADWEAR:
            mover = other
            shift = top[subject] + 0.22 * (bottom[other] - top[other]) + 0.3 - bottom[other]
        elif relation.kind in ("left", "right", "beside", "and", "with", "hold"):
            shift = bottom[other] - bottom[subject]
            if abs(shift) > 3 or abs(placed[other].row - placed[subject].row) > 2:
                shift = 0.0
        whole = min(max(round(shift), -rows[mover]), FARTHEST - rows[mover])
        whole = min(max(whole, -4), 4)
        rows[mover] += whole
        top[mover] += whole
        bottom[mover] += whole
    return [replace(item, row=int(row)) for item, row in zip(placed, rows, strict=True)]
