"""CLIP: one network that places pictures and captions in one space (Radford et al. 2021, arXiv 2103.00020).

For ranking what models without a judge of their own have drawn, as the original ranked its pictures. Layout and names
are those of the published `model.safetensors` files, so that these fill the network as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nonet.errors import NonetError

# Mean and spread of the pictures that CLIP was trained with.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_SPREAD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """One of the two transformers, by the names of a published `config.json`."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int = 12
    num_attention_heads: int
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.hidden_act not in ("quick_gelu", "gelu"):
            raise _invalid(f"hidden_act is {self.hidden_act!r}, but must be 'quick_gelu' or 'gelu'")
        for field in fields(TowerConfig):
            value = getattr(self, field.name)
            if field.type == "int" and (not isinstance(value, int) or value < 1):
                raise _invalid(f"{field.name} is {value!r}, but must be a whole number above 0")
        if self.hidden_size % self.num_attention_heads:
            raise _invalid(f"{self.hidden_size} does not divide into {self.num_attention_heads} heads")


@dataclass(frozen=True, kw_only=True)
class TextConfig(TowerConfig):
    """The tower that reads captions."""

    hidden_size: int = 512
    intermediate_size: int = 2048
    num_attention_heads: int = 8
    vocab_size: int = 49408
    max_position_embeddings: int = 77


@dataclass(frozen=True, kw_only=True)
class VisionConfig(TowerConfig):
    """The tower that sees pictures."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 32


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """The defaults are those that published files leave out: ViT-B/32."""

    text: TextConfig
    vision: VisionConfig
    projection_dim: int = 512

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CLIPConfig:
        """Read a published `config.json`.

        Raises:
            NonetError: `config_invalid`.
        """
        if values.get("model_type") != "clip":
            raise _invalid(f"model_type is {values.get('model_type')!r}, but must be 'clip'")

        def tower(key: str, kind: type[TowerConfig]) -> dict[str, Any]:
            given = values.get(key) or {}
            if not isinstance(given, Mapping):
                raise _invalid(f"{key} is no table")
            known = {field.name for field in fields(kind)}
            return {name: value for name, value in given.items() if name in known}

        width = values.get("projection_dim", 512)
        if not isinstance(width, int) or width < 1:
            raise _invalid(f"projection_dim is {width!r}")
        text = TextConfig(**tower("text_config", TextConfig))
        return cls(
            text=text, vision=VisionConfig(**tower("vision_config", VisionConfig)), projection_dim=width
        )


class _Attention(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(size, size) for _ in range(4))

    def forward(self, x_BTD: Tensor, *, causal: bool) -> Tensor:
        B, T, D = x_BTD.shape
        parts = (p(x_BTD) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k, v = (part.view(B, T, self.heads, D // self.heads).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(seen.transpose(1, 2).reshape(B, T, D))  # type: ignore[no-any-return]


class _Feed(nn.Module):
    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.quick = config.hidden_act == "quick_gelu"
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x))  # type: ignore[no-any-return]


class _Layer(nn.Module):
    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config.hidden_size, config.num_attention_heads)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = _Feed(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor, *, causal: bool) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x), causal=causal)
        return x + self.mlp(self.layer_norm2(x))  # type: ignore[no-any-return]


class _Layers(nn.Module):
    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, *, causal: bool) -> Tensor:
        for layer in self.layers:
            x = layer(x, causal=causal)
        return x


class _TextEmbeddings(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, ids_BT: Tensor) -> Tensor:
        return self.token_embedding(ids_BT) + self.position_embedding.weight[: ids_BT.shape[1]]  # type: ignore[no-any-return]


class _TextTower(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.embeddings = _TextEmbeddings(config)
        self.encoder = _Layers(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, ids_BT: Tensor) -> Tensor:
        return self.final_layer_norm(self.encoder(self.embeddings(ids_BT), causal=True))  # type: ignore[no-any-return]


class _VisionEmbeddings(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        size, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(size))
        self.patch_embedding = nn.Conv2d(3, size, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding((config.image_size // patch) ** 2 + 1, size)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        patches_BPD = self.patch_embedding(x_BCHW).flatten(2).transpose(1, 2)
        first_B1D = self.class_embedding.expand(len(x_BCHW), 1, -1)
        return torch.cat([first_B1D, patches_BPD], 1) + self.position_embedding.weight


class _VisionTower(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = _VisionEmbeddings(config)
        # Spelt so in the published files.
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.encoder = _Layers(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x = self.encoder(self.pre_layrnorm(self.embeddings(x_BCHW)), causal=False)
        return self.post_layernorm(x[:, 0])  # type: ignore[no-any-return]


class CLIP(nn.Module):
    """Pictures and captions to points of one space; near is alike."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.text_model = _TextTower(config.text)
        self.vision_model = _VisionTower(config.vision)
        self.visual_projection = nn.Linear(config.vision.hidden_size, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(config.text.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))

    def see(self, pixels_BHWC: Tensor) -> Tensor:
        """Normalised embeddings (B, projection_dim) of square pixels in [0, 1]."""
        side = self.config.vision.image_size
        x_BCHW = pixels_BHWC.permute(0, 3, 1, 2)
        if x_BCHW.shape[-1] != side:
            x_BCHW = F.interpolate(x_BCHW, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)
        mean, spread = (torch.tensor(v, device=x_BCHW.device)[:, None, None] for v in (_MEAN, _SPREAD))
        return F.normalize(self.visual_projection(self.vision_model((x_BCHW - mean) / spread)), dim=-1)

    def read(self, ids_BT: Tensor, last_B: Tensor) -> Tensor:
        """Normalised embeddings (B, projection_dim) of captions.

        Args:
            ids_BT: token ids with the opening and the closing token; what comes after is not looked at.
            last_B: where the closing token stands.
        """
        states_BTD = self.text_model(ids_BT)
        closing_BD = states_BTD[torch.arange(len(ids_BT), device=ids_BT.device), last_B]
        return F.normalize(self.text_projection(closing_BD), dim=-1)


def _invalid(reason: str) -> NonetError:
    return NonetError("config_invalid", f"CLIP's config.json cannot be used: {reason}.")
