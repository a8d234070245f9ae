"""The parts that text encoder and image decoder share, in the order and precision of DALL-E Mini.

Projections that read the same input are stored as one matrix: a drawing step has few rows, so its time is the
reading of weights and the starting of operations, and both shrink with fewer, larger products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nonet.model import packing
from nonet.model.packing import Kind, Packed

EPS = 1e-5


class BiasNorm(nn.Module):
    """Layer norm with a bias and no scale, the kind that stands before every branch."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias
        if x.dtype == bias.dtype:
            return torch.layer_norm(x, bias.shape, None, bias, EPS)
        # As in training with mixed precision: on a processor torch has no gradients then for a bias without a scale.
        return (torch.layer_norm(x, bias.shape, None, None, EPS) + bias).to(x.dtype)


class ScaleNorm(nn.Module):
    """Layer norm with a scale and a bias, the kind after attention and after the embeddings."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        return torch.layer_norm(x, weight.shape, weight, self.bias, EPS)


class Projection(nn.Module):
    """A matrix product without bias; `weight` is (output, input)."""

    _packed: Packed | None = None

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        if self._packed is not None and not torch.is_grad_enabled():
            return self._packed(x)
        if self.weight.is_meta:
            self.unpack()
        return F.linear(x, self.weight)

    def pack(self, kind: Kind = "own", *, release: bool = False) -> None:
        """Keep a copy of the weight in a layout that is faster for few rows (see `packing`), where there is one.

        The copy is used without gradients only. It does not follow when the weight is changed in place;
        it is given up when the module is moved or cast, and is no part of copies and files.

        Args:
            kind: what the copy is rounded to.
            release: keep no other copy: `weight` then has a shape and a type, but no values, until something
                needs them (`unpack`).
        """
        self.unpack()
        self._packed = packing.pack(self.weight, kind)
        if release and self._packed is not None:
            empty = torch.empty_like(self.weight, device="meta")
            self.weight = nn.Parameter(empty, requires_grad=self.weight.requires_grad)

    def unpack(self) -> None:
        """Give the packed copy up; `weight` has its values again, or what rounding has left of them."""
        if self.weight.is_meta and self._packed is not None:
            self.weight = nn.Parameter(self._packed.weight(), requires_grad=self.weight.requires_grad)
        self._packed = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.unpack()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _save_to_state_dict(self, *arguments: Any) -> None:
        if self.weight.is_meta:
            self.unpack()
        super()._save_to_state_dict(*arguments)

    def __getstate__(self) -> dict[str, Any]:
        if self.weight.is_meta:
            self.unpack()
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself; `qkv` holds query, key and value projections in order."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Projection(size, 3 * size)
        self.out = Projection(size, size)

    def forward(self, x_BTD: Tensor, mask_BS: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """Attend within `x_BTD`; `mask_BS` is True at positions that may be seen. Returns (B, T, D)."""
        B, T, D = x_BTD.shape
        q, k, v = self.qkv(x_BTD).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mask = None if mask_BS is None else mask_BS[:, None, None, :]
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        projected: Tensor = self.out(seen.transpose(1, 2).reshape(B, T, D))
        return projected


class CrossAttention(nn.Module):
    """Multi-head attention to a context; `kv` holds key and value projections, in this order."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = Projection(size, size)
        self.kv = Projection(size, 2 * size)
        self.out = Projection(size, size)

    def keys_values(self, context_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a context, each (B, heads, S, head size)."""
        B, S, D = context_BSD.shape
        k, v = self.kv(context_BSD).view(B, S, 2, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return k, v

    def forward(self, x_BTD: Tensor, kv: tuple[Tensor, Tensor], mask_BS: Tensor | None) -> Tensor:
        """Attend from `x_BTD` to keys and values made by `keys_values`. Returns (B, T, D)."""
        B, T, D = x_BTD.shape
        q = self.q(x_BTD).view(B, T, self.heads, D // self.heads).transpose(1, 2)
        mask = None if mask_BS is None else mask_BS[:, None, None, :]
        seen = F.scaled_dot_product_attention(q, *kv, attn_mask=mask)
        projected: Tensor = self.out(seen.transpose(1, 2).reshape(B, T, D))
        return projected


class GLU(nn.Module):
    """Gated feed-forward: gelu of one projection times another, with norms before and between.

    `fc_in` holds the gate's matrix and then the value's. The GELU is the exact one, with erf.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.norm_in = BiasNorm(size)
        self.fc_in = Projection(size, 2 * hidden)
        self.norm_mid = BiasNorm(hidden)
        self.fc_out = Projection(hidden, size)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.fc_in(self.norm_in(x)).chunk(2, dim=-1)
        # Contiguous: torch's GELU of a strided half rounds in another way than that of a single row.
        projected: Tensor = self.fc_out(self.norm_mid(F.gelu(gate.contiguous()) * value))
        return projected


def init_normal(module: nn.Module, std: float, generator: torch.Generator | None = None) -> None:
    """Draw every projection and embedding of `module` from normal(0, std); norms keep ones and zeros."""
    for part in module.modules():
        if isinstance(part, Projection | nn.Embedding | nn.Linear):
            nn.init.normal_(part.weight, std=std, generator=generator)
            if isinstance(part, nn.Linear) and part.bias is not None:
                nn.init.zeros_(part.bias)
