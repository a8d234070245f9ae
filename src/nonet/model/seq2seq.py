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

from nonet.model.cache import KVCache
from nonet.model.config import Seq2SeqConfig
from nonet.model.copying import CopyGates
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
from nonet.model.packing import Kind
from nonet.model.stepping import Context, CrossKV, Rows, attention_bias, step_states


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
    """Image tokens one after another, from text states and, for models with a memory, a hint per position.

    Attributes:
        weights_as: how `pack` may round the weights; everything but their products stays in their type.
    """

    weights_as: Kind = "own"

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
        self.hint: MemoryHint | None = None
        if config.memory_slots:
            self.hint = MemoryHint(size, config.memory_slots)
        self.copies: CopyGates | None = None
        if config.memory_copies:
            self.copies = CopyGates(size, config.memory_slots)

    def forward(
        self,
        tokens_BT: Tensor,
        context_BSD: Tensor,
        context_mask_BS: Tensor | None,
        hint_BTD: Tensor | None = None,
        memory_BST: Tensor | None = None,
    ) -> Tensor:
        """Logits of every next token (teacher forcing), with gradients.

        Args:
            tokens_BT: int64, shifted: the start token, then the picture's tokens without the last.
            context_BSD: text states, D being `context_dim` or `d_model`.
            context_mask_BS: True (or 1) where a state may be seen; None is everywhere.
            hint_BTD: from `memory_hint`, cut to T positions; None draws without memory.
            memory_BST: what the hint was made of, for a decoder that copies; None copies nothing.

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
        states = self.final_norm(x)
        logits: Tensor = self.lm_head(states)
        if memory_BST is not None:
            logits = self.copy(logits, states, memory_BST.transpose(1, 2))
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
        if self.hint is None:
            raise ValueError("this decoder has no memory (memory_slots is 0)")
        hint: Tensor = self.hint(memory_PST, self.embed_tokens.weight)
        return hint

    def copy(
        self, logits_XV: Tensor, states_XD: Tensor, held_XS: Tensor, scale: float | Tensor = 1.0
    ) -> Tensor:
        """Logits in which remembered tokens are raised (see `CopyGates`); as they are where it copies nothing."""
        if self.copies is None:
            return logits_XV
        raised: Tensor = self.copies(logits_XV, states_XD, held_XS, self.config.codebook_size, scale)
        return raised

    def new_cache(self, rows: int, length: int | None = None) -> KVCache:
        """An empty cache for `step`, on the weights' device; None is long enough for all tokens."""
        head_size, device = self.config.d_model // self.heads, self.lm_head.weight.device
        positions = length or self.config.image_length
        return KVCache(
            len(self.layers), rows, self.heads, positions, head_size, dtype=self.attends_in, device=device
        )

    @property
    def attends_in(self) -> torch.dtype:
        """The type of the keys and values of drawing steps.

        On a processor it is float32: with one query a row there are no products of matrices that half precision would
        make faster, only more memory to read, and torch reads it no faster then.
        """
        weight = self.lm_head.weight
        return torch.float32 if weight.device.type == "cpu" else weight.dtype

    def cross_keys_values(self, context_BSD: Tensor) -> CrossKV:
        """Every layer's keys and values of the context, each (B, heads, S, head size): made once a prompt."""
        context_BSD = self.project_context(context_BSD)
        kv = [layer.cross_attn.keys_values(context_BSD) for layer in self.decoder_layers()]
        # Contiguous: they are read at each of the steps.
        return [(k.to(self.attends_in).contiguous(), v.to(self.attends_in).contiguous()) for k, v in kv]

    def pack(self, *, release: bool = False) -> None:
        """Lay the projections' weights out for drawing, where that pays (see `Projection.pack`).

        Args:
            release: keep no second copy of the layers' weights.
        """
        fine: set[nn.Module] = set()
        if self.weights_as == "int8":
            # That is for what each step reads, except for the head: its rounding nothing would average out.
            fine = {self.lm_head, *(layer.cross_attn.kv for layer in self.decoder_layers())}
        for module in self.modules():
            if isinstance(module, Projection):
                kind = "float16" if module in fine else self.weights_as
                # The head's weight is kept: it is asked for type and device.
                module.pack(kind, release=release and module is not self.lm_head)

    def step(
        self,
        tokens_B: Tensor,
        position: int,
        cache: KVCache,
        cross_kv: CrossKV,
        cross_mask: Tensor | None = None,
        hint_BD: Tensor | None = None,
        held_BS: Tensor | None = None,
    ) -> Tensor:
        """Feed one token a row and get the logits of the next; to be called without gradients.

        Rows may share a context: with `cross_kv` of G contexts and B = G * P rows, rows from g * P on
        see context g. Nine pictures of one prompt then read its keys once, not nine times. Rows that stand at
        different positions go through `step_states`.

        Args:
            tokens_B: int64 (B,); at position 0 the start token.
            position: where the tokens stand.
            cache: from `new_cache`; rows 0 to B-1 are read and written.
            cross_kv: from `cross_keys_values`, G contexts.
            cross_mask: (G, S), True where a state may be seen, or its `attention_bias`; None is everywhere.
            hint_BD: the hint at each row's position.
            held_BS: the tokens that the memory's slots hold at each row's position; None copies nothing.

        Returns:
            (B, image_vocab_size + 1).
        """
        bias = None if cross_mask is None else attention_bias(cross_mask, cache.kv.dtype)
        rows = Rows(cache.kv, [Context(tokens_B.shape[0], cross_kv, bias)], position)
        states_BD = step_states(self, tokens_B, [rows], hint_BD)
        logits: Tensor = self.lm_head(states_BD)
        return logits if held_BS is None else self.copy(logits, states_BD, held_BS)


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
