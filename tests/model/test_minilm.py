"""MiniLM against states of transformers' BertModel with the same random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nonet.errors import NonetError
from nonet.model.minilm import MiniLM, MiniLMConfig, from_bert, mean_pool

TINY = Path(__file__).parent.parent / "data" / "minilm" / "tiny.safetensors"
CONFIG = MiniLMConfig(vocab_size=40, width=32, layers=2, heads=4, hidden=48, positions=16)


def test_states_are_those_of_bert() -> None:
    tensors = load_file(TINY)
    model = MiniLM(CONFIG)
    model.load_state_dict(from_bert(tensors, CONFIG))
    mask_BS = tensors["expected.mask"].bool()
    states_BSD = model(tensors["expected.ids"], mask_BS)
    torch.testing.assert_close(states_BSD[mask_BS], tensors["expected.states"][mask_BS], atol=1e-4, rtol=0)


def test_padding_does_not_change_the_states() -> None:
    tensors = load_file(TINY)
    model = MiniLM(CONFIG)
    model.load_state_dict(from_bert(tensors, CONFIG))
    ids, mask = tensors["expected.ids"][1:2], tensors["expected.mask"][1:2]
    short = model(ids[:, :4], mask[:, :4])
    torch.testing.assert_close(model(ids, mask)[:, :4], short)


def test_a_published_config_is_read() -> None:
    published = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 40}
    published |= {"intermediate_size": 48, "max_position_embeddings": 16, "layer_norm_eps": 1}
    assert MiniLMConfig.from_dict(published) == CONFIG
    assert MiniLMConfig.from_dict(CONFIG.to_dict()) == CONFIG


@pytest.mark.parametrize("wrong", [{"heads": 5}, {"layers": 0}, {"width": "32"}])
def test_wrong_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(NonetError, match=next(iter(wrong))) as caught:
        MiniLMConfig(**wrong)
    assert caught.value.code == "config_invalid"


def test_a_missing_tensor_is_named() -> None:
    tensors = load_file(TINY)
    del tensors["encoder.layer.1.output.dense.bias"]
    with pytest.raises(NonetError, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        from_bert(tensors, CONFIG)


def test_sentence_embeddings_are_unit_means_over_tokens() -> None:
    states_BSD = torch.tensor([[[3.0, 0.0], [3.0, 8.0], [99.0, 99.0]]])
    pooled = mean_pool(states_BSD, torch.tensor([[1, 1, 0]]))
    torch.testing.assert_close(pooled, torch.tensor([[0.6, 0.8]]))


def test_it_is_frozen() -> None:
    assert not any(parameter.requires_grad for parameter in MiniLM(CONFIG).parameters())
