from __future__ import annotations

import pytest

from nonet.model.plurals import plural, singular


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("box", "boxes"),
        ("fox", "foxes"),
        ("cherry", "cherries"),
        ("key", "keys"),
        ("wolf", "wolves"),
        ("tomato", "tomatoes"),
        ("shoe", "shoes"),
        ("wine-glass", "wine-glasses"),
        ("church", "churches"),
        ("mouse", "mice"),
        ("bus", "buses"),
        ("zombie", "zombies"),
        ("photo", "photos"),
        ("sheep", "sheep"),
        ("house", "houses"),
        ("horse", "horses"),
        ("rose", "roses"),
    ],
)
def test_both_ways(one: str, many: str) -> None:
    assert plural(one) == many
    assert singular(many) == one
    assert singular(one) == one


@pytest.mark.parametrize(
    "noun", ["glasses", "scissors", "octopus", "cactus", "princess", "canvas", "jeans", "mars"]
)
def test_left_alone(noun: str) -> None:
    assert singular(noun) == noun
