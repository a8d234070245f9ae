"""The seq2seq of DALL-E Mini: a text encoder and an image decoder, from scratch in torch.

Method: NormFormer (arXiv 2110.09456) with gated feed-forwards (arXiv 2002.05202), as the published models use
them: norms without scale before each branch, norms with scale after attention, learned positions from 0, no
bias in any projection, three untied matrices for text tokens, image tokens and output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nonet.model.cache import KVCache
from nonet.model.config import Seq2SeqConfig
from nonet.model.hint import MemoryHint
from nonet.model.layers import (
    GLU,
    BiasNorm,
    CrossAttention,
    Projection,
    ScaleNorm,
    SelfAttention,
    init_normal,
)

CrossKV = list[tuple[Tensor, Tensor]]


class EncoderLayer(nn.Module):
    """Self-attention and gated feed-forward over text states."""

    def __init__(self, size: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn_pre = BiasNorm(size)
        self.self_attn = SelfAttention(size, heads)
        self.self_attn_post = ScaleNorm(size)
        self.glu = GLU(size, hidden)

    def forward(self, x: Tensor, mask_BS: Tensor) -> Tensor:
        x = x + self.self_attn_post(self.self_attn(self.self_attn_pre(x), mask_BS))
        return x + self.glu(x)  # type: ignore[no-any-return]


class TextEncoder(nn.Module):
    """Text token ids to states, the side that Mini and Mega train with the decoder."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        size = config.d_model
        self.embed_tokens = nn.Embedding(config.encoder_vocab_size, size)
        self.embed_positions = nn.Embedding(config.max_text_length, size)
        self.layernorm_embedding = ScaleNorm(size)
        self.layers = nn.ModuleList(
            EncoderLayer(size, config.encoder_attention_heads, config.encoder_ffn_dim)
            for _ in range(config.encoder_layers)
        )
        self.final_norm = BiasNorm(size)

    def forward(self, ids_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """States of text tokens.

        Args:
            ids_BS: int64 token ids, at most `max_text_length` a row.
            mask_BS: True (or 1) at tokens, False at padding; a row needs at least one token.

        Returns:
            (B, S, d_model).
        """
        mask_BS = mask_BS.bool()
        x = self.embed_tokens(ids_BS) + self.embed_positions.weight[: ids_BS.shape[1]]
        x = self.layernorm_embedding(x)
        for layer in self.layers:
            x = layer(x, mask_BS)
        states: Tensor = self.final_norm(x)
        return states


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the context, gated feed-forward."""

    def __init__(self, size: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn_pre = BiasNorm(size)
        self.self_attn = SelfAttention(size, heads)
        self.self_attn_post = ScaleNorm(size)
        self.cross_attn_pre = BiasNorm(size)
        self.cross_attn = CrossAttention(size, heads)
        self.cross_attn_post = ScaleNorm(size)
        self.glu = GLU(size, hidden)

    def forward(self, x: Tensor, kv: tuple[Tensor, Tensor], mask_BS: Tensor | None) -> Tensor:
        x = x + self.self_attn_post(self.self_attn(self.self_attn_pre(x), causal=True))
        x = x + self.cross_attn_post(self.cross_attn(self.cross_attn_pre(x), kv, mask_BS))
        return x + self.glu(x)  # type: ignore[no-any-return]


class ImageDecoder(nn.Module):
    """Image tokens one after another, from text states and, for models with a memory, a hint per position."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        size = config.d_model
        self.config = config
        self.heads = config.decoder_attention_heads
        self.embed_tokens = nn.Embedding(config.output_size, size)
        self.embed_positions = nn.Embedding(config.image_length, size)
        self.layernorm_embedding = ScaleNorm(size)
        self.layers = nn.ModuleList(
            DecoderLayer(size, self.heads, config.decoder_ffn_dim) for _ in range(config.decoder_layers)
        )
        self.final_norm = BiasNorm(size)
        self.lm_head = Projection(size, config.output_size)
        self.context_proj: nn.Module | None = None
        if config.context_dim is not None:
            self.context_proj = nn.Sequential(Projection(config.context_dim, size), ScaleNorm(size))
        self.memory: MemoryHint | None = None
        if config.memory_slots:
            self.memory = MemoryHint(size, config.memory_slots)

    def forward(
        self,
        tokens_BT: Tensor,
        context_BSD: Tensor,
        context_mask_BS: Tensor | None,
        hint_BTD: Tensor | None = None,
    ) -> Tensor:
        """Logits of every next token (teacher forcing), with gradients.

        Args:
            tokens_BT: int64, shifted: the start token, then the picture's tokens without the last.
            context_BSD: text states, D being `context_dim` or `d_model`.
            context_mask_BS: True (or 1) where a state may be seen; None is everywhere.
            hint_BTD: from `memory_hint`, cut to T positions; None draws without memory.

        Returns:
            (B, T, image_vocab_size + 1).
        """
        mask_BS = None if context_mask_BS is None else context_mask_BS.bool()
        x = self.embed_tokens(tokens_BT) + self.embed_positions.weight[: tokens_BT.shape[1]]
        if hint_BTD is not None:
            x = x + hint_BTD
        x = self.layernorm_embedding(x)
        context_BSD = self.project_context(context_BSD)
        for layer in self.decoder_layers():
            x = layer(x, layer.cross_attn.keys_values(context_BSD), mask_BS)
        logits: Tensor = self.lm_head(self.final_norm(x))
        return logits

    def decoder_layers(self) -> Iterable[DecoderLayer]:
        """`layers`, typed."""
        return cast("Iterable[DecoderLayer]", self.layers)

    def project_context(self, context_BSD: Tensor) -> Tensor:
        """The context in the decoder's width; itself where the widths are the same."""
        if self.context_proj is None:
            return context_BSD
        projected: Tensor = self.context_proj(context_BSD)
        return projected

    def memory_hint(self, memory_PST: Tensor) -> Tensor:
        """The hint of remembered pictures: (P, slots, tokens) int64 to (P, tokens, d_model).

        The id `codebook_size` stands for an empty place.
        """
        if self.memory is None:
            raise ValueError("this decoder has no memory (memory_slots is 0)")
        hint: Tensor = self.memory(memory_PST, self.embed_tokens.weight)
        return hint

    def new_cache(self, rows: int) -> KVCache:
        """An empty cache for `step`, in the weights' type and on their device."""
        weight = self.lm_head.weight
        head_size = self.config.d_model // self.heads
        length = self.config.image_length
        return KVCache(
            len(self.layers), rows, self.heads, length, head_size, dtype=weight.dtype, device=weight.device
        )

    def cross_keys_values(self, context_BSD: Tensor) -> CrossKV:
        """Every layer's keys and values of the context, each (B, heads, S, head size): made once a prompt."""
        context_BSD = self.project_context(context_BSD)
        kv = [layer.cross_attn.keys_values(context_BSD) for layer in self.decoder_layers()]
        # Contiguous: they are read at each of the steps.
        return [(k.contiguous(), v.contiguous()) for k, v in kv]

    def step(
        self,
        tokens_B: Tensor,
        positions: int | Tensor,
        cache: KVCache,
        cross_kv: CrossKV,
        cross_mask: Tensor | None = None,
        hint_BD: Tensor | None = None,
    ) -> Tensor:
        """Feed one token a row and get the logits of the next; to be called without gradients.

        Rows may share a context: with `cross_kv` of G contexts and B = G * P rows, rows from g * P on
        see context g. Nine pictures of one prompt then read its keys once, not nine times.

        Args:
            tokens_B: int64 (B,); at position 0 the start token.
            positions: where each token stands, one int for all or int64 (B,). On an accelerator a tensor
                keeps shapes fixed (the whole cache is read, masked) and nothing is synchronised.
            cache: from `new_cache`; rows 0 to B-1 are read and written.
            cross_kv: from `cross_keys_values`, G contexts.
            cross_mask: (G, S), True where a state may be seen, or its `attention_bias`; None is everywhere.
            hint_BD: the hint at each row's position.

        Returns:
            (B, image_vocab_size + 1).
        """
        B = tokens_B.shape[0]
        place_B, position, span, self_bias = _places(positions, B, cache)
        bias = None if cross_mask is None else attention_bias(cross_mask, cache.kv.dtype)
        x = F.embedding(tokens_B, self.embed_tokens.weight)
        x = x + (self.embed_positions.weight[position] if place_B is None else self.embed_positions(place_B))
        if hint_BD is not None:
            x = x + hint_BD
        x = self.layernorm_embedding(x)
        D = x.shape[1]
        H, hd = self.heads, D // self.heads
        rows_B = None if place_B is None else torch.arange(B, device=place_B.device)
        for layer, kv_cache, (k_GHSE, v_GHSE) in zip(
            self.decoder_layers(), cache.kv.unbind(0), cross_kv, strict=True
        ):
            attn = layer.self_attn
            h = layer.self_attn_pre(x)
            qkv = F.linear(h, attn.qkv.weight).view(B, 3, H, hd)
            if place_B is None:
                kv_cache[:B, :, :, position] = qkv[:, 1:]
            else:
                kv_cache[rows_B, :, :, place_B] = qkv[:, 1:]
            k, v = kv_cache[:B, 0, :, :span], kv_cache[:B, 1, :, :span]
            h = F.scaled_dot_product_attention(qkv[:, 0].unsqueeze(2), k, v, attn_mask=self_bias)
            h = F.linear(h.view(B, D), attn.out.weight)
            x = x + layer.self_attn_post(h)
            cross = layer.cross_attn
            G = k_GHSE.shape[0]
            h = F.linear(layer.cross_attn_pre(x), cross.q.weight).view(G, B // G, H, hd).transpose(1, 2)
            h = F.scaled_dot_product_attention(h, k_GHSE, v_GHSE, attn_mask=bias)
            h = F.linear(h.transpose(1, 2).reshape(B, D), cross.out.weight)
            x = x + layer.cross_attn_post(h)
            x = x + layer.glu(x)
        return F.linear(self.final_norm(x), self.lm_head.weight)


class Seq2Seq(nn.Module):
    """A text encoder and an image decoder; `encoder` is None where the text side is frozen and apart."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = TextEncoder(config) if config.text_encoder == "bart" else None
        self.decoder = ImageDecoder(config)

    def reset(self, generator: torch.Generator | None = None) -> Seq2Seq:
        """Draw fresh weights, as training starts from; returns itself."""
        init_normal(self, self.config.init_std, generator)
        return self

    def forward(self, ids_BS: Tensor, mask_BS: Tensor, tokens_BT: Tensor) -> Tensor:
        """Logits (B, T, image_vocab_size + 1) of text ids and shifted image tokens."""
        if self.encoder is None:
            raise ValueError("the text encoder of this model is apart; call the decoder with its states")
        logits: Tensor = self.decoder(tokens_BT, self.encoder(ids_BS, mask_BS), mask_BS)
        return logits


def attention_bias(mask_GS: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A mask, True where a state may be seen, as the (G, 1, 1, S) that attention adds: 0 or -inf.

    What is such a bias already (four axes) is given back, so that a caller can prepare it once.
    """
    if mask_GS.dim() == 4:
        return mask_GS
    bias = torch.zeros(mask_GS.shape, dtype=dtype, device=mask_GS.device)
    return bias.masked_fill_(~mask_GS.bool(), float("-inf"))[:, None, None, :]


def _places(
    positions: int | Tensor, rows: int, cache: KVCache
) -> tuple[Tensor | None, int, int, Tensor | None]:
    """Where to write, how far to read and the bias over it, for one position or one per row."""
    if isinstance(positions, int):
        return None, positions, positions + 1, None
    if positions.device.type == "cpu":
        first, last = (int(end) for end in torch.aminmax(positions))
        if first == last:
            return None, last, last + 1, None
        span = last + 1
    else:
        span = cache.length
    seen = torch.arange(span, device=positions.device) <= positions[:, None]
    return positions, 0, span, attention_bias(seen, cache.kv.dtype)
