"""The collection that `nonet data build` writes, opened for composing: pixels mapped from disk, records, statistics."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from nonet.errors import NonetError
from nonet.files import atomic_write

SIDE = 224
BACKGROUND_SIDE = 256
_STATS = "sprite-stats.npz"
_STATS_VERSION = 1


@dataclass(frozen=True)
class Record:
    """The words of one sprite or background. `colours` are shares (0 to 1) of the visible pixels by colour name."""

    caption: str
    concept: str
    style: str = ""
    synonyms: tuple[str, ...] = ()
    colours: dict[str, float] = field(default_factory=dict)
    split: str = "train"
    weight: float = 1.0
    permissive: bool = False

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Record:
        """Read one line of `records.jsonl`; unknown keys are left out, `concept` defaults to the caption."""
        colours = row.get("colours") or {}
        if not isinstance(colours, dict):
            colours = {name: 1 / (place + 1) for place, name in enumerate(colours)}
        return cls(
            caption=row["caption"].lower().strip(),
            concept=(row.get("concept") or row["caption"]).lower().strip(),
            style=row.get("style", ""),
            synonyms=tuple(word.lower() for word in row.get("synonyms", ())),
            colours={name: float(share) for name, share in colours.items()},
            split=row.get("split", "train"),
            weight=float(row.get("weight", 1.0)),
            permissive=bool(row.get("permissive", False)),
        )


@dataclass(frozen=True)
class SpriteStats:
    """What the composer must know of every sprite's pixels.

    `extent_N4`: left, top, right, bottom of what is visible, shares of the square. `mean_N3`: mean visible colour, 0..1.
    `hsv_N3`: mean hue, saturation and value of the coloured pixels (0..1 each). `hue_focus_N`: 1 where all coloured
    pixels have one hue, 0 where hues cancel out. `coloured_N`: share of visible pixels with a clear colour.
    """

    extent_N4: Tensor
    mean_N3: Tensor
    hsv_N3: Tensor
    hue_focus_N: Tensor
    coloured_N: Tensor


@dataclass(frozen=True)
class Sprites:
    """An opened collection: `pixels_NHW4` uint8 straight RGBA, `backgrounds_MHW3` uint8, both mapped from disk."""

    folder: Path
    records: tuple[Record, ...]
    pixels_NHW4: Tensor
    backgrounds: tuple[Record, ...]
    backgrounds_MHW3: Tensor
    heldout_pairs: dict[str, frozenset[tuple[str, str]]]
    stats: SpriteStats


def open_sprites(folder: str | os.PathLike[str]) -> Sprites:
    """Open a collection folder. The first time, statistics of all sprites are computed and kept beside it.

    Raises:
        NonetError: `data_missing` or `data_corrupt`.
    """
    root = Path(folder)
    records = _records(root / "records.jsonl")
    backgrounds = _records(root / "backgrounds.jsonl") if (root / "backgrounds.jsonl").exists() else ()
    pixels = _mapped(root / "sprites.u8", (len(records), SIDE, SIDE, 4))
    pictures = _mapped(root / "backgrounds.u8", (len(backgrounds), BACKGROUND_SIDE, BACKGROUND_SIDE, 3))
    pairs_file = root / "heldout_pairs.json"
    pairs = json.loads(pairs_file.read_text("utf-8")) if pairs_file.exists() else {}
    return Sprites(
        folder=root,
        records=records,
        pixels_NHW4=pixels,
        backgrounds=backgrounds,
        backgrounds_MHW3=pictures,
        heldout_pairs={name: frozenset((a, b) for a, b in rows) for name, rows in pairs.items()},
        stats=_stats(root, pixels),
    )


def _records(path: Path) -> tuple[Record, ...]:
    if not path.exists():
        raise NonetError("data_missing", f"{path} is missing.", "Run `nonet data build` first.")
    try:
        return tuple(
            Record.from_dict(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NonetError(
            "data_corrupt", f"{path} cannot be read: {error!r}.", "Build the collection again."
        ) from error


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    """Map a raw uint8 file; copy on write, so that nothing can change it."""
    if shape[0] == 0:
        return torch.zeros(shape, dtype=torch.uint8)
    if not path.exists():
        raise NonetError("data_missing", f"{path} is missing.", "Run `nonet data build` first.")
    if path.stat().st_size != int(np.prod(shape)):
        raise NonetError(
            "data_corrupt", f"{path} does not hold {shape[0]} pictures.", "Build the collection again."
        )
    return torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c", shape=shape))


def _stats(root: Path, pixels_NHW4: Tensor) -> SpriteStats:
    path = root / _STATS
    stamp = f"{_STATS_VERSION}:{len(pixels_NHW4)}"
    if len(pixels_NHW4):
        stamp += f":{(root / 'sprites.u8').stat().st_mtime_ns}"
    if path.exists():
        with np.load(path) as kept:
            if str(kept["stamp"]) == stamp:
                return SpriteStats(*(torch.from_numpy(kept[name]) for name in SpriteStats.__annotations__))
    parts = [measure(chunk) for chunk in pixels_NHW4.split(256)] if len(pixels_NHW4) else []
    joined = {
        name: torch.cat([getattr(part, name) for part in parts]) if parts else torch.zeros(0)
        for name in SpriteStats.__annotations__
    }
    try:
        with atomic_write(path) as stream:
            np.savez(
                cast(BinaryIO, stream),
                stamp=np.array(stamp),
                **{name: value.numpy() for name, value in joined.items()},
            )
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
    hue, saturation, value = rgb_to_hsv(rgb).unbind(-1)
    weight = alpha * ((saturation > 0.2) & (value > 0.15)) * saturation * value
    total = weight.sum((1, 2)).clamp(min=1e-6)
    angle = hue * 2 * torch.pi
    x, y = (weight * angle.cos()).sum((1, 2)) / total, (weight * angle.sin()).sum((1, 2)) / total
    return SpriteStats(
        extent_N4=torch.stack([left, top, right, bottom], 1),
        mean_N3=mean,
        hsv_N3=torch.stack(
            [
                torch.atan2(y, x).div(2 * torch.pi).remainder(1),
                (weight * saturation).sum((1, 2)) / total,
                (weight * value).sum((1, 2)) / total,
            ],
            1,
        ),
        hue_focus_N=torch.hypot(x, y),
        coloured_N=(weight > 0).float().sum((1, 2)) / count,
    )


def rgb_to_hsv(rgb: Tensor) -> Tensor:
    """(..., 3) in 0..1 to hue, saturation, value in 0..1."""
    value, which = rgb.max(-1)
    chroma = value - rgb.amin(-1)
    red, green, blue = rgb.unbind(-1)
    safe = chroma.clamp(min=1e-6)
    sectors = torch.stack(
        [((green - blue) / safe) % 6, (blue - red) / safe + 2, (red - green) / safe + 4], -1
    )
    hue = sectors.gather(-1, which[..., None])[..., 0] / 6
    return torch.stack([hue, chroma / value.clamp(min=1e-6), value], -1)


def hsv_to_rgb(hsv: Tensor) -> Tensor:
    """(..., 3) hue, saturation, value in 0..1 to RGB."""
    hue, saturation, value = hsv.unbind(-1)
    # Each channel is a trapezoid over the hue circle (Alvy Ray Smith 1978, in closed form).
    sector = (torch.tensor([5.0, 3.0, 1.0], device=hsv.device) + hue[..., None] * 6) % 6
    ramp = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * ramp)
