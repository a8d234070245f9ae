"""The frozen text encoder as training sees it: captions to states, phrases to sentence embeddings, both cached."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.model.minilm import MiniLM, mean_pool
from nonet.model.tokenizer import TextTokenizer


class TextSide:
    """A MiniLM with its tokenizer.

    Sentence embeddings are kept, since phrases come again and again; states are made anew for each caption.
    """

    def __init__(self, encoder: MiniLM, tokenizer: TextTokenizer, length: int = 64) -> None:
        self.encoder = encoder.eval()
        self.tokenizer = tokenizer
        self.length = length
        self._kept: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    @torch.no_grad()
    def states(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """States (B, S, E) and mask (B, S), S being the longest caption's tokens."""
        encoded = self.tokenizer.encode(captions, self.length)
        ids_BS, mask_BS = encoded.ids, encoded.mask
        longest = int(mask_BS.sum(1).max())
        ids_BS, mask_BS = ids_BS[:, :longest].to(self.device), mask_BS[:, :longest].to(self.device)
        return self.encoder(ids_BS, mask_BS), mask_BS

    def sentences(self, texts: list[str]) -> Tensor:
        """Normalised sentence embeddings (N, E)."""
        new = list(dict.fromkeys(t for t in texts if t not in self._kept))
        if new:
            states, mask = self.states(new)
            for text, embedding in zip(new, mean_pool(states, mask), strict=True):
                self._kept[text] = embedding
        return torch.stack([self._kept[t] for t in texts])
