"""Grids of pictures to look at."""

from __future__ import annotations

import textwrap

import torch
from PIL import Image, ImageDraw
from torch import Tensor


def to_image(pixels_HWC: Tensor) -> Image.Image:
    """An 8-bit picture of floats in [0, 1]; what lies outside is clipped."""
    return Image.fromarray(pixels_HWC.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy())


def grid_sheet(
    pixels_BHWC: Tensor, columns: int, captions: list[str] | None = None, gap: int = 4
) -> Image.Image:
    """Pictures row by row on white, each with its caption under it."""
    count, height, width = pixels_BHWC.shape[:3]
    rows = -(-count // columns)
    foot = 26 if captions else 0
    size = (columns * (width + gap) + gap, rows * (height + gap + foot) + gap)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for index in range(count):
        row, column = divmod(index, columns)
        x, y = gap + column * (width + gap), gap + row * (height + gap + foot)
        sheet.paste(to_image(pixels_BHWC[index]), (x, y))
        if captions:
            text = "\n".join(textwrap.wrap(captions[index], max(8, width // 6))[:2])
            draw.multiline_text((x, y + height), text, fill="black", spacing=1)
    return sheet
