"""all-MiniLM-L6-v2, the frozen sentence encoder that reads prompts for the embedded model.

Method: BERT (arXiv 1810.04805) distilled as MiniLM (arXiv 2002.10957) and tuned for sentence similarity by
the sentence-transformers project (arXiv 1908.10084).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nonet.errors import NonetError

EPS = 1e-12


@dataclass(frozen=True)
class MiniLMConfig:
    """Sizes; the defaults are all-MiniLM-L6-v2's."""

    vocab_size: int = 30522
    width: int = 384
    layers: int = 6
    heads: int = 12
    hidden: int = 1536
    positions: int = 512

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise NonetError(
                    "config_invalid", f"The text encoder's {name} is {value!r}, no positive number."
                )
        if self.width % self.heads:
            reason = f"The text encoder's width {self.width} does not divide into {self.heads} heads."
            raise NonetError("config_invalid", reason)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MiniLMConfig:
        """Read our own values or the `config.json` of a published BERT; other keys are passed over."""
        published = {
            "vocab_size": "vocab_size",
            "hidden_size": "width",
            "num_hidden_layers": "layers",
            "num_attention_heads": "heads",
            "intermediate_size": "hidden",
            "max_position_embeddings": "positions",
        }
        named = {published.get(key, key): value for key, value in values.items()}
        return cls(**{key: named[key] for key in cls.__dataclass_fields__ if key in named})

    def to_dict(self) -> dict[str, int]:
        """Values for a `config.json`."""
        return asdict(self)


class BertLayer(nn.Module):
    """Self-attention and feed-forward, each followed by the norm of its sum with the input."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.norm_attn = nn.LayerNorm(config.width, EPS)
        self.fc_in = nn.Linear(config.width, config.hidden)
        self.fc_out = nn.Linear(config.hidden, config.width)
        self.norm_out = nn.LayerNorm(config.width, EPS)

    def forward(self, x: Tensor, mask_B11S: Tensor) -> Tensor:
        B, S, D = x.shape
        q, k, v = self.qkv(x).view(B, S, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11S)
        x = self.norm_attn(x + self.out(h.transpose(1, 2).reshape(B, S, D)))
        return self.norm_out(x + self.fc_out(F.gelu(self.fc_in(x))))  # type: ignore[no-any-return]


class MiniLM(nn.Module):
    """Token ids to a state per token; frozen, as it is never trained here."""

    def __init__(self, config: MiniLMConfig | None = None) -> None:
        super().__init__()
        config = config or MiniLMConfig()
        self.config = config
        self.words = nn.Embedding(config.vocab_size, config.width)
        # The second kind of sentence is never used, so its embedding is folded into the positions on loading.
        self.positions = nn.Embedding(config.positions, config.width)
        self.norm = nn.LayerNorm(config.width, EPS)
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(config.layers))
        self.requires_grad_(False)
        self.eval()

    def forward(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """States (B, S, width) of int64 ids (B, S); `mask_BS` is True (or 1) at tokens."""
        x = self.norm(self.words(ids_BS) + self.positions.weight[: ids_BS.shape[1]])
        mask_B11S = mask_BS.bool()[:, None, None, :]
        for layer in cast("Iterable[BertLayer]", self.layers):
            x = layer(x, mask_B11S)
        return x  # type: ignore[no-any-return]


def mean_pool(states_BSD: Tensor, mask_BS: Tensor) -> Tensor:
    """Sentence embeddings: the mean of the states at tokens, at length 1. Returns (B, D)."""
    weight_BS1 = mask_BS.to(states_BSD.dtype).unsqueeze(-1)
    mean_BD = (states_BSD * weight_BS1).sum(1) / weight_BS1.sum(1).clamp(min=1)
    return F.normalize(mean_BD, dim=-1)


def from_bert(tensors: Mapping[str, Tensor], config: MiniLMConfig) -> dict[str, Tensor]:
    """Rename the tensors of a published BERT encoder to those of `MiniLM`.

    Raises:
        NonetError: `weights_corrupt`, naming a tensor that is missing.
    """

    def take(name: str) -> Tensor:
        if name not in tensors:
            raise NonetError("weights_corrupt", f"The text encoder's weights have no tensor {name}.")
        return tensors[name]

    state = {"words.weight": take("embeddings.word_embeddings.weight")}
    kind = take("embeddings.token_type_embeddings.weight")[0]
    state["positions.weight"] = take("embeddings.position_embeddings.weight") + kind
    parts = {"norm": "embeddings.LayerNorm"}
    for index in range(config.layers):
        theirs, ours = f"encoder.layer.{index}.", f"layers.{index}."
        for kind_of in ("weight", "bias"):
            qkv = [take(f"{theirs}attention.self.{p}.{kind_of}") for p in ("query", "key", "value")]
            state[f"{ours}qkv.{kind_of}"] = torch.cat(qkv)
        parts |= {
            f"{ours}out": f"{theirs}attention.output.dense",
            f"{ours}norm_attn": f"{theirs}attention.output.LayerNorm",
            f"{ours}fc_in": f"{theirs}intermediate.dense",
            f"{ours}fc_out": f"{theirs}output.dense",
            f"{ours}norm_out": f"{theirs}output.LayerNorm",
        }
    for our_name, their_name in parts.items():
        for kind_of in ("weight", "bias"):
            state[f"{our_name}.{kind_of}"] = take(f"{their_name}.{kind_of}")
    return state
