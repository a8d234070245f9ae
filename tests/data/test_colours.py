from __future__ import annotations

import numpy as np
import pytest

from nonet.data.colours import dominant_colours, painted_colours


def square(*colours: tuple[int, int, int], alpha: int = 255) -> np.ndarray:
    """Vertical stripes of equal width, 60 pixels a side."""
    pixels = np.zeros((60, 60, 4), np.uint8)
    for index, colour in enumerate(colours):
        pixels[:, index * 60 // len(colours) : (index + 1) * 60 // len(colours), :3] = colour
    pixels[..., 3] = alpha
    return pixels


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((220, 30, 30), "red"),
        ((250, 140, 20), "orange"),
        ((250, 220, 50), "yellow"),
        ((60, 160, 60), "green"),
        ((40, 90, 210), "blue"),
        ((125, 60, 175), "purple"),
        ((245, 150, 190), "pink"),
        ((120, 75, 40), "brown"),
        ((10, 10, 12), "black"),
        ((250, 250, 250), "white"),
        ((140, 140, 142), "gray"),
    ],
)
def test_clear_colours_get_their_name(rgb: tuple[int, int, int], name: str) -> None:
    assert dominant_colours(square(rgb)) == {name: 1.0}


def test_shares_come_largest_first_and_small_ones_are_left_out() -> None:
    pixels = square((220, 30, 30), (220, 30, 30), (40, 90, 210))
    pixels[:3, :3, :3] = (60, 160, 60)
    found = dominant_colours(pixels)
    assert list(found) == ["red", "blue"]
    assert found["red"] == pytest.approx(2 / 3, abs=0.05)


def test_what_cannot_be_seen_has_no_colour() -> None:
    assert dominant_colours(square((220, 30, 30), alpha=0)) == {}


@pytest.mark.parametrize(
    ("seen", "paint", "named"),
    [
        ({"red": 0.7, "gray": 0.2}, "red", {"red": 0.7, "gray": 0.2}),
        ({"gray": 0.9}, "white", {"white": 0.9}),
        ({"brown": 0.5, "black": 0.3}, "orange", {"orange": 0.5, "black": 0.3}),
        ({"black": 0.8, "red": 0.15}, "red", None),
        ({"gray": 0.9}, "green", None),
        ({}, "blue", None),
    ],
)
def test_a_painted_thing_shows_its_paint_or_is_not_called_by_it(
    seen: dict[str, float], paint: str, named: dict[str, float] | None
) -> None:
    assert painted_colours(seen, paint) == named
