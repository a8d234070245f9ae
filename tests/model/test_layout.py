from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.model.layout import BACKGROUND, FARTHEST, FULL, SMALL, Placed, arrange, settle
from nonet.model.phrases import parse

PROMPTS = (
    "a cat",
    "a small cat",
    "a beach",
    "a cat on a beach",
    "a cat on a table",
    "a cat on a blue background",
    "two cats",
    "three cats in space",
    "a cat wearing a hat on the moon",
    "a cat in a box next to a dog",
    "an apple, a pear, a plum and a dog",
    "a penguin with a guitar",
)


@given(st.sampled_from(PROMPTS), st.integers(0, 2**64))
def test_the_same_seed_gives_the_same_layout_within_the_canvas(prompt: str, seed: int) -> None:
    scene = parse(prompt)
    placed = arrange(scene, seed)
    assert placed == arrange(scene, random.Random(seed))
    assert placed
    for item in placed:
        assert item.size in (FULL, SMALL)
        assert 0 <= item.row <= FARTHEST
        assert 0 <= item.col <= FARTHEST
        assert item.size == SMALL or (item.row, item.col) == (0, 0)
        assert item.thing == BACKGROUND or 0 <= item.thing < len(scene.things)
    assert sum(item.thing == BACKGROUND for item in placed) <= 1
    assert sum(item.thing != BACKGROUND for item in placed) <= 3


def test_seeds_differ() -> None:
    scene = parse("a cat on a beach")
    assert len({tuple(arrange(scene, seed)) for seed in range(20)}) > 5


def by_thing(prompt: str, seed: int) -> dict[int, Placed]:
    return {item.thing: item for item in arrange(parse(prompt), seed)}


@pytest.mark.parametrize("seed", range(8))
def test_one_thing_fills_the_canvas(seed: int) -> None:
    assert arrange(parse("a cat"), seed) == [Placed(0)]
    (small,) = arrange(parse("a tiny cat"), seed)
    assert small.size == SMALL
    # A plain background is no picture to remember.
    assert arrange(parse("a cat on a red background"), seed) == [Placed(0)]


@pytest.mark.parametrize("seed", range(8))
def test_relations_hold(seed: int) -> None:
    places = by_thing("a cat to the left of a dog", seed)
    assert places[0].col + 5 < places[1].col
    places = by_thing("a cat to the right of a dog on a beach", seed)
    assert places[0].col > places[1].col + 5
    assert places[BACKGROUND] == Placed(BACKGROUND, role="background")
    for above, below in (
        ("a cat on a table", (0, 1)),
        ("a cat under a table", (1, 0)),
        ("a cat above a dog", (0, 1)),
    ):
        places = by_thing(above, seed)
        assert places[below[0]].row < places[below[1]].row
    places = by_thing("a cat wearing a crown", seed)
    assert places[1].row < places[0].row
    places = by_thing("a cat to the left of a dog to the left of a cow", seed)
    assert places[0].col < places[1].col < places[2].col


@pytest.mark.parametrize("seed", range(8))
def test_three_things_keep_apart(seed: int) -> None:
    placed = arrange(parse("an apple, a pear and a plum"), seed)
    for i, one in enumerate(placed):
        for other in placed[i + 1 :]:
            assert max(abs(one.row - other.row), abs(one.col - other.col)) >= 6


@pytest.mark.parametrize("seed", range(8))
def test_a_hat_comes_in_front(seed: int) -> None:
    for prompt in ("a cat wearing a crown", "a cat wearing a crown next to a dog"):
        order = [item.thing for item in arrange(parse(prompt), seed)]
        assert order.index(0) < order.index(1)


def test_settle_brings_things_together() -> None:
    scene = parse("an apple on a table")
    placed = [Placed(1, SMALL, 7, 3), Placed(0, SMALL, 0, 3)]
    # The table's top lies half way down its box, so the apple has to come down by about four cells.
    table, apple = settle(placed, scene, [(0.5, 0.94), (0.06, 0.94)])
    assert table == placed[0]
    assert apple == Placed(0, SMALL, 4, 3)


def test_settle_sets_neighbours_on_one_ground() -> None:
    scene = parse("an apple next to a car")
    placed = [Placed(0, SMALL, 5, 0), Placed(1, SMALL, 5, 7)]
    apple, _ = settle(placed, scene, [(0.06, 0.94), (0.3, 0.7)])
    assert apple.row == 3


def test_settle_leaves_large_things() -> None:
    scene = parse("an apple on a house")
    placed = [Placed(1), Placed(0, SMALL, 1, 3)]
    assert settle(placed, scene, [(0.5, 0.9), (0.1, 0.9)]) == placed
