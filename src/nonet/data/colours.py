"""Naming the colours of a picture with the eleven basic colour words of English (Berlin and Kay, 1969)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nonet.data.captions import COLOURS
from nonet.data.pictures import Pixels

_SMALLEST_SHARE = 0.08


def colour_indices(rgb_N3: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The index into `COLOURS` of every pixel (N, 3), by hue, saturation and brightness."""
    rgb = rgb_N3.astype(np.float32) / 255
    value = rgb.max(axis=1)
    low = rgb.min(axis=1)
    chroma = value - low
    saturation = np.where(value > 0, chroma / np.maximum(value, 1e-6), 0)
    red, green, blue = rgb.T
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = hue * 60
    names = np.full(len(rgb), COLOURS.index("gray"))

    def put(mask: NDArray[np.bool_], name: str) -> None:
        names[mask] = COLOURS.index(name)

    put((hue < 14) | (hue >= 345), "red")
    put((hue >= 14) & (hue < 42), "orange")
    put((hue >= 42) & (hue < 68), "yellow")
    put((hue >= 68) & (hue < 168), "green")
    put((hue >= 168) & (hue < 248), "blue")
    put((hue >= 248) & (hue < 300), "purple")
    put((hue >= 300) & (hue < 345), "pink")
    # Light reds are pink; dark or dull reds and oranges are brown; pale oranges are skin and sand: neither.
    put(((hue < 14) | (hue >= 335)) & (saturation < 0.62) & (value > 0.75), "pink")
    put((hue >= 8) & (hue < 48) & (value < 0.72), "brown")
    put(((hue < 8) | (hue >= 345)) & (value < 0.42), "brown")
    put((hue >= 14) & (hue < 45) & (saturation < 0.5) & (value < 0.85), "brown")
    put((hue >= 300) & (hue < 345) & (value < 0.45), "purple")
    put((hue >= 42) & (hue < 68) & (value < 0.55), "green")
    # A slate gray is still a gray.
    dull = (saturation < 0.14) | (chroma < 0.07) | ((saturation < 0.21) & (chroma < 0.16))
    put(dull, "gray")
    put(dull & (value > 0.86), "white")
    put((value < 0.2) | (dull & (value < 0.28)) | ((value < 0.34) & (chroma < 0.12)), "black")
    return names


def dominant_colours(pixels_HWC: Pixels, most: int = 3) -> dict[str, float]:
    """Shares of the most common colour names among visible pixels, largest first; shares under 8% are left out."""
    # Every fourth pixel in both directions is enough for shares of whole percents.
    some = pixels_HWC[::4, ::4].reshape(-1, pixels_HWC.shape[2])
    seen = some[some[:, 3] > 127][:, :3] if some.shape[1] == 4 else some
    if not len(seen):
        return {}
    counts = np.bincount(colour_indices(seen), minlength=len(COLOURS)) / len(seen)
    order = np.argsort(-counts, kind="stable")[:most]
    return {COLOURS[i]: round(float(counts[i]), 2) for i in order if counts[i] >= _SMALLEST_SHARE}


# What light and shade make of a paint.
_LOOKS = {
    "red": ("red", "brown", "pink"), "orange": ("orange", "brown", "red"), "yellow": ("yellow", "orange", "green"),
    "green": ("green",), "blue": ("blue", "black"), "purple": ("purple", "blue", "pink"),
    "pink": ("pink", "red", "purple"), "brown": ("brown", "orange", "red", "black"),
    "black": ("black", "gray", "brown"), "white": ("white", "gray"), "gray": ("gray", "white", "black"),
}  # fmt: skip
_SMALLEST_PAINT = 0.3


def painted_colours(colours: dict[str, float], paint: str) -> dict[str, float] | None:
    """The colours of a thing painted in a known one, its largest look-alike named after the paint.

    None where too little of the paint is seen to call the thing by it.
    """
    looks = [name for name in colours if name in _LOOKS[paint]]
    if sum(colours[name] for name in looks) < _SMALLEST_PAINT:
        return None
    if paint in colours:
        return colours
    return {paint if name == looks[0] else name: share for name, share in colours.items()}
