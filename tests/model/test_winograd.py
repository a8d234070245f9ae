from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nonet.model.winograd import Winograd


def convolution(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias).requires_grad_(False)


@pytest.mark.parametrize("size", [(4, 4), (8, 20), (12, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_convolution(size: tuple[int, int], bias: bool) -> None:
    conv = convolution(64, 96, bias=bias)
    x_HWC = torch.randn(size[0] + 2, size[1] + 2, 64, generator=torch.Generator().manual_seed(1))
    x_1CHW = x_HWC.permute(2, 0, 1)[None]
    wanted = F.conv2d(x_1CHW, conv.weight, conv.bias)[0].permute(1, 2, 0)
    torch.testing.assert_close(Winograd(conv)(x_HWC), wanted, atol=2e-5, rtol=0)


def test_what_it_is_used_for() -> None:
    assert Winograd.suits(convolution(64, 64), 8, 8)
    assert not Winograd.suits(convolution(64, 3), 8, 8)
    assert not Winograd.suits(convolution(64, 64), 8, 10)
    assert not Winograd.suits(convolution(64, 64), 6, 8)
    assert not Winograd.suits(convolution(64, 64).bfloat16(), 8, 8)
    assert not Winograd.suits(nn.Conv2d(64, 64, 1), 8, 8)
