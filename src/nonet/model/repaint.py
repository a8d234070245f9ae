"""Remembered pictures imagined in another colour: to pixels, painted, and back to tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.model.memory import FULL, SMALL
from nonet.model.recolour import paint_of, recolour
from nonet.model.vqgan import VQGAN
from nonet.model.words import COLOURS

WHITE = (255, 255, 255)
NEARLY_WHITE = 0.9
RIM = 0.02
"""Share of ground from which a cell belongs to the rim."""
REACH = 40
"""Pixels that ground is followed into the cells of a thing."""


@dataclass(frozen=True)
class CodecFancy:
    """Imagines by way of a codec: tokens to pixels, painted, and back; see `recollect.Fancy`.

    One picture at a time: together with others its rounding, and so a token here and there, would depend on them.
    """

    codec: VQGAN

    @torch.no_grad()
    def repaint(self, tokens_T: Tensor, colour: str) -> Tensor:
        """The tokens (T,) of a square picture whose coloured parts have `colour`, a name of `words.COLOURS`."""
        nothing_T = tokens_T == self.codec.config.n_embed
        pixels_1HW3 = self._pixels(tokens_T)
        paint = paint_of(pixels_1HW3, torch.ones_like(pixels_1HW3[..., 0]))
        target_13 = torch.tensor([COLOURS[colour]], device=self._device) / 255
        tokens = self._encode(recolour(pixels_1HW3, paint.hsv_N3, target_13)).to(tokens_T)
        return torch.where(nothing_T, tokens_T, tokens)

    def plain(self, colour: str) -> Tensor:
        """The tokens (256,) of a canvas of one colour."""
        return _plain(self.codec, COLOURS[colour], FULL)

    @torch.no_grad()
    def before(self, slots_ST: Tensor) -> Tensor:
        """Slots whose things show, at their rims, what stands behind them instead of white.

        The tokens at a cut-out's rim hold some of the white it was remembered on. They are encoded anew from the
        things laid over one another; what lies inside a thing stays.
        """
        empty = self.codec.config.n_embed
        canvas = self._pixels(slots_ST[0])
        slots = slots_ST.clone()
        rims: list[tuple[int, Tensor]] = []
        for slot in range(1, len(slots)):
            there_T = slots[slot] != empty
            if bool(there_T.any()):
                thing = self._pixels(slots[slot])
                ground = white_ground(thing, there_T)
                canvas = torch.lerp(thing, canvas, ground)
                share_T = F.avg_pool2d(ground.permute(0, 3, 1, 2), self.codec.config.downsampling).flatten()
                rims.append((slot, there_T & (share_T > RIM).to(there_T.device)))
        tokens_T = self._encode(canvas).to(slots)
        for slot, rim_T in rims:
            slots[slot] = torch.where(rim_T, tokens_T, slots[slot])
        return slots

    def _pixels(self, tokens_T: Tensor) -> Tensor:
        complete_T = filled(self.codec, tokens_T).to(self._device)
        return self.codec.decode(complete_T[None]).float().clamp(0, 1)

    @property
    def _device(self) -> torch.device:
        return self.codec.quantize.embedding.weight.device

    def _encode(self, pixels_1HW3: Tensor) -> Tensor:
        tokens: Tensor = self.codec.encode(pixels_1HW3.to(self.codec.quantize.embedding.weight))[0]
        return tokens


def white_ground(pixels_1HW3: Tensor, there_T: Tensor) -> Tensor:
    """How much of each pixel (1, H, W, 1) of a cut-out on white is ground: white that reaches its outside.

    Args:
        pixels_1HW3: the cut-out, 0 to 1.
        there_T: the cells of the token grid in which it shows anything.
    """
    height = pixels_1HW3.shape[1]
    side = math.isqrt(len(there_T))
    white = (pixels_1HW3.amin(-1) > NEARLY_WHITE).float()[:, None]
    around = 1 - there_T.view(1, 1, side, side).to(white)
    outside = F.interpolate(around, size=(height, height), mode="nearest")
    edge = torch.zeros_like(outside)
    edge[..., [0, -1], :] = edge[..., :, [0, -1]] = 1
    outside = torch.maximum(outside, edge * white)
    for _ in range(REACH):
        outside = torch.maximum(outside, F.max_pool2d(outside, 3, 1, 1) * white)
    # One pixel more, where edges are mixed with white, and soft.
    grown = F.max_pool2d(outside, 3, 1, 1)
    return F.avg_pool2d(grown, 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)


def filled(codec: VQGAN, tokens: Tensor) -> Tensor:
    """Tokens with white where they show nothing, for decoding."""
    nothing = tokens == codec.config.n_embed
    if not bool(nothing.any()):
        return tokens
    return tokens.masked_fill(nothing, int(_plain(codec, WHITE, 3)[4]))


def white_tokens(codec: VQGAN) -> Tensor:
    """Every token that stands for white ground, also at a picture's edges, at both remembered sizes."""
    every = [_plain(codec, WHITE, side).tolist() for side in (FULL, SMALL)]
    return torch.tensor(sorted({token for tokens in every for token in tokens}))


@torch.no_grad()
def _plain(codec: VQGAN, colour: tuple[int, int, int], side: int) -> Tensor:
    weight = codec.quantize.embedding.weight
    pixels = side * codec.config.downsampling
    canvas = (torch.tensor(colour) / 255).to(weight).expand(1, pixels, pixels, 3)
    tokens: Tensor = codec.encode(canvas.contiguous())[0]
    return tokens.cpu()
