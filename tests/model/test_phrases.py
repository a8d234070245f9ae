from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.model.phrases import KINDS, Relation, Scene, Thing, is_place, parse, thing


def texts(scene: Scene) -> list[str]:
    return [item.text for item in scene.things]


def kinds(scene: Scene) -> list[tuple[str, int, int]]:
    return [(r.kind, r.subject, r.object) for r in scene.relations]


def setting(scene: Scene) -> str | None:
    return scene.background.text if scene.background else None


@pytest.mark.parametrize(
    ("prompt", "things", "relations", "background"),
    [
        ("a red apple on a table", ["red apple", "table"], [("on", 0, 1)], None),
        ("a cat on the moon", ["cat"], [], "moon"),
        ("a penguin with a guitar", ["penguin", "guitar"], [("with", 0, 1)], None),
        ("a pizza in space", ["pizza"], [], "space"),
        ("two cats and a dog", ["cat", "dog"], [("and", 0, 1)], None),
        (
            "a red apple to the left of a cat on a beach",
            ["red apple", "cat"],
            [("left", 0, 1)],
            "beach",
        ),
        (
            "a hamster Godzilla in a sombrero invading Tokyo",
            ["hamster godzilla", "sombrero"],
            [("wear", 0, 1)],
            "tokyo",
        ),
        ("an astronaut riding a horse on mars", ["astronaut", "horse"], [("ride", 0, 1)], "mars"),
        ("a small house in front of a mountain", ["small house"], [], "mountain"),
        (
            "a bowl of soup next to a glass of water",
            ["bowl of soup", "glass of water"],
            [("beside", 0, 1)],
            None,
        ),
        ("a cat in a box", ["cat", "box"], [("in", 0, 1)], None),
        ("a cat in a hat", ["cat", "hat"], [("wear", 0, 1)], None),
        (
            "a cat wearing a hat and sunglasses",
            ["cat", "hat", "sunglasses"],
            [("wear", 0, 1), ("wear", 0, 2)],
            None,
        ),
        ("an owl under a full moon", ["owl"], [], "full moon"),
        ("a forest with a castle", ["castle"], [], "forest"),
        ("in space, a cat", ["cat"], [], "space"),
        ("a dog with a mountain in the background", ["dog"], [], "mountain"),
        ("a dog running on a beach at sunset", ["dog running"], [], "beach sunset"),
        ("a cat without a hat", ["cat"], [], None),
        ("a house on a white background", ["house"], [], "white background"),
        ("a king sitting on a throne", ["king", "throne"], [("on", 0, 1)], None),
        ("a flying pig", ["flying pig"], [], None),
        ("a beach", ["beach"], [], None),
        ("an apple, a pear and a plum", ["apple", "pear", "plum"], [("and", 0, 1), ("and", 1, 2)], None),
        ("a cat with a hat on a car", ["cat", "hat", "car"], [("wear", 0, 1), ("on", 0, 2)], None),
        ("a rocket above a house", ["rocket", "house"], [("above", 0, 1)], None),
        ("a cat on a house", ["cat", "house"], [("on", 0, 1)], None),
        ("a cat in a house", ["cat"], [], "house"),
    ],
)
def test_things_relations_and_background(
    prompt: str, things: list[str], relations: list[tuple[str, int, int]], background: str | None
) -> None:
    scene = parse(prompt)
    assert (texts(scene), kinds(scene), setting(scene)) == (things, relations, background)


@pytest.mark.parametrize(
    ("prompt", "style", "text"),
    [
        ("an emoji of a hot air balloon", "emoji", "hot air balloon"),
        ("pixel art of a green dragon", "pixel art", "green dragon"),
        ("a 3D render of a fire engine, highly detailed, 4k", "3D render", "fire engine"),
        ("a photo of the Eiffel Tower", "photo", "eiffel tower"),
        ("robot emoji", "emoji", "robot"),
        ("a castle, pixel art", "pixel art", "castle"),
        ("a castle in the style of van Gogh", "van gogh", "castle"),
        ("a clipart lighthouse", "clip art", "lighthouse"),
        ("a picture of a cake", None, "cake"),
        ("emoji", None, "emoji"),
        ("a photo", None, "photo"),
    ],
)
def test_style_is_taken_off(prompt: str, style: str | None, text: str) -> None:
    scene = parse(prompt)
    assert (scene.style, texts(scene)) == (style, [text])


def test_blends_keep_both_words() -> None:
    expected = Thing("avocado armchair", "armchair", None, ("avocado",))
    assert parse("an avocado armchair").things == (expected,)
    assert parse("an armchair in the shape of an avocado").things == (expected,)
    assert parse("a photo of a corgi as an astronaut").things[0].text == "astronaut corgi"


@pytest.mark.parametrize(
    ("text", "noun", "colour"),
    [
        ("light blue car", "car", "light blue"),
        ("orange", "orange", None),
        ("orange cat", "cat", "orange"),
        ("grey wolves", "wolf", "gray"),
        ("gold crown of thorns", "crown", "gold"),
    ],
)
def test_head_and_colour(text: str, noun: str, colour: str | None) -> None:
    item = thing(text)
    assert (item.noun, item.colour) == (noun, colour)


@pytest.mark.parametrize(
    ("prompt", "count", "text"),
    [
        ("three dogs", 3, "dog"),
        ("2 red foxes", 2, "red fox"),
        ("a pair of glasses", 1, "glasses"),
        ("a group of penguins", 3, "penguin"),
        ("some bread", 1, "bread"),
        ("several trees", 3, "tree"),
        ("a bunch of bananas", 1, "bunch of bananas"),
        ("apples", 1, "apples"),
    ],
)
def test_counts(prompt: str, count: int, text: str) -> None:
    (item,) = parse(prompt).things
    assert (item.count, item.text) == (count, text)


def test_places() -> None:
    assert is_place(thing("sandy beach"))
    assert is_place(thing("snowy mountains"))
    assert not is_place(thing("beach ball"))


@given(st.text(max_size=80))
def test_any_text_is_read(prompt: str) -> None:
    check(parse(prompt))


WORDS = (
    "a the two red cat dogs on in of with and , wearing riding beach space at night left to without as photo "
    "flying background style black king sitting glasses one no is"
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=12))
def test_any_words_in_any_order_are_read(words: list[str]) -> None:
    check(parse(" ".join(words)))


def check(scene: Scene) -> None:
    for relation in scene.relations:
        assert relation.kind in KINDS
        assert 0 <= relation.subject < relation.object < len(scene.things)
    assert all(item.text and item.noun and item.count >= 1 for item in scene.things)
    # A thing is joined to those before it once.
    assert len({r.object for r in scene.relations}) == len(scene.relations)
    assert scene.background is None or scene.things


def test_long_prompts_stay_fast() -> None:
    prompt = "a hamster Godzilla in a sombrero invading Tokyo and a red apple on a table, " * 25
    started = time.process_time()
    scene = parse(prompt)
    # Generous, since machines differ: a prompt of ordinary length takes a tenth of a millisecond.
    assert time.process_time() - started < 0.25
    assert Relation("wear", 0, 1) in scene.relations
