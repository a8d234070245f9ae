from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nonet.checkpoints.quantise import dequantise, quantise


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1e-6, 1e-3, 1.0, 300.0]), st.integers(1, 40))
def test_every_value_comes_back_within_half_a_step(seed: int, size: float, rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight_RC = torch.randn(rows, 6, generator=generator) * size
    stored = quantise({"weight": weight_RC}, smallest=1)
    assert stored["weight"].dtype == torch.int8
    back_RC = dequantise(stored)["weight"]
    step_R1 = weight_RC.abs().amax(1, keepdim=True) / 127
    # The scale is rounded to half precision: a relative 2^-11, and below its smallest normal number 2^-25.
    slack_R1 = (step_R1 * 2**-11 + 2**-25) * 127.5
    assert ((back_RC - weight_RC).abs() <= step_R1 / 2 + slack_R1).all()


def test_small_tensors_stay_floats_and_integers_stay_themselves() -> None:
    tensors = {"bias": torch.tensor([1.0, -2.5]), "ids": torch.arange(5000), "codes": torch.ones(2, 3).char()}
    stored = quantise(tensors)
    assert stored["bias"].dtype == torch.float16
    back = dequantise(stored)
    assert back["bias"].tolist() == [1.0, -2.5]
    assert back["ids"].dtype == torch.int64
    assert back["codes"].dtype == torch.int8
    assert set(back) == set(tensors)


def test_convolutions_and_rows_of_zeros() -> None:
    weight = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    weight[3] = 0
    back = dequantise(quantise({"conv.weight": weight}, smallest=1), torch.bfloat16)["conv.weight"]
    assert back.dtype == torch.bfloat16
    assert back.shape == weight.shape
    assert not back[3].any()
    torch.testing.assert_close(back.float(), weight, atol=0.03, rtol=0.01)


def test_a_parameter_that_is_called_scale_is_no_step() -> None:
    tensors = {"norm": torch.ones(3), "norm.scale": torch.full((3,), 7.0)}
    assert dequantise(quantise(tensors))["norm.scale"].tolist() == [7.0, 7.0, 7.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_storage_is_a_quarter_of_single_precision(dtype: torch.dtype) -> None:
    weight = torch.randn(256, 256).to(dtype)
    stored = quantise({"weight": weight})
    assert sum(tensor.nbytes for tensor in stored.values()) < weight.float().nbytes / 3.9
