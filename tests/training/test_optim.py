"""Schedule, average, Muon, rates, and states that change devices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nonet.training.optim import EMA, Muon, load_optimizer, orthogonalised, rate_on, schedule, set_rate


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


def test_a_rate_is_set_as_it_is_kept() -> None:
    layer = nn.Linear(3, 3, bias=False)
    plain, kept = Muon(list(layer.parameters()), 0.1), Muon(list(layer.parameters()), torch.tensor(0.1))
    rate = kept.param_groups[0]["lr"]
    for optimizer in (plain, kept):
        set_rate(optimizer, 0.25)
    assert plain.param_groups[0]["lr"] == 0.25
    # A graph reads the number where it was when it was recorded.
    assert kept.param_groups[0]["lr"] is rate
    assert float(rate) == 0.25
    assert isinstance(rate_on(torch.device("cpu"), 0.5), float)


def test_both_kinds_of_rates_move_weights_alike() -> None:
    moved = []
    for rate in (0.1, torch.tensor(0.1)):
        layer = nn.Linear(4, 4, bias=False)
        nn.init.eye_(layer.weight)
        layer(torch.arange(8.0).view(2, 4)).square().sum().backward()
        Muon(list(layer.parameters()), rate, weight_decay=0.1).step()
        moved.append(layer.weight.detach())
    assert torch.allclose(moved[0], moved[1], atol=1e-6)
    assert not torch.allclose(moved[0], torch.eye(4), atol=1e-3)


def test_a_state_of_a_gpu_goes_on_on_a_processor() -> None:
    layer = nn.Linear(3, 3)

    def adam() -> torch.optim.AdamW:
        return torch.optim.AdamW(layer.parameters(), lr=1e-3)

    first, second = adam(), adam()
    layer(torch.ones(1, 3)).sum().backward()
    first.step()
    state = first.state_dict()
    state["param_groups"][0] |= {"lr": torch.tensor(0.5), "capturable": True, "weight_decay": 0.3}
    load_optimizer(second, state)
    (group,) = second.param_groups
    assert (group["lr"], group["capturable"], group["weight_decay"]) == (1e-3, False, 0.3)
    assert float(second.state[layer.weight]["step"]) == 1
    second.step()
