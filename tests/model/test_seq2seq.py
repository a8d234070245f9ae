"""The seq2seq against states and logits of the reference implementation (JAX) with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nonet.checkpoints import Model, load
from nonet.model.config import Seq2SeqConfig
from nonet.model.seq2seq import Seq2Seq

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "dalle-mini-small"


@pytest.fixture(scope="module")
def model() -> Model:
    return load(GOLDEN / "dalle", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    with np.load(GOLDEN / "expected.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def test_encoder_states(model: Model, expected: dict[str, Tensor]) -> None:
    states = model.text.states(expected["input_ids"].long(), expected["attention_mask"])
    torch.testing.assert_close(states, expected["encoder_last_hidden_state"], atol=1e-4, rtol=0)


def test_logits_of_tensors_and_of_arrays(model: Model, expected: dict[str, Tensor]) -> None:
    inputs = [expected[key] for key in ("input_ids", "attention_mask", "decoder_input_ids")]
    torch.testing.assert_close(model.logits(*inputs), expected["logits"], atol=1e-4, rtol=0)
    arrays = [tensor.numpy() for tensor in inputs]
    torch.testing.assert_close(model.logits(*arrays), expected["logits"], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_steps_give_the_logits_of_the_whole(model: Model, expected: dict[str, Tensor]) -> None:
    decoder = model.decoder
    cross_kv = decoder.cross_keys_values(expected["encoder_last_hidden_state"])
    cache = decoder.new_cache(3)
    mask = expected["attention_mask"].bool()
    tokens_BT = expected["decoder_input_ids"].long()
    steps = [decoder.step(tokens_BT[:, t], t, cache, cross_kv, mask) for t in range(64)]
    torch.testing.assert_close(torch.stack(steps, 1), expected["logits"][:, :64], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_rows_may_share_a_context(model: Model, expected: dict[str, Tensor]) -> None:
    decoder = model.decoder
    states, mask = expected["encoder_last_hidden_state"][:2], expected["attention_mask"][:2].bool()
    shared, alone = decoder.new_cache(4), decoder.new_cache(4)
    cross_kv = decoder.cross_keys_values(states)
    repeated = decoder.cross_keys_values(states.repeat_interleave(2, 0))
    tokens_BT = torch.randint(0, 256, (4, 5), generator=torch.Generator().manual_seed(0))
    for t in range(5):
        one = decoder.step(tokens_BT[:, t], t, shared, cross_kv, mask)
        other = decoder.step(tokens_BT[:, t], t, alone, repeated, mask.repeat_interleave(2, 0))
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def own_config(**changes: float | str | None) -> Seq2SeqConfig:
    sizes: dict[str, int] = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 2}
    sizes |= {
        "encoder_layers": 0,
        "encoder_attention_heads": 0,
        "encoder_ffn_dim": 0,
        "encoder_vocab_size": 0,
    }
    sizes |= {"decoder_ffn_dim": 40, "image_vocab_size": 20, "decoder_start_token_id": 20, "image_length": 16}
    own = {"text_encoder": "minilm", "context_dim": 12, "memory_slots": 2}
    return Seq2SeqConfig.from_dict(sizes | own | changes)


def test_the_hint_reaches_its_position_and_those_after_it() -> None:
    decoder = Seq2Seq(own_config(init_std=1)).reset(torch.Generator().manual_seed(0)).decoder
    tokens_BT = torch.randint(0, 20, (1, 16), generator=torch.Generator().manual_seed(1))
    context = torch.randn(1, 3, 12, generator=torch.Generator().manual_seed(2))
    hint = decoder.memory_hint(torch.full((1, 2, 16), 20))
    assert hint.shape == (1, 16, 32)
    changed = hint.clone()
    changed[:, 7] += torch.linspace(-3, 3, 32)
    before, after = (decoder(tokens_BT, context, None, h)[0] for h in (hint, changed))
    torch.testing.assert_close(before[:7], after[:7])
    assert ((before[7:] - after[7:]).abs().amax(-1) > 1e-4).all()


def test_a_remembered_token_reaches_its_place_and_its_neighbours() -> None:
    decoder = Seq2Seq(own_config()).reset(torch.Generator().manual_seed(0)).decoder
    memory = torch.full((1, 2, 16), 20)
    changed = memory.clone()
    changed[0, 1, 5] = 3
    moved = (decoder.memory_hint(memory) - decoder.memory_hint(changed)).abs().amax(-1)[0].view(4, 4) > 0
    # Two 3x3 convolutions see two cells around row 1, column 1.
    assert moved.all()
    with pytest.raises(ValueError, match="2 remembered pictures"):
        decoder.memory_hint(memory[:, :1])


def test_gradients_reach_every_parameter_of_the_decoder() -> None:
    decoder = Seq2Seq(own_config()).reset(torch.Generator().manual_seed(0)).decoder
    tokens_BT = torch.randint(0, 20, (2, 16), generator=torch.Generator().manual_seed(1))
    context = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(2))
    hint = decoder.memory_hint(tokens_BT[:, None].repeat(1, 2, 1))
    decoder(tokens_BT, context, torch.ones(2, 3), hint).square().mean().backward()
    silent = [n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_a_decoder_without_memory_takes_none() -> None:
    decoder = Seq2Seq(own_config(memory_slots=0)).decoder
    with pytest.raises(ValueError, match="no memory"):
        decoder.memory_hint(torch.zeros(1, 2, 16, dtype=torch.int64))
    model = Seq2Seq(own_config())
    with pytest.raises(ValueError, match="apart"):
        model(torch.zeros(1, 2), torch.ones(1, 2), torch.zeros(1, 2))


def test_fresh_weights_have_the_configs_spread() -> None:
    model = Seq2Seq(own_config(init_std=0.05)).reset(torch.Generator().manual_seed(0))
    weight = model.decoder.lm_head.weight
    assert 0.04 < float(weight.detach().std()) < 0.06
    again = Seq2Seq(own_config(init_std=0.05)).reset(torch.Generator().manual_seed(0))
    assert torch.equal(weight, again.decoder.lm_head.weight)
