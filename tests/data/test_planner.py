from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nonet.data.plan import CANVAS, CELL, Mixture, Plan
from nonet.data.planner import Planner
from nonet.data.sprites import Sprites, open_sprites
from nonet.model.layout import BACKGROUND, SMALL
from nonet.model.phrases import parse
from tiny_collection import write_tiny_collection

COUNT = 600


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Sprites:
    folder: Path = tmp_path_factory.mktemp("collection")
    return open_sprites(write_tiny_collection(folder))


@pytest.fixture(scope="module")
def plans(sprites: Sprites) -> list[Plan]:
    planner = Planner(sprites, "train", Mixture())
    return [planner.plan(seed) for seed in range(COUNT)]


def test_a_seed_decides_the_plan(sprites: Sprites, plans: list[Plan]) -> None:
    again = Planner(sprites, "train", Mixture())
    assert [again.plan(seed) for seed in range(50)] == plans[:50]


def test_kinds_come_as_often_as_the_mixture_says(plans: list[Plan]) -> None:
    counts = Counter(plan.kind for plan in plans)
    assert 0.43 < counts["single"] / COUNT < 0.57
    assert 0.28 < counts["pair"] / COUNT < 0.42
    assert 0.06 < counts["many"] / COUNT < 0.15
    assert 0.02 < counts["background"] / COUNT < 0.09


def test_captions_say_what_the_plan_holds(plans: list[Plan]) -> None:
    odd = [p.caption for p in plans if p.kind != "background" and parse(p.caption) != p.scene]
    lone = [p for p in plans if p.kind == "background"]
    assert lone
    assert all(parse(p.caption).things == (p.scene.background,) for p in lone)
    # Only the label that holds a relation itself is read otherwise.
    assert all("bowl with spoon" in caption for caption in odd)


def test_every_thing_is_placed_within_the_canvas(plans: list[Plan]) -> None:
    for plan in plans:
        placed = {part.thing for part in plan.parts} - {BACKGROUND}
        if plan.kind != "background":
            assert placed == set(range(len(plan.scene.things))), plan.caption
        for part in plan.parts:
            assert 0 < part.x < CANVAS
            assert 0 < part.y < CANVAS
            centre = (part.slot.col + part.slot.size / 2) * CELL, (part.slot.row + part.slot.size / 2) * CELL
            assert max(abs(part.x - centre[0]), abs(part.y - centre[1])) <= 16


def test_exact_parts_lie_on_the_grid(sprites: Sprites) -> None:
    planner = Planner(sprites, "train", Mixture(exact=1.0))
    for seed in range(100):
        for part in planner.plan(seed).parts:
            assert part.side in (SMALL * CELL, CANVAS)
            assert (part.x - part.side / 2) % CELL == 0
            assert (part.y - part.side / 2) % CELL == 0
            assert part.turn == 0


def test_held_out_things_and_pairs_never_train(sprites: Sprites, plans: list[Plan]) -> None:
    records = sprites.collection.records
    for plan in plans:
        assert all(records[part.sprite].split == "train" for part in plan.parts)
        for part in plan.parts:
            if part.thing == BACKGROUND:
                continue
            item = plan.scene.things[part.thing]
            assert (item.colour, part.concept) not in (("blue", "apple"), ("green", "cat"))
        background = plan.scene.background
        if background is not None and background.noun == "beach":
            assert "dog" not in {part.concept for part in plan.parts}


def test_held_out_pictures_are_all_new(sprites: Sprites) -> None:
    planner = Planner(sprites, "heldout", Mixture())
    seen = Counter[str]()
    for seed in range(200):
        plan = planner.plan(seed)
        if plan.kind == "background":
            continue
        (concepts,) = [{part.concept for part in plan.parts}]
        first = plan.scene.things[0]
        if concepts <= {"zebra", "wine glass"}:
            seen["concept"] += 1
        elif (first.colour, first.noun) in (("blue", "apple"), ("green", "cat")):
            seen["colour"] += 1
        else:
            assert concepts == {"dog"}
            assert plan.scene.background is not None
            assert plan.scene.background.noun == "beach"
            seen["place"] += 1
    assert min(seen["concept"], seen["colour"], seen["place"]) > 10


def test_named_colours_are_painted(sprites: Sprites, plans: list[Plan]) -> None:
    records = sprites.collection.records
    named = 0
    for plan in plans:
        for part in plan.parts:
            if part.thing == BACKGROUND:
                continue
            colour = plan.scene.things[part.thing].colour
            if colour is None:
                assert part.colour is None
            else:
                named += 1
                assert part.colour == colour or max(records[part.sprite].colours.items())[0] == colour
    assert named > 50


def test_things_of_one_scene_share_a_style(sprites: Sprites, plans: list[Plan]) -> None:
    records = sprites.collection.records
    said = [plan for plan in plans if plan.scene.style is not None and len(plan.parts) == 1]
    assert said
    for plan in said:
        assert records[plan.parts[0].sprite].style == plan.scene.style


def test_small_words_make_small_things(sprites: Sprites, plans: list[Plan]) -> None:
    small = [p for p in plans if p.kind == "single" and {"small", "tiny"} & set(p.scene.things[0].modifiers)]
    assert small
    assert all(plan.parts[0].slot.size == SMALL for plan in small)


def test_unknown_split_is_refused(sprites: Sprites) -> None:
    with pytest.raises(ValueError, match="split"):
        Planner(sprites, "test", Mixture())
