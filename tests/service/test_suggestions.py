"""Lines that "surprise me", the ideas and "more like this" come up with."""

from __future__ import annotations

import random
from itertools import product

from nonet.safety.policy import Policy
from nonet.service import suggestions


def test_every_part_passes_the_strictest_policy() -> None:
    policy = Policy()
    lists = suggestions.parts()
    lines = [*lists["first"], *(part for name, parts in lists.items() if name != "shapes" for part in parts)]
    assert len(lines) > 80
    assert [line for line in lines if policy.check(line, level="strict")] == []


def test_whole_lines_pass_it_too() -> None:
    policy = Policy()
    rng = random.Random(3)
    lines = {suggestions.surprise(rng) for _ in range(300)}
    assert len(lines) > 200
    assert [line for line in lines if policy.check(line, level="strict")] == []


def test_no_hole_is_left_and_every_shape_can_be_filled() -> None:
    for seed in range(200):
        line = suggestions.surprise(random.Random(seed))
        assert "{" not in line
        assert line == line.strip()


def test_ideas_differ_and_fit_side_by_side() -> None:
    for seed in range(20):
        ideas = suggestions.ideas(4, random.Random(seed))
        assert len(set(ideas)) == 4
        assert all(len(idea) <= 34 for idea in ideas)


def test_like_a_known_line_is_a_line_with_one_part_changed() -> None:
    alike = suggestions.alike("a hamster wearing a crown on the moon", 3, random.Random(1))
    assert len(set(alike)) == 3
    words = {"hamster", "wearing", "crown", "moon"}
    assert all(words & set(line.split()) for line in alike)
    assert "a hamster wearing a crown on the moon" not in alike


def test_like_an_unknown_line_is_the_line_somewhere() -> None:
    alike = suggestions.alike("grandmother's   sewing machine", 2, random.Random(1))
    assert all(line.startswith("grandmother's sewing machine ") for line in alike)


def test_lines_without_end_are_not_made() -> None:
    for prompt, seed in product(("x" * 2000, "{who} {0} %s \\1", "a cat" * 300, "("), range(3)):
        assert all(len(line) <= 80 for line in suggestions.alike(prompt, 3, random.Random(seed)))
