"""Pictures like drawings, for tests: flat shapes, mostly on white."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def drawing(seed: int, side: int = 256) -> NDArray[np.uint8]:
    """A drawing (side, side, 3)."""
    chance = random.Random(seed)
    image = Image.new("RGB", (512, 512), "white" if seed % 3 else (200, 220, 240))
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randint(4, 12)):
        x, y = chance.randint(40, 470), chance.randint(40, 470)
        w, h = chance.randint(15, 140), chance.randint(15, 140)
        colour = tuple(chance.randrange(256) for _ in range(3))
        shape = draw.ellipse if chance.random() < 0.5 else draw.rectangle
        shape((x - w, y - h, x + w, y + h), fill=colour)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))
