"""Small parts that every training shares: schedule, weight average, precision, generators."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def schedule(step: int, total_steps: int, warmup: int, decay: float = 0.25) -> float:
    """Warm up, stay, then fall linearly to a tenth over the last `decay` share: the factor on the learning rate.

    The long flat middle lets a run be lengthened without having decayed too early (WSD, as in MiniCPM, 2024).
    """
    if step < warmup:
        return (step + 1) / warmup
    left = (total_steps - step) / max(1.0, total_steps * decay)
    return 0.1 + 0.9 * min(1.0, max(0.0, left))


class EMA:
    """Exponential moving average of a module's floating-point state, with the usual early ramp."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items() if v.is_floating_point()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        state = module.state_dict()
        torch._foreach_lerp_(list(self.values.values()), [state[k] for k in self.values], 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = int(state["steps"])
        for key, value in state["values"].items():
            self.values[key].copy_(value)

    def swapped(self, module: nn.Module) -> AbstractContextManager[None]:
        """For the length of a `with`, the module holds the averaged weights."""
        return _Swapped(self, module)


class _Swapped(AbstractContextManager[None]):
    def __init__(self, ema: EMA, module: nn.Module) -> None:
        self.ema, self.module = ema, module

    def _exchange(self) -> None:
        with torch.no_grad():
            state = self.module.state_dict()
            for key, value in self.ema.values.items():
                kept = state[key].clone()
                state[key].copy_(value)
                value.copy_(kept)

    def __enter__(self) -> None:
        self._exchange()

    def __exit__(self, *exc: object) -> None:
        self._exchange()


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised (Muon, Jordan et al. 2024), for matrices and convolution filters.

    A filter counts as the matrix (out, in * height * width). Updates are scaled to the size of AdamW's (Liu et al.
    2025), so one learning rate serves both. torch's own class takes matrices only and works in bfloat16, which is
    a hundred times slower on a CPU without instructions for it.
    """

    def __init__(
        self,
        params: Sequence[nn.Parameter],
        lr: float | Tensor,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                blend = p.grad.lerp(state["momentum"], group["momentum"])
                update = orthogonalised(blend.reshape(p.shape[0], -1))
                rate = group["lr"] * (0.2 * max(update.shape) ** 0.5)
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update.reshape(p.shape) * rate)


def rate_on(device: torch.device, rate: float) -> Any:
    """A learning rate as a step wants it that a GPU plays back: a tensor of one there, a number on a processor."""
    return torch.tensor(rate, device=device) if device.type == "cuda" else rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups this learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take a state over, whichever device it was made on."""
    kept: list[dict[str, Any]] = [
        {name: group[name] for name in ("lr", "capturable") if name in group}
        for group in optimizer.param_groups
    ]
    groups = [group | own for group, own in zip(state["param_groups"], kept, strict=True)]
    optimizer.load_state_dict(state | {"param_groups": groups})
    for group, own in zip(optimizer.param_groups, kept, strict=True):
        group |= own


def orthogonalised(matrix_MN: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix with all singular values about 1, by Newton-Schulz iteration (quintic, Jordan's weights).

    Every step multiplies from the left by a polynomial of the Gram matrix, so the steps run on that small square
    matrix alone and meet the long one only at the end.
    """
    a, b, c = 3.4445, -4.775, 2.0315
    x = matrix_MN.float()
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    x = x / (x.norm() + 1e-7)
    gram = x @ x.mT
    identity = torch.eye(len(gram), device=x.device)
    total = identity
    for _ in range(steps):
        factor = torch.addmm(b * gram + a * identity, gram, gram, alpha=c)
        total = factor @ total
        gram = factor @ gram @ factor
    x = total @ x
    result: Tensor = (x.mT if tall else x).to(matrix_MN.dtype)
    return result


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products are clearly faster than float32 ones on this device.

    On a CPU the instructions say little: with AMX they are several times faster, with AVX512-BF16 alone they can be
    half as fast, without either a hundred times slower. So it is measured, once a process.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    return _cpu_gain_of_bf16() > 1.3


@cache
def _cpu_gain_of_bf16() -> float:
    def seconds(dtype: torch.dtype) -> float:
        x, weight = torch.ones(512, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
        times = []
        for _ in range(6):
            began = time.perf_counter()
            F.linear(x, weight)
            times.append(time.perf_counter() - began)
        return min(times)

    return seconds(torch.float32) / seconds(torch.bfloat16)


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 where that is faster, nothing elsewhere."""
    if has_fast_bf16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def generator_state(generator: torch.Generator) -> Tensor:
    return generator.get_state().clone()


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """What a device is called where it is said how long a training took."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
