"""Copying from remembered pictures: a chance for each of them to give its own token at a place.

A pointer in the manner of pointer-generator networks (See et al. 2017), made simple by the memory lying on the
picture's own grid: there is one candidate for each slot, the token that the slot holds at the place that is drawn.
Without it a decoder has to learn, for each of some thousand codes, that what it sees remembered is what it should say.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nonet.model.layers import Projection

WILLING = 4.0
"""The gates' bias at the start: copying comes first, and training learns where to leave it."""


class CopyGates(nn.Module):
    """How strongly each slot's token is preferred, by the decoder's state."""

    def __init__(self, width: int, slots: int) -> None:
        super().__init__()
        self.gate = Projection(width, slots)
        self.bias = nn.Parameter(torch.full((slots,), WILLING))

    def forward(
        self, logits_XV: Tensor, states_XD: Tensor, held_XS: Tensor, empty: int, scale: float = 1.0
    ) -> Tensor:
        """Logits with the slots' tokens raised.

        Args:
            logits_XV: any leading axes X.
            states_XD: the states that the logits were made of.
            held_XS: int64, the token that each slot holds at the place that is drawn.
            empty: the token of slots that hold nothing there.
            scale: guidance; without memory there are no copies, so guidance multiplies them.
        """
        there_XS = held_XS != empty
        gates_XS = scale * (self.gate(states_XD) + self.bias).to(logits_XV.dtype) * there_XS
        # An empty slot adds 0 to token 0, since its own number may lie beyond the columns.
        return logits_XV.scatter_add(-1, held_XS * there_XS, gates_XS)
