"""What the published files call each tensor, and how theirs becomes ours.

One table serves reading and writing, so that what is written is what is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nonet.model.config import Seq2SeqConfig

Naming = Literal["flax-scan", "flax", "min-dalle"]
"""Flax with layers stacked in one array, Flax with a name for each layer, and min-dalle's torch files."""


@dataclass(frozen=True)
class Part:
    """One of our parameters, or a third or half of one, and where a file keeps it.

    Attributes:
        target: our name.
        source: theirs.
        block: this part is block `block[0]` of `block[1]` equal blocks of the target's rows; None is all of
        it. layer: index on the source's first axis, which then has `layers` entries. layers: as above; 0
        where there is no such axis. order: how the source's axes lie: as ours, (in, out) of a matrix, or
        (height, width, in, out).
    """

    target: str
    source: str
    block: tuple[int, int] | None = None
    layer: int | None = None
    layers: int = 0
    order: Literal["same", "matrix", "convolution"] = "same"

    def source_shape(self, target_shape: Iterable[int]) -> tuple[int, ...]:
        """The shape that the file's tensor must have."""
        shape = list(target_shape)
        if self.block is not None:
            shape[0] //= self.block[1]
        if self.order == "matrix":
            shape = shape[::-1]
        elif self.order == "convolution":
            shape = [shape[2], shape[3], shape[1], shape[0]]
        return (self.layers, *shape) if self.layer is not None else tuple(shape)

    def rows(self, target: Tensor) -> Tensor:
        """The part of our parameter, a view."""
        return target if self.block is None else target.chunk(self.block[1])[self.block[0]]

    def to_ours(self, values: Tensor) -> Tensor:
        """The file's values (of one layer) with our order of axes, a view."""
        if self.order == "matrix":
            return values.T
        return values.permute(3, 2, 0, 1) if self.order == "convolution" else values

    def to_theirs(self, values: Tensor) -> Tensor:
        """Our values with the file's order of axes, a view."""
        if self.order == "matrix":
            return values.T
        return values.permute(2, 3, 1, 0) if self.order == "convolution" else values


# Our name within a layer, block, Flax name, min-dalle name.
_LayerRow = tuple[str, tuple[int, int] | None, str, str]
_EVERY_LAYER: list[_LayerRow] = [
    ("self_attn_pre.bias", None, "LayerNorm_0.bias", "pre_self_attn_layer_norm.bias"),
    ("self_attn.qkv.weight", (0, 3), "FlaxBartAttention_0.q_proj.kernel", "self_attn.q_proj.weight"),
    ("self_attn.qkv.weight", (1, 3), "FlaxBartAttention_0.k_proj.kernel", "self_attn.k_proj.weight"),
    ("self_attn.qkv.weight", (2, 3), "FlaxBartAttention_0.v_proj.kernel", "self_attn.v_proj.weight"),
    ("self_attn.out.weight", None, "FlaxBartAttention_0.out_proj.kernel", "self_attn.out_proj.weight"),
    ("self_attn_post.weight", None, "LayerNorm_1.scale", "self_attn_layer_norm.weight"),
    ("self_attn_post.bias", None, "LayerNorm_1.bias", "self_attn_layer_norm.bias"),
    ("glu.norm_in.bias", None, "GLU_0.LayerNorm_0.bias", "glu.ln0.bias"),
    ("glu.fc_in.weight", (0, 2), "GLU_0.Dense_0.kernel", "glu.fc0.weight"),
    ("glu.fc_in.weight", (1, 2), "GLU_0.Dense_1.kernel", "glu.fc1.weight"),
    ("glu.norm_mid.bias", None, "GLU_0.LayerNorm_1.bias", "glu.ln1.bias"),
    ("glu.fc_out.weight", None, "GLU_0.Dense_2.kernel", "glu.fc2.weight"),
]
_DECODER_LAYER: list[_LayerRow] = [
    ("cross_attn_pre.bias", None, "LayerNorm_2.bias", "pre_encoder_attn_layer_norm.bias"),
    ("cross_attn.q.weight", None, "FlaxBartAttention_1.q_proj.kernel", "encoder_attn.q_proj.weight"),
    ("cross_attn.kv.weight", (0, 2), "FlaxBartAttention_1.k_proj.kernel", "encoder_attn.k_proj.weight"),
    ("cross_attn.kv.weight", (1, 2), "FlaxBartAttention_1.v_proj.kernel", "encoder_attn.v_proj.weight"),
    ("cross_attn.out.weight", None, "FlaxBartAttention_1.out_proj.kernel", "encoder_attn.out_proj.weight"),
    ("cross_attn_post.weight", None, "LayerNorm_3.scale", "encoder_attn_layer_norm.weight"),
    ("cross_attn_post.bias", None, "LayerNorm_3.bias", "encoder_attn_layer_norm.bias"),
]
# Our name on a side, Flax name, min-dalle name.
_SIDE = [
    ("embed_tokens.weight", "embed_tokens.embedding", "embed_tokens.weight"),
    ("embed_positions.weight", "embed_positions.embedding", "embed_positions.weight"),
    ("layernorm_embedding.weight", "layernorm_embedding.scale", "layernorm_embedding.weight"),
    ("layernorm_embedding.bias", "layernorm_embedding.bias", "layernorm_embedding.bias"),
    ("final_norm.bias", "final_ln.bias", "final_ln.bias"),
]


def seq2seq_parts(config: Seq2SeqConfig, naming: Naming) -> list[Part]:
    """Every parameter of `Seq2Seq`, in parts, with its name in a published file.

    Names of min-dalle's two files begin with "encoder." and "decoder.".
    """
    torch_names = naming == "min-dalle"
    head = "decoder.lm_head.weight" if torch_names else "lm_head.kernel"
    parts = [Part("decoder.lm_head.weight", head, order=_order(head))]
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for ours, flax, torch_name in _SIDE:
            source = f"{side}.{torch_name}" if torch_names else f"model.{side}.{flax}"
            parts.append(Part(f"{side}.{ours}", source))
        rows = _EVERY_LAYER + (_DECODER_LAYER if side == "decoder" else [])
        for index in range(layers):
            for ours, block, flax, torch_name in rows:
                target = f"{side}.layers.{index}.{ours}"
                if torch_names:
                    parts.append(Part(target, f"{side}.layers.{index}.{torch_name}", block))
                    continue
                kind = f"FlaxBart{side.capitalize()}Layer"
                if naming == "flax-scan":
                    source = f"model.{side}.layers.{kind}s.{flax}"
                    parts.append(Part(target, source, block, index, layers, order=_order(flax)))
                else:
                    source = f"model.{side}.layers.{kind}_{index}.{flax}"
                    parts.append(Part(target, source, block, order=_order(flax)))
    return parts


def codec_parts(targets: Iterable[str], naming: Literal["flax", "min-dalle"]) -> list[Part]:
    """Parameters of `VQGAN` with their names in the file of vqgan-jax or in min-dalle's `detoker.pt`.

    Args:
        targets: our names, for `detoker.pt` only those of the decoding half.
    """
    parts: list[Part] = []
    for target in targets:
        if naming == "min-dalle":
            parts.append(Part(target, target.removeprefix("quantize.")))
            continue
        stem, _, leaf = target.rpartition(".")
        stem = re.sub(r"\.(down|up|block|attn)\.(\d+)", r".\1_\2", stem)
        last = stem.rpartition(".")[2]
        if target == "quantize.embedding.weight":
            parts.append(Part(target, "quantize.embedding.embedding"))
        elif leaf == "bias":
            parts.append(Part(target, f"{stem}.bias"))
        elif last.startswith("norm"):
            parts.append(Part(target, f"{stem}.scale"))
        else:
            parts.append(Part(target, f"{stem}.kernel", order="convolution"))
    return parts


def same_parts(targets: Iterable[str]) -> list[Part]:
    """Parameters that a file keeps under our own names."""
    return [Part(target, target) for target in targets]


def flax_naming(names: Iterable[str]) -> Naming:
    """Whether the layers of a Flax file are stacked or have names of their own."""
    return "flax" if any(re.search(r"\.FlaxBart(En|De)coderLayer_\d+\.", n) for n in names) else "flax-scan"


def decoding_half(targets: Iterable[str]) -> list[str]:
    """The parameters of `VQGAN` that turn tokens into pixels."""
    return [t for t in targets if t.startswith(("quantize.", "post_quant_conv.", "decoder."))]


def _order(name: str) -> Literal["same", "matrix"]:
    return "matrix" if name.endswith("kernel") else "same"


def gathered(parts: Iterable[Part], state: dict[str, Tensor], dtype: torch.dtype) -> dict[str, list[Tensor]]:
    """For writing: each published name with its tensors, one a layer where it is stacked."""
    found: dict[str, list[Tensor]] = {}
    for part in parts:
        values = part.to_theirs(part.rows(state[part.target]))
        found.setdefault(part.source, []).append(values.to(dtype) if values.is_floating_point() else values)
    return found
