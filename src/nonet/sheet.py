"""The contact sheet: pictures of one drawing, side by side in a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

GAP = 8
"""Pixels between pictures and around them: nine 256x256 pictures make a sheet of exactly 800x800."""


def grid_shape(count: int) -> tuple[int, int]:
    """Columns and rows of the squarest grid that holds `count` pictures; never fewer columns than rows."""
    columns = math.isqrt(max(count, 1) - 1) + 1
    return columns, -(-max(count, 1) // columns)


def compose_sheet(
    pictures: Sequence[Image.Image], *, gap: int = GAP, background: str = "white"
) -> Image.Image:
    """Lay `pictures` (all of one size) row by row into the grid of `grid_shape`; spare cells stay background.

    Raises:
        ValueError: no picture, or pictures of different sizes.
    """
    if not pictures:
        raise ValueError("a sheet needs at least one picture")
    width, height = pictures[0].size
    if any(picture.size != (width, height) for picture in pictures):
        raise ValueError("the pictures of a sheet must have one size")
    columns, rows = grid_shape(len(pictures))
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), background)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (gap + column * (width + gap), gap + row * (height + gap)))
    return sheet
