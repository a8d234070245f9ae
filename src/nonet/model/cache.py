"""Keys and values of the tokens drawn so far, in memory that is taken once."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class KVCache:
    """Self-attention keys and values of a batch of rows, each row at a position of its own.

    Rows are compact: a step over n rows uses rows 0 to n-1. A row that is done gives its place to another
    through `copy_rows`; what an old row left behind a new row's position is not read.

    Attributes:
        kv: (layers, rows, 2, heads, length, head size); keys at index 0 of the third axis, values at 1.
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
        # Zeros, not empty memory: masked places are multiplied by zero weights, and garbage could be NaN.
        self.kv = torch.zeros(layers, rows, 2, heads, length, head_size, dtype=dtype, device=device)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return self.kv.shape[1]

    @property
    def length(self) -> int:
        """How many positions a row has."""
        return self.kv.shape[4]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.kv.nbytes

    def copy_rows(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Copy whole rows; a source may also be a target, as all are read before any is written."""
        if sources:
            self.kv[:, list(targets)] = self.kv[:, list(sources)]

    def grow(self, rows: int) -> None:
        """Make room for at least `rows` rows, keeping the content."""
        if rows > self.rows:
            larger = self.kv.new_zeros(self.kv.shape[0], rows, *self.kv.shape[2:])
            larger[:, : self.rows] = self.kv
            self.kv = larger
