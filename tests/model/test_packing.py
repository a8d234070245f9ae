"""Weights that are kept rounded to bytes: how near they come, and that rows stay apart."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from nonet.model import packing
from nonet.model.config import Seq2SeqConfig
from nonet.model.layers import Projection
from nonet.model.packing import Bytes, Halves, Own
from nonet.model.seq2seq import ImageDecoder, Seq2Seq

needs_bytes = pytest.mark.skipif(
    not packing.multiplies_bytes(), reason="this processor has no products of integers of eight bits"
)


def weight(outputs: int = 70, inputs: int = 300) -> Tensor:
    return torch.randn(outputs, inputs, generator=torch.manual_seed(1))


@needs_bytes
@torch.inference_mode()
def test_products_of_bytes_are_products_of_what_was_rounded() -> None:
    exact_NK, x = weight(), torch.randn(18, 300, generator=torch.manual_seed(2))
    packed = Bytes(exact_NK)
    rounded_NK = packed.weight()
    # Half a step of each output's largest weight, at most.
    assert bool(((rounded_NK - exact_NK).abs() <= exact_NK.abs().amax(1, keepdim=True) / 253).all())
    assert len(set(rounded_NK[0].tolist())) <= 255
    largest_M1 = x.abs().amax(1, keepdim=True)
    integers = (x / largest_M1 * 127).round()
    torch.testing.assert_close(packed(x), integers @ rounded_NK.T * largest_M1 / 127, atol=1e-3, rtol=1e-4)
    error = (packed(x) - x @ exact_NK.T).norm() / (x @ exact_NK.T).norm()
    assert 0.001 < float(error) < 0.02


@needs_bytes
@torch.inference_mode()
def test_a_row_of_bytes_has_the_same_bits_whatever_rows_there_are() -> None:
    packed, x = Bytes(weight()), torch.randn(40, 300)
    x[7] *= 1000
    products = packed(x)
    assert all(torch.equal(packed(x[:n]), products[:n]) for n in range(1, 40))
    assert torch.equal(packed(x.view(2, 20, 300)), products.view(2, 20, 70))


@needs_bytes
@torch.inference_mode()
def test_nothing_stays_nothing_and_what_is_not_finite_stays_so() -> None:
    packed, x = Bytes(torch.cat([weight(), torch.zeros(1, 300)])), torch.randn(4, 300)
    x[0] = 0
    x[1, 5] = float("nan")
    x[2, 6] = float("inf")
    products = packed(x)
    assert products[0].tolist() == [0.0] * 71
    assert not products[1:3, :70].isfinite().any()
    assert products[3].isfinite().all()
    assert float(products[3, 70]) == 0


@needs_bytes
def test_a_projection_of_bytes_comes_back() -> None:
    projection = Projection(300, 70)
    projection.weight.data = weight()
    projection.pack("int8", release=True)
    assert projection.weight.is_meta
    rounded_NK = Bytes(weight()).weight()
    assert torch.equal(copy.deepcopy(projection).weight, rounded_NK)
    # A second time nothing is lost.
    projection.pack("int8")
    assert projection._packed is not None
    torch.testing.assert_close(projection._packed.weight(), rounded_NK, atol=1e-6, rtol=0)


@needs_bytes
def test_what_is_read_at_each_step_is_rounded_most() -> None:
    config = {
        "d_model": 64,
        **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
        **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
        **{f"{side}_ffn_dim": 80 for side in ("encoder", "decoder")},
        "encoder_vocab_size": 50,
        "image_vocab_size": 37,
        "decoder_start_token_id": 37,
    }
    decoder: ImageDecoder = Seq2Seq(Seq2SeqConfig.from_dict(config)).decoder
    decoder.weights_as = "int8"
    decoder.pack()
    kinds = {name: m._packed for name, m in decoder.named_modules() if isinstance(m, Projection)}
    coarse = {name for name, packed in kinds.items() if isinstance(packed, Bytes)}
    assert {name for name in kinds if name not in coarse} == {
        "lm_head",
        "layers.0.cross_attn.kv",
        "layers.1.cross_attn.kv",
    }
    assert isinstance(kinds["lm_head"], Halves | Own)


def test_what_a_processor_cannot_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not packing.multiplies_bytes()
    assert not isinstance(packing.pack(weight(), "int8"), Bytes)
    assert packing.pack(torch.empty(3, 5, device="meta"), "int8") is None
