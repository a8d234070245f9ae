"""Convolutions that lay their weights out once, for parts of pictures on a processor.

torch lays the weights of a convolution out for oneDNN at each call, which for a few places costs as much as their
arithmetic, and gives a single small picture to a slower method that rounds in another way. With weights that are laid
out already a picture takes less time, and has the same bits alone and among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW, MANY = 1 << 10, 1 << 18
"""With fewer weights there is nothing to gain, and with more a copy is not worth its memory."""

Version = tuple[int, torch.dtype, int]


class Layout:
    """A convolution on a processor, its weight in oneDNN's layout, which can be neither copied nor pickled.

    Args:
        size: of what is convolved, or like it; other sizes may come, too.
    """

    def __init__(
        self, weight: Tensor, size: Sequence[int], *, padding: int = 0, stride: int = 1, groups: int = 1
    ) -> None:
        self._shape = [padding, padding], [stride, stride], [1, 1], groups
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._shape, list(size))
        # The overload itself: looking it up takes time.
        self._convolve = torch.ops.mkldnn._convolution_pointwise.default

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        convolved: Tensor = self._convolve(x, self._weight, bias, *self._shape, "none", [], "")
        return convolved


class Convolution:
    """`F.conv2d`, padded by zeros, for one weight, of which it keeps a copy in oneDNN's layout where that is used.

    It is used without gradients only, and follows when the weight changes.
    """

    def __init__(self) -> None:
        self._kept: tuple[Version, Layout, Tensor] | None = None

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, *, padding: int, stride: int = 1
    ) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32 or not is_onednns(x):
            return F.conv2d(x, weight, bias, stride, padding)
        version = version_of(weight)
        kept = self._kept
        if kept is None or kept[0] != version:
            if weight.dtype != x.dtype or not FEW <= weight.numel() <= MANY:
                return F.conv2d(x, weight, bias, stride, padding)
            # With the weight itself, so that no other one can come to lie where it lay.
            weight = weight.detach()
            layout = Layout(weight, x.shape, padding=padding, stride=stride)
            kept = self._kept = version, layout, weight
        return kept[1](x, bias)

    def __reduce__(self) -> tuple[Any, ...]:
        return Convolution, ()


class Conv(nn.Conv2d):
    """`nn.Conv2d` of squares by way of a `Convolution`."""

    def __init__(self, inputs: int, outputs: int, size: int, *, padding: int = 0, stride: int = 1) -> None:
        super().__init__(inputs, outputs, size, padding=padding, stride=stride)
        self._convolution = Convolution()

    def forward(self, x: Tensor) -> Tensor:
        padding, stride = self.padding[0], self.stride[0]
        assert isinstance(padding, int)
        return self._convolution(x, self.weight, self.bias, padding=padding, stride=stride)


def is_onednns(x: Tensor) -> bool:
    """Whether oneDNN convolves where this lies."""
    return x.is_cpu and _has_onednn()


@cache
def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def version_of(weight: Tensor) -> Version:
    """What changes when a weight is changed, in place or for another."""
    return weight.data_ptr(), weight.dtype, 0 if weight.is_inference() else weight._version


def unrounded(device: torch.device) -> AbstractContextManager[None]:
    """On a GPU torch lets convolutions of float32 round to TF32's ten bits; what is rounded in a codec is seen."""
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    context: AbstractContextManager[None] = cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        benchmark_limit=cudnn.benchmark_limit,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    )
    return context
