"""The memory's tensors: what is cut out of its ground."""

from __future__ import annotations

import torch

from nonet.training.remember import cleared

BLANK, EMPTY = 7, 99


def grid(text: str) -> torch.Tensor:
    """Rows of . (blank) and x (something)."""
    rows = text.split()
    return torch.tensor([[BLANK if c == "." else 1 for row in rows for c in row]])


def test_white_around_a_thing_is_cleared_and_white_inside_it_stays() -> None:
    found = cleared(grid("..... .xxx. .x.x. .xxx. ....."), torch.tensor([BLANK]), EMPTY).view(5, 5)
    assert int(found[2, 2]) == BLANK
    assert int((found == EMPTY).sum()) == 16
    assert int((found == 1).sum()) == 8


def test_a_bay_is_reached_round_corners() -> None:
    found = cleared(grid("xxxxx x...x xxx.x ....x xxxxx"), torch.tensor([BLANK]), EMPTY)
    assert int((found == BLANK).sum()) == 0


def test_what_fills_its_square_stays() -> None:
    full = torch.ones(2, 25, dtype=torch.int16)
    assert torch.equal(cleared(full, torch.tensor([BLANK]), EMPTY), full)
