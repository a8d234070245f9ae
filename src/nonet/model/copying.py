"""Copying from remembered pictures: a chance for each of them to give its own token at a place.

A pointer in the manner of pointer-generator networks (See et al. 2017), made simple by the memory lying on the
picture's own grid: the candidate is the token that the frontmost slot holds at the place that is drawn.
Without it a decoder has to learn, for each of some thousand codes, that what it sees remembered is what it should say.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nonet.model.layers import Projection

WILLING = 4.0
"""The gates' bias at the start: copying comes first, and training learns where to leave it."""


class CopyGates(nn.Module):
    """How strongly the token of the frontmost slot at a place is preferred, by the decoder's state."""

    def __init__(self, width: int, slots: int) -> None:
        super().__init__()
        self.gate = Projection(width, slots)
        self.bias = nn.Parameter(torch.full((slots,), WILLING))

    def forward(
        self, logits_XV: Tensor, states_XD: Tensor, held_XS: Tensor, empty: int, scale: float | Tensor = 1.0
    ) -> Tensor:
        """Logits with the slots' tokens raised.

        Args:
            logits_XV: any leading axes X; written over, where no gradients are kept.
            states_XD: the states that the logits were made of.
            held_XS: int64, the token that each slot holds at the place that is drawn.
            empty: the token of slots that hold nothing there.
            scale: guidance, for all or (X, 1); without memory there are no copies, so guidance multiplies them.
        """
        there_XS = held_XS != empty
        # Slots run from back to front: what stands behind something is covered by it.
        in_front_XS = there_XS.flip(-1).cumsum(-1).flip(-1)
        there_XS = there_XS & (in_front_XS == 1)
        gates_XS = scale * (self.gate(states_XD) + self.bias).to(logits_XV.dtype) * there_XS
        # An empty slot adds 0 to token 0, since its own number may lie beyond the columns.
        add = logits_XV.scatter_add if torch.is_grad_enabled() else logits_XV.scatter_add_
        return add(-1, held_XS * there_XS, gates_XS)
