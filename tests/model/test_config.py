from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nonet.errors import NonetError
from nonet.model.config import Seq2SeqConfig

PUBLISHED: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data/golden/dalle-mini-small/dalle/config.json").read_text()
)


def test_a_published_config_is_read() -> None:
    config = Seq2SeqConfig.from_dict(PUBLISHED)
    assert (config.d_model, config.decoder_layers, config.decoder_ffn_dim) == (96, 3, 130)
    assert config.codebook_size == 256
    assert config.output_size == 257
    assert config.normalize_text


def test_our_own_values_come_back() -> None:
    sizes = {"encoder_layers": 0, "encoder_attention_heads": 0, "encoder_ffn_dim": 0}
    config = Seq2SeqConfig.from_dict(
        PUBLISHED | sizes | {"text_encoder": "minilm", "context_dim": 384, "memory_slots": 4}
    )
    assert Seq2SeqConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.context_dim == 384


@pytest.mark.parametrize(
    "change",
    [
        {"ln_positions": "swinv2"},
        {"ln_type": "rmsnorm"},
        {"use_glu": False},
        {"use_bias": True},
        {"use_alibi": True},
        {"use_head_scale": True},
        {"use_cosine_attention": True},
        {"use_deepnet_scaling": True},
        {"use_swin_position_embeddings": True},
        {"use_absolute_position_embeddings": False},
        {"use_final_ln_encoder": False},
        {"use_final_ln_decoder": False},
        {"force_ln_scale": True},
        {"scale_embedding": True},
        {"sinkhorn_iters": 3},
        {"tie_word_embeddings": True},
        {"activation_function": "smelu"},
        {"model_type": "bart"},
        {"use_glu": 1},
        {"d_model": 97},
        {"d_model": "96"},
        {"d_model": True},
        {"decoder_layers": 0},
        {"decoder_start_token_id": 257},
        {"decoder_start_token_id": 0},
        {"normalize_text": 1},
        {"init_std": float("nan")},
        {"text_encoder": "clip"},
        {"context_dim": 12},
        {"memory_slots": -1},
        {"encoder_vocab_size": None},
    ],
    ids=str,
)
def test_what_is_not_built_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(NonetError, match=next(iter(change))) as caught:
        Seq2SeqConfig.from_dict(PUBLISHED | change)
    assert caught.value.code == "config_invalid"


def test_missing_sizes_are_all_named() -> None:
    short = {key: value for key, value in PUBLISHED.items() if key not in ("d_model", "image_vocab_size")}
    with pytest.raises(NonetError, match="d_model, image_vocab_size is missing"):
        Seq2SeqConfig.from_dict(short)


def test_what_only_training_reads_is_passed_over() -> None:
    other = {"dropout": 0.1, "use_scan": False, "gradient_checkpointing": True, "tau_init": 1.0, "new_key": 3}
    assert Seq2SeqConfig.from_dict(PUBLISHED | other) == Seq2SeqConfig.from_dict(PUBLISHED)
