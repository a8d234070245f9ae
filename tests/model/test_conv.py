"""Convolutions with weights that are laid out once: the same numbers, alone and among others."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.nn import functional as F

from nonet.model.conv import FEW, MANY, Conv, unrounded


def conv(inputs: int = 32, outputs: int = 48, size: int = 3, stride: int = 1) -> Conv:
    torch.manual_seed(0)
    one = Conv(inputs, outputs, size, padding=size // 2, stride=stride)
    one.weight.data = one.weight.data.contiguous(memory_format=torch.channels_last)
    return one


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("place", [(3, 4), (11, 11), (40, 7)])
def test_it_is_torch_s_convolution(size: int, stride: int, place: tuple[int, int]) -> None:
    one = conv(size=size, stride=stride)
    x = torch.randn(2, 32, *place).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = one(x)
        assert one._convolution._kept is not None
        torch.testing.assert_close(
            found, F.conv2d(x, one.weight, one.bias, stride, size // 2), atol=1e-5, rtol=0
        )
        assert torch.equal(one(x[:1]), found[:1])


@pytest.mark.parametrize("other", [(9, 9), (3, 70)])
def test_a_copy_that_was_made_for_one_size_serves_others(other: tuple[int, int]) -> None:
    one = conv()
    with torch.inference_mode():
        one(torch.randn(1, 32, 4, 4))
        x = torch.randn(1, 32, *other)
        torch.testing.assert_close(one(x), F.conv2d(x, one.weight, one.bias, padding=1), atol=1e-5, rtol=0)


def test_it_follows_its_weights() -> None:
    one = conv()
    x = torch.randn(1, 32, 9, 9)
    with torch.no_grad():
        before = one(x)
        one.weight.mul_(2)
        torch.testing.assert_close(one(x), F.conv2d(x, one.weight, one.bias, padding=1), atol=1e-5, rtol=0)
        assert not torch.equal(one(x), before)
        one.load_state_dict(conv().state_dict())
        torch.testing.assert_close(one(x), before, atol=1e-5, rtol=0)
        assert one.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(("inputs", "outputs"), [(8, FEW // 72 - 1), (MANY // 288 + 1, 32)])
def test_few_weights_and_many_are_not_copied(inputs: int, outputs: int) -> None:
    one = conv(inputs, outputs)
    with torch.inference_mode():
        one(torch.randn(1, inputs, 5, 5))
    assert one._convolution._kept is None


def test_with_gradients_it_is_trained() -> None:
    one = conv()
    with torch.inference_mode():
        one(torch.randn(1, 32, 9, 9))
    one(torch.randn(1, 32, 9, 9)).sum().backward()
    assert one.weight.grad is not None
    assert one.weight.grad.abs().sum() > 0


def test_it_can_be_copied_and_pickled() -> None:
    one = conv()
    x = torch.randn(1, 32, 9, 9)
    with torch.inference_mode():
        found = one(x)
        assert torch.equal(copy.deepcopy(one)(x), found)
        assert torch.equal(pickle.loads(pickle.dumps(one))(x), found)


def test_a_gpu_is_not_let_round_to_tf32() -> None:
    flags = torch.backends.cudnn
    before = flags.allow_tf32
    with unrounded(torch.device("cpu")):
        assert flags.allow_tf32 == before
    with unrounded(torch.device("cuda")):
        assert not flags.allow_tf32
    assert flags.allow_tf32 == before
