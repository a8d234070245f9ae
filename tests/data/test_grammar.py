from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.data import grammar
from nonet.model.phrases import KEEPS_SUBJECT, KINDS, Kind, Relation, Scene, Thing, parse, thing

LABELS = (
    "apple",
    "red apple",
    "hot air balloon",
    "fire engine",
    "orange",
    "small dog",
    "bowl of soup",
    "light blue car",
    "owl",
    "unicorn",
    "ice cream",
    "robot",
    "avocado armchair",
)
PLACES = (
    "beach",
    "space",
    "moon",
    "night sky",
    "snowy mountains",
    "blue background",
    "living room",
    "tokyo",
    "sunset",
    "forest",
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    things = [thing(label) for label in draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=3))]
    if len(things) == 1 and things[0].noun in ("apple", "dog", "robot") and draw(st.booleans()):
        things = [
            Thing(
                things[0].text, things[0].noun, things[0].colour, things[0].modifiers, draw(st.integers(2, 4))
            )
        ]
    relations: list[Relation] = []
    subject = 0
    for index in range(1, len(things)):
        # Labels here are no clothes, so "wear" would be read as something else.
        kind: Kind = draw(st.sampled_from([kind for kind in KINDS if kind != "wear"]))
        relations.append(Relation(kind, subject, index))
        subject = subject if kind in KEEPS_SUBJECT else index
    place = draw(st.none() | st.sampled_from(PLACES))
    style = draw(st.none() | st.sampled_from(sorted(grammar.STYLE_FORMS)))
    return Scene(tuple(things), tuple(relations), thing(place) if place else None, style)


@given(scenes(), st.integers(0, 2**32))
def test_what_grammar_writes_is_read_back(scene: Scene, seed: int) -> None:
    caption = grammar.write(scene, random.Random(seed))
    assert parse(caption) == scene, caption


def test_what_is_worn_is_read_back() -> None:
    scene = Scene(
        (thing("cat"), thing("red hat"), thing("dog")), (Relation("wear", 0, 1), Relation("and", 0, 2))
    )
    captions = {grammar.write(scene, random.Random(seed)) for seed in range(40)}
    assert all(parse(caption) == scene for caption in captions)
    assert len(captions) > 5


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_said_in_several_ways(place: str) -> None:
    scene = Scene((thing("cat"),), (), thing(place))
    captions = {grammar.write(scene, random.Random(seed)) for seed in range(60)}
    assert all(parse(caption) == scene for caption in captions)
    assert len(captions) >= 3


def test_the_same_seed_writes_the_same() -> None:
    scene = Scene((thing("cat"), thing("dog")), (Relation("left", 0, 1),), thing("beach"))
    assert grammar.write(scene, random.Random(3)) == grammar.write(scene, random.Random(3))


def test_short_and_long_forms_both_come() -> None:
    scene = Scene((thing("red apple"),))
    captions = [grammar.write(scene, random.Random(seed)) for seed in range(100)]
    assert captions.count("red apple") > 15
    assert captions.count("a red apple") > 30


@pytest.mark.parametrize(
    ("text", "said"),
    [("apple", "an apple"), ("unicorn", "a unicorn"), ("hourglass", "an hourglass"), ("cat", "a cat")],
)
def test_articles(text: str, said: str) -> None:
    assert grammar.with_article(text) == said


@pytest.mark.parametrize("label", ["bowl with spoon", "cat on a mat", "", "two cats", "cat emoji", "and"])
def test_labels_with_structure_are_not_simple(label: str) -> None:
    assert not grammar.is_simple(label)


@pytest.mark.parametrize("label", LABELS)
def test_noun_phrases_are_simple(label: str) -> None:
    assert grammar.is_simple(label)


def test_scenery_has_no_article_where_english_has_none() -> None:
    assert grammar.setting_words(thing("space"), random.Random(0), plain=True) == "in space"
    assert grammar.setting_words(thing("sunset"), random.Random(0), plain=True) == "at sunset"
    assert grammar.setting_words(thing("moon"), random.Random(0), plain=True) == "on the moon"
