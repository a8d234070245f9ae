"""Remembered pictures imagined in another colour: to pixels, painted, and back to tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from nonet.model.memory import FULL, SMALL
from nonet.model.recolour import paint_of, recolour
from nonet.model.vqgan import VQGAN
from nonet.model.words import COLOURS


@torch.no_grad()
def repaint(codec: VQGAN, tokens_T: Tensor, colour: str) -> Tensor:
    """The tokens (T,) of a square picture whose coloured parts have `colour`, a name of `words.COLOURS`.

    One picture at a time: together with others its rounding, and so a token here and there, would depend on them.
    """
    device = codec.quantize.embedding.weight.device
    nothing_T = tokens_T == codec.config.n_embed
    pixels_1HW3 = codec.decode(filled(codec, tokens_T)[None].to(device)).float().clamp(0, 1)
    paint = paint_of(pixels_1HW3, torch.ones_like(pixels_1HW3[..., 0]))
    target_13 = torch.tensor([COLOURS[colour]], device=device) / 255
    painted = recolour(pixels_1HW3, paint.hsv_N3, target_13)
    tokens = codec.encode(painted)[0].to(tokens_T)
    return torch.where(nothing_T, tokens_T, tokens)


def filled(codec: VQGAN, tokens: Tensor) -> Tensor:
    """Tokens with white where they show nothing, for decoding."""
    nothing = tokens == codec.config.n_embed
    if not bool(nothing.any()):
        return tokens
    return tokens.masked_fill(nothing, int(_white(codec, 3)[4]))


def white_tokens(codec: VQGAN) -> Tensor:
    """Every token that stands for white ground, also at a picture's edges, at both remembered sizes."""
    every = [_white(codec, side).tolist() for side in (FULL, SMALL)]
    return torch.tensor(sorted({token for tokens in every for token in tokens}))


@torch.no_grad()
def _white(codec: VQGAN, side: int) -> Tensor:
    pixels = side * codec.config.downsampling
    weight = codec.quantize.embedding.weight
    tokens: Tensor = codec.encode(torch.ones(1, pixels, pixels, 3, device=weight.device, dtype=weight.dtype))[
        0
    ]
    return tokens.cpu()
