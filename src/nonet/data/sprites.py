"""The collection that `nonet data build` writes, opened for composing: tensors and statistics of its
sprites."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nonet.data.collection import Collection
from nonet.data.render import BACKGROUND, SPRITE
from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.model.recolour import paint_of

FILL = SPRITE / BACKGROUND
"""A sprite's square fills this share of its box: one cell of margin around a thing that fills the canvas."""
_STATS = "sprite-stats.npz"
_STATS_VERSION = 1


@dataclass(frozen=True)
class SpriteStats:
    """What the composer must know of every sprite's pixels.

    `extent_N4`: left, top, right, bottom of what is visible, shares of the square. `mean_N3`: mean visible
    colour, 0..1. `hsv_N3`: mean hue, saturation and value of the coloured pixels (0..1 each). `hue_focus_N`:
    1 where all coloured pixels have one hue, 0 where hues cancel out. `coloured_N`: share of visible pixels
    with a clear colour.
    """

    extent_N4: Tensor
    mean_N3: Tensor
    hsv_N3: Tensor
    hue_focus_N: Tensor
    coloured_N: Tensor


@dataclass(frozen=True)
class Sprites:
    """A collection with its pixels as tensors mapped from disk, and the statistics of its sprites.

    `pixels_NHW4`: uint8 (N, 224, 224, 4) straight RGBA; `backgrounds_MHW3`: uint8 (M, 256, 256, 3).
    """

    collection: Collection
    pixels_NHW4: Tensor
    backgrounds_MHW3: Tensor
    stats: SpriteStats


def open_sprites(source: str | os.PathLike[str] | Collection) -> Sprites:
    """Open a collection for composing. The first time, all sprites are measured and the result kept beside
    them.

    Raises:
        NonetError: `data_missing` or `data_corrupt`.
    """
    collection = source if isinstance(source, Collection) else Collection.open(Path(source))
    pixels_NHW4 = _shared(collection.sprites)
    return Sprites(
        collection, pixels_NHW4, _shared(collection.backgrounds), _stats(collection.folder, pixels_NHW4)
    )


def _shared(array: NDArray[np.uint8]) -> Tensor:
    """The array's memory as a tensor. It is mapped read-only, which torch warns of; nothing here writes to
    it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)


def _stats(root: Path, pixels_NHW4: Tensor) -> SpriteStats:
    path = root / _STATS
    stamp = f"{_STATS_VERSION}:{len(pixels_NHW4)}"
    if len(pixels_NHW4):
        stamp += f":{(root / 'sprites.u8').stat().st_mtime_ns}"
    if path.exists():
        with np.load(path) as kept:
            if str(kept["stamp"]) == stamp:
                return SpriteStats(*(torch.from_numpy(kept[name]) for name in SpriteStats.__annotations__))
    parts = [measure(pixels_NHW4[at : at + 256]) for at in range(0, len(pixels_NHW4), 256)]
    joined = {
        name: torch.cat([getattr(part, name) for part in parts]) if parts else torch.zeros(0)
        for name in SpriteStats.__annotations__
    }
    try:
        with atomic_write(path) as stream:
            arrays: dict[str, Any] = {name: value.numpy() for name, value in joined.items()}
            np.savez(stream, stamp=np.array(stamp), **arrays)
    except NonetError:
        pass  # A read-only collection is measured at every start.
    return SpriteStats(**joined)


def measure(pixels_NHW4: Tensor) -> SpriteStats:
    """Statistics of some sprites; see `SpriteStats`."""
    side = pixels_NHW4.shape[1]
    seen = pixels_NHW4[..., 3] > 40
    extents = []
    for axis in (1, 2):  # columns seen, rows seen
        line = seen.any(axis)
        first = line.float().argmax(1) / side
        last = 1 - line.flip(1).float().argmax(1) / side
        extents.append((first, last))
    (left, right), (top, bottom) = extents
    some = pixels_NHW4[:, ::4, ::4].float() / 255
    alpha = (some[..., 3] > 0.5).float()
    rgb = some[..., :3]
    count = alpha.sum((1, 2)).clamp(min=1)
    mean = (rgb * alpha[..., None]).sum((1, 2)) / count[:, None]
    paint = paint_of(rgb, alpha)
    return SpriteStats(
        extent_N4=torch.stack([left, top, right, bottom], 1),
        mean_N3=mean,
        hsv_N3=paint.hsv_N3,
        hue_focus_N=paint.focus_N,
        coloured_N=paint.share_N,
    )
