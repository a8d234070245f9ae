"""The judge: shapes, sizes, and that it can tell pictures apart."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from nonet.model.judge import Judge, JudgeConfig, reduced
from nonet.training.judge import contrast

SMALL = JudgeConfig(side=32, widths=(8, 16), text_width=4, width=8)


def test_scores_are_cosines_and_any_size_is_seen() -> None:
    torch.manual_seed(0)
    judge = Judge(SMALL)
    scores = judge(torch.rand(3, 64, 64, 3), torch.randn(5, 4)).detach()
    assert scores.shape == (3, 5)
    assert float(scores.abs().max()) <= 1.0001
    assert torch.allclose(judge.see(torch.rand(2, 32, 32, 3)).norm(dim=-1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("side", [12, 8, 6, 4])
def test_pictures_are_reduced_by_area(side: int) -> None:
    x = torch.rand(2, 12, 12, 3, generator=torch.manual_seed(1)).permute(0, 3, 1, 2)
    assert torch.equal(reduced(x, side), F.interpolate(x, size=(side, side), mode="area"))


def test_it_learns_two_colours() -> None:
    torch.manual_seed(0)
    judge = Judge(SMALL)
    words = torch.eye(4)[:2]
    optimizer = torch.optim.Adam(judge.parameters(), lr=5e-3)
    pixels = torch.zeros(2, 32, 32, 3)
    pixels[0, ..., 0] = 1
    pixels[1, ..., 2] = 1
    for _ in range(30):
        loss, hits = contrast(judge(pixels, words) * 10, ["red", "blue"])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert hits == 1.0
    assert float(loss.detach()) < 0.1


def test_equal_captions_are_no_mistake() -> None:
    scores = torch.tensor([[5.0, 5.0, 0.0], [5.0, 5.0, 0.0], [0.0, 0.0, 5.0]])
    loss, hits = contrast(scores, ["a cat", "a cat", "a dog"])
    apart, _ = contrast(scores, ["a cat", "the cat", "a dog"])
    assert hits == 1.0
    assert abs(float(loss) - float(apart)) < 1e-5
    assert float(contrast(torch.zeros(3, 3), ["a cat", "a cat", "a dog"])[0]) < 1.2
