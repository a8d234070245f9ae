"""Remembered pictures imagined in another colour: to pixels, painted, and back to tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.model.recolour import paint_of, recolour
from nonet.model.vqgan import VQGAN
from nonet.model.words import COLOURS


@torch.no_grad()
def repaint(codec: VQGAN, tokens_T: Tensor, colour: str) -> Tensor:
    """The tokens (T,) of a square picture whose coloured parts have `colour`, a name of `words.COLOURS`.

    One picture at a time: together with others its rounding, and so a token here and there, would depend on them.
    """
    device = codec.quantize.embedding.weight.device
    pixels_1HW3 = codec.decode(tokens_T[None].to(device)).float().clamp(0, 1)
    paint = paint_of(pixels_1HW3, torch.ones_like(pixels_1HW3[..., 0]))
    target_13 = torch.tensor([COLOURS[colour]], device=device) / 255
    painted = recolour(pixels_1HW3, paint.hsv_N3, target_13)
    tokens: Tensor = codec.encode(painted)[0].to(tokens_T)
    return tokens
