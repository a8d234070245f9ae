from __future__ import annotations

import pytest

from nonet.data.captions import COLOURS
from nonet.data.splits import COMMON, heldout_pairs, split_of


def test_about_four_percent_of_concepts_are_held_out() -> None:
    held = sum(split_of(f"thing number {i}") == "heldout" for i in range(5000))
    assert 150 < held < 270


@pytest.mark.parametrize("concept", ["apple", "polar bear", "t-rex dinosaur", "armchair", "moon"])
def test_what_everybody_asks_for_is_never_held_out(concept: str) -> None:
    assert split_of(concept) == "train"
    assert all(split_of(word) == "train" for word in COMMON)


def test_the_split_does_not_change() -> None:
    # Recorded: another split would leak what older weights were trained on.
    names = [f"concept {i}" for i in range(60)]
    assert [name for name in names if split_of(name) == "heldout"] == HELD_OUT_OF_SIXTY


HELD_OUT_OF_SIXTY = ["concept 16", "concept 28", "concept 37"]


def test_pairs_join_known_colours_things_and_places() -> None:
    pairs = heldout_pairs()
    assert len(pairs["colour_object"]) == 100
    assert len(pairs["object_background"]) == 100
    assert {colour for colour, _ in pairs["colour_object"]} <= set(COLOURS)
    assert len({tuple(pair) for pair in pairs["colour_object"]}) == 100
    assert pairs == heldout_pairs()
    # Every colour and most things stay learnable with other partners.
    for colour in COLOURS:
        assert sum(pair[0] == colour for pair in pairs["colour_object"]) < 25
