"""Tokens to pixels: finished pictures in batches, and pictures that are only partly drawn."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nonet.engine.block import Block, never_single
from nonet.engine.hands import Hands
from nonet.engine.needs import DrawingModel
from nonet.model.vqgan import VQGAN

if TYPE_CHECKING:
    from nonet.engine.events import Pixels

GRAY = 128
"""What is not drawn yet."""
DECODE_BYTES = {"cpu": 512 << 20, "cuda": 4 << 30}
"""Memory that one decode may take, roughly, by kind of device."""
WIDE_BYTES = 16 << 20
"""Memory of one picture's widest activation from which on pictures are painted one at a time."""


class Painter:
    """The codec of a model, and how long it takes.

    Attributes:
        side: tokens along one side of a picture.
        batch: finished pictures that are decoded at once.
    """

    def __init__(self, model: DrawingModel, *, low_memory: bool = False, hands: Hands | None = None) -> None:
        self._hands = hands or Hands()
        # So that convolutions find their weights as they want them: a third less time on a processor.
        self.codec: VQGAN = model.codec.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.side = math.isqrt(model.image_length)
        config = self.codec.config
        widest = config.ch * (config.resolution // config.patch_size) ** 2 * 4
        kind = self.codec.quantize.embedding.weight.device.type
        # A handful of the widest activations live at once.
        self._fitting = max(1, DECODE_BYTES.get(kind, DECODE_BYTES["cpu"]) // (4 * widest))
        # On a processor three at once are as fast as sixteen, large ones no faster than one, and whoever waits waits
        # less.
        most = 16 if kind != "cpu" else 3 if widest < WIDE_BYTES else 1
        self.batch = min(most, self._fitting)
        # Where a convolution of one picture has no more inputs than this, torch takes another one for it.
        narrowest = min(config.z_channels, config.ch * min(config.ch_mult)) * model.image_length
        self._differs_alone = narrowest <= 20_480
        if low_memory:
            self.batch = self._fitting = 2 if self._differs_alone else 1
        self._row_seconds = 0.0

    def finished(self, tokens_BT: Tensor) -> tuple[Tensor, list[Pixels]]:
        """Pixels of finished pictures: floats in [0, 1] (B, H, W, 3), and as events carry them."""
        count = len(tokens_BT)
        pixels_BHWC = self.codec.decode(never_single(tokens_BT) if self._differs_alone else tokens_BT)[:count]
        if not pixels_BHWC.sum().isfinite():
            raise ArithmeticError("the codec gave pixels that are not finite")
        pixels_BHWC = pixels_BHWC.float().clamp(0, 1)
        return pixels_BHWC, list(_as_bytes(pixels_BHWC))

    def unfinished(self, block: Block) -> list[tuple[int, Pixels]]:
        """The pictures of a block as far as whole rows of tokens are drawn, the rest gray.

        Only the drawn rows are decoded, as if the picture ended there: it costs a part of a whole picture,
        and a codec whose convolutions see just a neighbourhood gives nearly the same pixels.
        """
        rows = block.done // self.side
        count = min(len(block.pictures), block.job.request.count - block.pictures.start)
        began = time.perf_counter()
        tokens_PT = block.tokens_PT[:count, : rows * self.side]
        latents = self.codec.quantize.embedding(tokens_PT).view(count, rows, self.side, -1)
        parts = latents.permute(0, 3, 1, 2).split(min(self._fitting, -(-count // self._hands.count)))
        drawn = _as_bytes(torch.cat(self._hands.each(self.codec.pixels, parts)).float().clamp(0, 1))
        self._row_seconds = (time.perf_counter() - began) / (count * rows)
        block.shown = rows
        width = drawn.shape[2]
        pixels = np.full((count, width, width, 3), GRAY, np.uint8)
        pixels[:, : drawn.shape[1]] = drawn
        return list(zip(block.pictures, pixels, strict=False))

    def seconds(self, block: Block) -> float:
        """How long `unfinished` would take now, by the last time it was asked."""
        return self._row_seconds * len(block.pictures) * (block.done // self.side)


def _as_bytes(pixels_BHWC: Tensor) -> Pixels:
    array: Pixels = (pixels_BHWC * 255).round().to("cpu", torch.uint8).numpy()
    return array
