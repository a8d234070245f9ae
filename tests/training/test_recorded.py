"""What a GPU plays back, as far as a processor can tell; and states that change devices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nonet.training.optim import Muon
from nonet.training.recorded import Recorded, load_optimizer, on_device, set_rate

CPU = torch.device("cpu")


def test_on_a_processor_the_work_is_done_each_time() -> None:
    total = torch.zeros(())

    def work() -> dict[str, Tensor]:
        return {"total": total.add_(1)}

    recorded = Recorded(work, CPU)
    assert [float(recorded()["total"]) for _ in range(6)] == [1, 2, 3, 4, 5, 6]


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
    assert isinstance(on_device(CPU, 0.5), float)


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
