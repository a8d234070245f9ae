"""The judge: how well a picture fits a caption.

A small convolutional picture tower trained against sentence embeddings of the frozen text encoder, in the manner of
CLIP (Radford et al. 2021). It ranks candidates, and measures R-precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nonet.model.conv import Conv
from nonet.model.vqgan import PositionNorm


@dataclass(frozen=True)
class JudgeConfig:
    """`side`: pixels to which pictures are reduced; `widths`: channels at 1/4, 1/8 and 1/16 of that."""

    side: int = 128
    widths: tuple[int, ...] = (64, 128, 256)
    text_width: int = 384
    width: int = 256


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = PositionNorm(channels)
        self.conv1 = Conv(channels, channels, 3, padding=1)
        self.conv2 = Conv(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.gelu(self.conv1(self.norm(x))))  # type: ignore[no-any-return]


class Judge(nn.Module):
    """Scores pictures against sentence embeddings."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [Conv(3 * 16, config.widths[0], 3, padding=1)]
        for index, width in enumerate(config.widths):
            if index:
                layers.append(Conv(config.widths[index - 1], width, 2, stride=2))
            layers += [Block(width), Block(width)]
        self.tower = nn.Sequential(*layers)
        self.norm = PositionNorm(config.widths[-1])
        # Mean and maximum over positions: what fills the picture, and what is somewhere in it.
        self.head = nn.Linear(2 * config.widths[-1], config.width)
        self.text = nn.Linear(config.text_width, config.width)
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def see(self, pixels_BHWC: Tensor) -> Tensor:
        """Normalised embeddings (B, width) of pixels in [0, 1], any square size."""
        x = reduced(pixels_BHWC.permute(0, 3, 1, 2), self.config.side)
        x = F.pixel_unshuffle(x * 2 - 1, 4).contiguous(memory_format=torch.channels_last)
        x = self.norm(self.tower(x)).flatten(2)
        return F.normalize(self.head(torch.cat([x.mean(-1), x.amax(-1)], dim=-1)), dim=-1)

    def read(self, sentences_BE: Tensor) -> Tensor:
        """Normalised embeddings (B, width) of the text encoder's sentence embeddings (B, text_width)."""
        return F.normalize(self.text(sentences_BE), dim=-1)

    def forward(self, pixels_BHWC: Tensor, sentences_CE: Tensor) -> Tensor:
        """Scores (B, C): cosine similarity of every picture with every caption, in [-1, 1]."""
        return self.see(pixels_BHWC) @ self.read(sentences_CE).T


def reduced(x_BCHW: Tensor, side: int) -> Tensor:
    """Squares at another side, each place the mean of those that it stands for."""
    if x_BCHW.shape[-1] == side:
        return x_BCHW
    if x_BCHW.shape[-1] == 2 * side:
        # A quarter of the time of torch's pooling of three channels side by side.
        top = x_BCHW[..., ::2, ::2] + x_BCHW[..., ::2, 1::2]
        return (top + x_BCHW[..., 1::2, ::2] + x_BCHW[..., 1::2, 1::2]) / 4
    return F.interpolate(x_BCHW, size=(side, side), mode="area")
