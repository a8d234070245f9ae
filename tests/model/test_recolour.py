"""Painting in another colour."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nonet.model.recolour import hsv_to_rgb, paint_of, recolour, rgb_to_hsv


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3))
def test_hsv_goes_there_and_back(rgb: list[float]) -> None:
    pixel = torch.tensor(rgb)
    hsv = rgb_to_hsv(pixel)
    assert (hsv >= 0).all()
    assert (hsv <= 1).all()
    assert torch.allclose(hsv_to_rgb(hsv), pixel, atol=1e-4)


def test_the_paint_of_a_thing_is_its_own_not_its_ground_s() -> None:
    pixels = torch.zeros(1, 8, 8, 3)
    pixels[..., 1] = 1.0  # a green ground
    pixels[:, :4, :4] = torch.tensor([0.9, 0.1, 0.1])
    seen = torch.zeros(1, 8, 8)
    seen[:, :4, :4] = 1
    paint = paint_of(pixels, seen)
    assert torch.allclose(paint.hsv_N3[0], rgb_to_hsv(torch.tensor([0.9, 0.1, 0.1])), atol=1e-3)
    assert float(paint.focus_N) == pytest.approx(1, abs=1e-3)
    assert float(paint.share_N) == 1


def test_recolouring_leaves_white_and_black_parts() -> None:
    pixels = torch.tensor([[1.0, 1, 1], [0.02, 0.02, 0.02], [0.9, 0.1, 0.1]]).view(1, 1, 3, 3)
    painted = recolour(pixels, torch.tensor([[0.0, 0.89, 0.9]]), torch.tensor([[0.1, 0.2, 0.9]]))
    assert torch.allclose(painted[0, 0, :2], pixels[0, 0, :2], atol=1e-3)
    assert painted[0, 0, 2, 2] > 0.7 > 0.4 > painted[0, 0, 2, 0]
