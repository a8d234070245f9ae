"""One step of drawing: a token for every row, whether or not the rows belong together.

Rows that stand at one position and share a cache are a `Rows`. The projections, where nearly all
arithmetic is, run over all rows of all of them at once; only attention goes `Rows` by `Rows`, over just
the positions that those rows have, so nothing is padded or masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.model.cache import KVCache

if TYPE_CHECKING:
    from nonet.model.seq2seq import ImageDecoder

CrossKV = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Context:
    """What some successive rows attend to.

    Attributes:
        rows: how many.
        kv: from `ImageDecoder.cross_keys_values`: one context for all of these rows, or G contexts for
            G equal parts of them.
        bias: from `attention_bias`, where states are masked.
    """

    rows: int
    kv: CrossKV
    bias: Tensor | None = None


@dataclass
class Rows:
    """Rows that stand together.

    Attributes:
        cache: their own; its rows from 0 on are read and written.
        contexts: the rows of these are the rows, in this order.
        position: where the token that is fed stands, from 0.
    """

    cache: KVCache
    contexts: Sequence[Context]
    position: int = 0

    @property
    def count(self) -> int:
        """How many rows these are."""
        return sum(context.rows for context in self.contexts)


def step_states(
    decoder: ImageDecoder, tokens_B: Tensor, together: Sequence[Rows], hint_BD: Tensor | None = None
) -> Tensor:
    """Feed one token a row; to be called without gradients.

    With a packed decoder (`ImageDecoder.pack`) a row's result is the same to the last bit, whatever the
    other rows are.

    Args:
        tokens_B: int64 (B,), for the rows of `together` one after another; at position 0 the start token.
        hint_BD: the hint at each row's position.

    Returns:
        (B, d_model), the states that `lm_head` turns into logits.
    """
    positions = decoder.embed_positions.weight
    x = F.embedding(tokens_B, decoder.embed_tokens.weight)
    x = x + _joined([positions[rows.position].expand(rows.count, -1) for rows in together])
    if hint_BD is not None:
        x = x + hint_BD
    x = decoder.layernorm_embedding(x)
    B, D = x.shape
    heads = decoder.heads
    spans = _spans([rows.count for rows in together])
    context_spans = _spans([context.rows for rows in together for context in rows.contexts])
    contexts = [context for rows in together for context in rows.contexts]
    for number, layer in enumerate(decoder.decoder_layers()):
        qkv = layer.self_attn.qkv(layer.self_attn_pre(x)).view(B, 3, heads, D // heads)
        seen = [
            _attend_past(qkv[span], rows.cache.kv[number], rows.position)
            for rows, span in zip(together, spans, strict=True)
        ]
        x = x + layer.self_attn_post(layer.self_attn.out(_joined(seen)))
        q = layer.cross_attn.q(layer.cross_attn_pre(x)).view(B, heads, D // heads)
        seen = [
            _attend_context(q[span], *context.kv[number], context.bias)
            for context, span in zip(contexts, context_spans, strict=True)
        ]
        x = x + layer.cross_attn_post(layer.cross_attn.out(_joined(seen)))
        x = x + layer.glu(x)
    states: Tensor = decoder.final_norm(x)
    return states


def attention_bias(mask_GS: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A mask, True where a state may be seen, as the (G, 1, 1, S) that attention adds: 0 or -inf.

    What is such a bias already (four axes) is given back, so that a caller can prepare it once.
    """
    if mask_GS.dim() == 4:
        return mask_GS
    bias = torch.zeros(mask_GS.shape, dtype=dtype, device=mask_GS.device)
    return bias.masked_fill_(~mask_GS.bool(), float("-inf"))[:, None, None, :]


def _spans(counts: Sequence[int]) -> list[slice]:
    spans = []
    start = 0
    for count in counts:
        spans.append(slice(start, start + count))
        start += count
    return spans


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _attend_past(qkv_B3HE: Tensor, kv_B2HTE: Tensor, position: int) -> Tensor:
    """Write keys and values at `position`, and attend to all up to it: (B, D)."""
    B = qkv_B3HE.shape[0]
    kv_B2HTE[:B, :, :, position] = qkv_B3HE[:, 1:]
    k, v = kv_B2HTE[:B, :, :, : position + 1].unbind(1)
    return F.scaled_dot_product_attention(qkv_B3HE[:, 0].unsqueeze(2), k, v).flatten(1)


def _attend_context(q_BHE: Tensor, k_GHSE: Tensor, v_GHSE: Tensor, bias: Tensor | None) -> Tensor:
    """Attend to one context, or G equal parts of the rows to G contexts: (B, D)."""
    B, G = q_BHE.shape[0], k_GHSE.shape[0]
    if G == 1:
        # A query at a time, keys repeated by a stride of 0. Were all queries multiplied at once, a row's
        # rounding would depend on how many rows there are.
        k, v = (t.expand(B, -1, -1, -1) for t in (k_GHSE, v_GHSE))
        return F.scaled_dot_product_attention(q_BHE.unsqueeze(2), k, v, attn_mask=bias).flatten(1)
    q = q_BHE.view(G, B // G, *q_BHE.shape[1:]).transpose(1, 2)
    seen = F.scaled_dot_product_attention(q, k_GHSE, v_GHSE, attn_mask=bias)
    return seen.transpose(1, 2).reshape(B, -1)
