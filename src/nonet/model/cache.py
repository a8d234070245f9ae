"""Keys and values of the tokens drawn so far, in memory that is taken once."""

from __future__ import annotations

import torch


class KVCache:
    """Self-attention keys and values of rows that are drawn together and stand at one position.

    What lies behind the rows' position is not read, so a cache can be used again without clearing it.

    Attributes:
        kv: (layers, 2, rows, heads, length, head size); keys at index 0 of the second axis, values at 1.
    """

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        length: int,
        head_size: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.kv = torch.empty(layers, 2, rows, heads, length, head_size, dtype=dtype, device=device)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return self.kv.shape[2]

    @property
    def length(self) -> int:
        """How many positions a row has."""
        return self.kv.shape[4]

    @property
    def positions(self) -> int:
        """How many tokens there is room for, of all rows."""
        return self.rows * self.length

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.kv.nbytes
