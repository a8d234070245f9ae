"""What a decoder is told of remembered pictures: one vector for each place of the picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MemoryHint(nn.Module):
    """Turns slots of remembered tokens into one vector for every position of the picture.

    Each slot has its own projection, so that two pictures laid over one another stay apart; a small
    convolution lets a position see what lies around it in the remembered pictures.
    """

    def __init__(self, width: int, slots: int, slot_width: int = 96) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(width, slot_width, bias=False) for _ in range(slots))
        self.direct = nn.Linear(slots * slot_width, width, bias=False)
        self.around = nn.Conv2d(slots * slot_width, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, memory_PST: Tensor, embedding_VD: Tensor) -> Tensor:
        """(P, slots, T) int64 tokens and the decoder's token embedding to hints (P, T, D); T is a square."""
        P, S, T = memory_PST.shape
        if len(self.project) != S:
            raise ValueError(f"the decoder takes {len(self.project)} remembered pictures, not {S}")
        embedded_PSTD = F.embedding(memory_PST, embedding_VD)
        joined_PTC = torch.cat([p(embedded_PSTD[:, slot]) for slot, p in enumerate(self.project)], dim=-1)
        side = math.isqrt(T)
        around = self.around(joined_PTC.view(P, side, side, -1).permute(0, 3, 1, 2))
        around = self.mix(F.gelu(around)).flatten(2).transpose(1, 2)
        return self.direct(joined_PTC) + around  # type: ignore[no-any-return]
