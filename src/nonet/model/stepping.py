"""One step of drawing: one or some tokens for every row, whether or not the rows belong together.

Rows that stand at one position and share a cache are a `Rows`. The projections, where nearly all
arithmetic is, run over all tokens of all of them at once; only attention goes `Rows` by `Rows`, over just
the positions that those rows have, so nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

if TYPE_CHECKING:
    from nonet.model.seq2seq import ImageDecoder

CrossKV = list[tuple[Tensor, Tensor]]
Past = tuple[Tensor, Tensor, Tensor]
"""Of one layer: where keys and values of this step's tokens go, then all keys and all values up to them."""


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


@dataclass(eq=False)
class Rows:
    """Rows that stand together.

    Attributes:
        kv: of a `KVCache`, all its rows or some; as many as there are rows here are read and written.
        contexts: the rows of these are the rows, in this order.
        position: where the first token that is fed stands, from 0.
        width: how many successive tokens each row is fed.
    """

    kv: Tensor
    contexts: Sequence[Context]
    position: int = 0
    width: int = 1

    @property
    def count(self) -> int:
        """How many rows these are."""
        return sum(context.rows for context in self.contexts)


def step_states(
    decoder: ImageDecoder, tokens_B: Tensor, together: Sequence[Rows], hint_BD: Tensor | None = None
) -> Tensor:
    """Feed each row its tokens; to be called without gradients.

    With a packed decoder (`ImageDecoder.pack`) a row's result is the same to the last bit, whatever the
    other rows are. Fed with others of its row a token may be rounded in another way than alone.

    Args:
        tokens_B: int64 (B,), for the rows of `together` one after another, a row's tokens side by side; at
            position 0 the start token.
        hint_BD: the hint at each token's position.

    Returns:
        (B, d_model), the states that `lm_head` turns into logits.
    """
    positions = decoder.embed_positions.weight
    x = F.embedding(tokens_B, decoder.embed_tokens.weight)
    x = x + joined([_places(positions, rows) for rows in together])
    if hint_BD is not None:
        x = x + hint_BD
    x = decoder.layernorm_embedding(x)
    B, D = x.shape
    heads = decoder.heads
    sizes = [rows.count * rows.width for rows in together]
    context_sizes = [context.rows * rows.width for rows in together for context in rows.contexts]
    contexts = [(context, rows.width) for rows in together for context in rows.contexts]
    biases = [_not_ahead(rows) for rows in together]
    pasts = [_past_of(rows) for rows in together]
    # Rows of a decoder that takes hints may lie apart in their cache, and must not be multiplied in another way then.
    at_once = decoder.hint is None and x.device.type == "cpu"
    with unplanned_attention(x.device):
        for number, layer in enumerate(decoder.decoder_layers()):
            qkv = layer.self_attn.qkv(layer.self_attn_pre(x)).view(B, 3, heads, D // heads)
            seen = [
                _attend_past(part, past[number], bias, at_once=at_once)
                for part, past, bias in zip(parted(qkv, sizes), pasts, biases, strict=True)
            ]
            x = x + layer.self_attn_post(layer.self_attn.out(joined(seen)))
            q = layer.cross_attn.q(layer.cross_attn_pre(x)).view(B, heads, D // heads)
            seen = [
                _attend_context(part, width, *context.kv[number], context.bias)
                for part, (context, width) in zip(parted(q, context_sizes), contexts, strict=True)
            ]
            x = x + layer.cross_attn_post(layer.cross_attn.out(joined(seen)))
            x = x + layer.glu(x)
    states: Tensor = decoder.final_norm(x)
    return states


def unplanned_attention(device: torch.device) -> AbstractContextManager[None]:
    """Attention of changing lengths: cuDNN's, which torch would take on a GPU, makes a plan for each, in some 50 ms."""
    if device.type != "cuda":
        return nullcontext()
    kinds = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    context: AbstractContextManager[None] = sdpa_kernel(kinds)
    return context


def attention_bias(mask_GS: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A mask, True where a state may be seen, as the (G, 1, 1, S) that attention adds: 0 or -inf.

    What is such a bias already (four axes) is given back, so that a caller can prepare it once.
    """
    if mask_GS.dim() == 4:
        return mask_GS
    bias = torch.zeros(mask_GS.shape, dtype=dtype, device=mask_GS.device)
    return bias.masked_fill_(~mask_GS.bool(), float("-inf"))[:, None, None, :]


def parted(x: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Successive parts of these sizes; nothing is done for a single one."""
    return [x] if len(sizes) == 1 else x.split_with_sizes(sizes)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts one after another; nothing is done for a single one."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _places(positions_TD: Tensor, rows: Rows) -> Tensor:
    """The embedded positions of all tokens of some rows."""
    fed_WD = positions_TD[rows.position : rows.position + rows.width]
    return fed_WD.expand(rows.count, -1, -1).reshape(-1, fed_WD.shape[1])


def _not_ahead(rows: Rows) -> Tensor | None:
    """The bias (W, T) that keeps each of some tokens from seeing those after it; one alone sees all there are."""
    if rows.width == 1:
        return None
    bias_WT = torch.full((rows.width, rows.position + rows.width), float("-inf"), dtype=rows.kv.dtype)
    return bias_WT.triu_(rows.position + 1).to(rows.kv.device)


def _past_of(rows: Rows) -> list[Past]:
    kv_L2RHTE = rows.kv[:, :, : rows.count, :, : rows.position + rows.width]
    written = kv_L2RHTE[..., rows.position :, :].unbind()
    # All layers' keys and values at once: each of torch's operations is a moment in which another lane may get
    # Python's lock, and to get it back costs more than these operations themselves.
    every = kv_L2RHTE.flatten(0, 1).unbind()
    return list(zip(written, every[::2], every[1::2], strict=True))


def _attend_past(qkv_X3HE: Tensor, past: Past, bias_WT: Tensor | None, *, at_once: bool) -> Tensor:
    """Write keys and values, and let each token attend to all up to itself: (X, D).

    `at_once`: all heads of all rows, which lie one behind the other, in one product each of keys and of values. For
    single tokens of many heads that takes less time; a row has the same bits whatever others there are.
    """
    written_2RHWE, k, v = past
    R, H, W, E = written_2RHWE.shape[1:]
    qkv_3RHWE = qkv_X3HE.view(R, W, 3, H, E).permute(2, 0, 3, 1, 4)
    written_2RHWE.copy_(qkv_3RHWE[1:])
    q_RHWE = _in_type(qkv_3RHWE[0], k.dtype)
    if at_once and W == 1:
        q_XE1 = (q_RHWE.flatten(0, 1) * E**-0.5).transpose(1, 2)
        scores_XT1 = torch.bmm(k.flatten(0, 1), q_XE1)
        seen_X1E = torch.bmm(scores_XT1.softmax(1).transpose(1, 2), v.flatten(0, 1))
        return _in_type(seen_X1E.view(R, H * E), qkv_X3HE.dtype)
    seen_RHWE = F.scaled_dot_product_attention(q_RHWE, k, v, attn_mask=bias_WT)
    return _in_type(seen_RHWE.transpose(1, 2).reshape(R * W, H * E), qkv_X3HE.dtype)


def _attend_context(q_XHE: Tensor, width: int, k_GHSE: Tensor, v_GHSE: Tensor, bias: Tensor | None) -> Tensor:
    """Attend to one context, or G equal parts of the rows to G contexts: (X, D)."""
    X, H, E = q_XHE.shape
    rows = X // width
    if k_GHSE.shape[0] == 1 and rows > 1:
        # A row at a time, keys repeated by a stride of 0. Were all rows multiplied at once, a row's
        # rounding would depend on how many rows there are.
        k_GHSE, v_GHSE = (t.expand(rows, -1, -1, -1) for t in (k_GHSE, v_GHSE))
    q_GHYE = _in_type(q_XHE, k_GHSE.dtype).view(k_GHSE.shape[0], -1, H, E).transpose(1, 2)
    seen_GHYE = F.scaled_dot_product_attention(q_GHYE, k_GHSE, v_GHSE, attn_mask=bias)
    return _in_type(seen_GHYE.transpose(1, 2).reshape(X, H * E), q_XHE.dtype)


def _in_type(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x if x.dtype == dtype else x.to(dtype)
