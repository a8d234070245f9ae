"""Schedule, average, Muon."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nonet.training.optim import EMA, Muon, orthogonalised, schedule


def test_the_schedule_warms_up_stays_and_falls_to_a_tenth() -> None:
    factors = [schedule(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:75] == [1.0] * 65
    assert factors[100] == pytest.approx(0.1)


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_orthogonalised_matrices_have_singular_values_about_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert 0.4 < float(values.min()) <= float(values.max()) < 1.4
    # The directions stay: a matrix and its nearest orthogonal one point the same way.
    assert float((orthogonalised(matrix) * matrix).sum()) > 0


def test_muon_fits_a_linear_map_and_filters_too() -> None:
    generator = torch.Generator().manual_seed(4)
    wanted = torch.randn(12, 6, 1, 1, generator=generator)
    conv = nn.Conv2d(6, 12, 1, bias=False)
    optimizer = Muon(list(conv.parameters()), lr=0.05)
    losses = []
    for step in range(80):
        for group in optimizer.param_groups:
            group["lr"] = 0.2 * (1 - step / 80)
        x = torch.randn(32, 6, 1, 1, generator=generator)
        loss = (conv(x) - nn.functional.conv2d(x, wanted)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]


def test_the_average_is_swapped_in_and_out() -> None:
    layer = nn.Linear(2, 2)
    ema = EMA(layer, 0.5)
    start = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1)
    ema.update(layer)
    trained = layer.weight.detach().clone()
    with ema.swapped(layer):
        inside = layer.weight.detach().clone()
    assert torch.equal(layer.weight, trained)
    assert torch.all(inside > start)
    assert torch.all(inside < trained)
