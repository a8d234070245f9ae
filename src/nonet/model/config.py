"""The shape of a text-to-tokens model, read from the published `config.json` or from ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

from nonet.errors import NonetError

TextEncoderKind = Literal["bart", "minilm"]

# Options of the original's configuration class that change the network. Only the values that the published
# Mini and Mega use are built; a checkpoint that asks for another must not load where it is ignored.
_FIXED: dict[str, Any] = {
    "activation_function": "gelu",
    "ln_positions": "normformer",
    "ln_type": "layernorm",
    "use_glu": True,
    "use_bias": False,
    "use_alibi": False,
    "use_head_scale": False,
    "use_cosine_attention": False,
    "use_deepnet_scaling": False,
    "use_swin_position_embeddings": False,
    "use_absolute_position_embeddings": True,
    "use_final_ln_encoder": True,
    "use_final_ln_decoder": True,
    "force_ln_scale": False,
    "scale_embedding": False,
    "sinkhorn_iters": 1,
    "tie_word_embeddings": False,
    "is_encoder_decoder": True,
}
_MODEL_TYPES = ("dallebart", "nonet")
_OPTIONAL = ("context_dim",)


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """Sizes and ids of a seq2seq; field names are the published file's.

    Dropouts, layer drop, gradient checkpointing, `use_scan` and `tau_init` of a published file change only
    training or storage and are not kept.

    Attributes:
        encoder_vocab_size: rows of the text embedding.
        image_vocab_size: the image embedding and the output have one row more than this.
        decoder_start_token_id: the id fed at position 0; ids below it are the codebook's.
        max_text_length: text positions.
        image_length: image tokens of a picture.
        normalize_text: whether prompts pass `TextNormalizer` before the tokenizer.
        text_encoder: `bart` is trained with the decoder and is part of the weights; `minilm` is frozen and
            apart.
        context_dim: width of the states that the decoder attends to, where it is not `d_model`; a projection
            and a layer norm then stand before the decoder.
        memory_slots: remembered pictures that the decoder takes as a hint; 0 is none.
        memory_copies: whether the decoder may also point at a remembered token instead of naming it.
    """

    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    encoder_vocab_size: int
    image_vocab_size: int
    decoder_start_token_id: int
    max_text_length: int = 64
    image_length: int = 256
    normalize_text: bool = False
    init_std: float = 0.02
    text_encoder: TextEncoderKind = "bart"
    context_dim: int | None = None
    memory_slots: int = 0
    memory_copies: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _check_type(name, value)
        if self.text_encoder not in ("bart", "minilm"):
            raise _invalid(f"text_encoder is {self.text_encoder!r}, but must be 'bart' or 'minilm'")
        positive = ["d_model", "decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"]
        positive += ["image_vocab_size", "max_text_length", "image_length"]
        if self.text_encoder == "bart":
            positive += ["encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "encoder_vocab_size"]
        for name in positive:
            if getattr(self, name) < 1:
                raise _invalid(f"{name} is {getattr(self, name)}, but must be at least 1")
        sides = ("encoder", "decoder") if self.text_encoder == "bart" else ("decoder",)
        for side in sides:
            heads = getattr(self, f"{side}_attention_heads")
            if self.d_model % heads:
                raise _invalid(f"d_model {self.d_model} does not divide into {heads} {side}_attention_heads")
        if not 1 <= self.decoder_start_token_id <= self.image_vocab_size:
            raise _invalid(
                f"decoder_start_token_id {self.decoder_start_token_id} lies outside the"
                f" {self.image_vocab_size + 1} rows of the image embedding"
            )
        if self.context_dim is not None and self.context_dim < 1:
            raise _invalid(f"context_dim is {self.context_dim}, but must be at least 1")
        if self.text_encoder == "bart" and self.context_dim not in (None, self.d_model):
            raise _invalid("context_dim differs from d_model, which the text encoder 'bart' does not allow")
        if self.memory_slots < 0:
            raise _invalid(f"memory_slots is {self.memory_slots}, but must not be negative")
        if self.memory_copies and not self.memory_slots:
            raise _invalid("memory_copies is true, but memory_slots is 0")

    @property
    def codebook_size(self) -> int:
        """Image tokens that a codec knows; columns from here on are never sampled."""
        return self.decoder_start_token_id

    @property
    def output_size(self) -> int:
        """Columns of the logits and rows of the image embedding."""
        return self.image_vocab_size + 1

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Seq2SeqConfig:
        """Read the keys of a `config.json`; keys that say nothing about the network are left out.

        Raises:
            NonetError: `config_invalid`, naming the key, for a missing or wrong size, a contradiction, or
                an option for which no network is built here.
        """
        kind = values.get("model_type", "dallebart")
        if kind not in _MODEL_TYPES:
            raise _invalid(f"model_type is {kind!r}, but only {' and '.join(_MODEL_TYPES)} are read")
        for name, expected in _FIXED.items():
            given = values.get(name, expected)
            if given != expected or isinstance(given, bool) is not isinstance(expected, bool):
                raise _invalid(
                    f"{name} is {given!r}, but only {expected!r}, as in Mini and Mega, is supported"
                )
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        missing = [f.name for f in fields(cls) if f.name not in known and f.default is MISSING]
        if missing:
            raise _invalid(f"{', '.join(missing)} is missing")
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """The values for a `config.json` that `from_dict` reads back."""
        return {"model_type": "nonet", **asdict(self)}

    def to_published(self) -> dict[str, Any]:
        """The values for a `config.json` as the original writes it.

        Raises:
            NonetError: `config_invalid` for what the original's network cannot be.
        """
        if self.text_encoder != "bart" or self.memory_slots or self.context_dim is not None:
            raise NonetError(
                "config_invalid",
                "A model with a frozen text encoder or a picture memory cannot be kept in a published format.",
                "Keep it in our own format.",
            )
        ours = ("text_encoder", "context_dim", "memory_slots", "memory_copies")
        sizes = {name: value for name, value in asdict(self).items() if name not in ours}
        beyond = self.decoder_start_token_id + 1
        ids = {"bos_token_id": beyond, "eos_token_id": beyond, "pad_token_id": beyond}
        length = self.image_length + 1
        more = {"max_length": length, "min_length": length, "use_cache": True, "do_sample": True}
        return {"model_type": "dallebart", "architectures": ["eBart"], **_FIXED, **sizes, **ids, **more}


def _check_type(name: str, value: Any) -> None:
    wanted = Seq2SeqConfig.__dataclass_fields__[name].type
    if name in _OPTIONAL and value is None:
        return
    if wanted == "bool":
        right = isinstance(value, bool)
    elif wanted == "float":
        right = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value < float("inf")
    elif str(wanted).startswith("int"):
        right = isinstance(value, int) and not isinstance(value, bool)
    else:
        right = isinstance(value, str)
    if not right:
        raise _invalid(f"{name} is {value!r}, which is no {wanted}")


def _invalid(reason: str) -> NonetError:
    return NonetError("config_invalid", f"The model's config.json cannot be used: {reason}.")
