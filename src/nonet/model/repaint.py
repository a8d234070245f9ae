"""Remembered pictures imagined in another colour: to pixels, painted, and back to tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nonet.model.memory import FULL, SMALL
from nonet.model.recolour import paint_of, recolour
from nonet.model.vqgan import VQGAN
from nonet.model.words import COLOURS

WHITE = (255, 255, 255)


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
        complete_T = filled(self.codec, tokens_T).to(self._device)
        pixels_1HW3 = self.codec.decode(complete_T[None]).float().clamp(0, 1)
        paint = paint_of(pixels_1HW3, torch.ones_like(pixels_1HW3[..., 0]))
        target_13 = torch.tensor([COLOURS[colour]], device=self._device) / 255
        tokens = self._encode(recolour(pixels_1HW3, paint.hsv_N3, target_13)).to(tokens_T)
        return torch.where(nothing_T, tokens_T, tokens)

    def plain(self, colour: str) -> Tensor:
        """The tokens (256,) of a canvas of one colour."""
        return _plain(self.codec, COLOURS[colour], FULL)

    @property
    def _device(self) -> torch.device:
        return self.codec.quantize.embedding.weight.device

    def _encode(self, pixels_1HW3: Tensor) -> Tensor:
        tokens: Tensor = self.codec.encode(pixels_1HW3.to(self.codec.quantize.embedding.weight))[0]
        return tokens


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
