"""Finding the invisible mark in a picture of unknown size, crop and surroundings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.safety.provenance.convolution import likeliest
from nonet.safety.provenance.mark import Payload, Pixels
from nonet.safety.provenance.pattern import TILE, luma, pattern, whiten

# The fixed pattern must stand out by this many standard deviations before a payload is read at all.
THRESHOLD = 6.0
# What both must reach for a mark to be there; the false-positive rate in docs/safety.md rests on these two. A picture
# without a mark reads any one of the 2^28 payloads with at most 2^28 * Q(9.5) = 3e-13, Q the normal tail.
FIXED_THRESHOLD = 4.0
PAYLOAD_THRESHOLD = 9.5
# The search listens at half size, where the pattern is whole still and everything costs a quarter.
_HALF = TILE // 2
_STEP = 1.018
_TRIED = 5
_SMALLEST_SCALE, _LARGEST_SCALE = 0.42, 4.0
_LARGEST_SIDE = 1300


@dataclass(frozen=True)
class Mark:
    """A mark that was found.

    Attributes:
        payload: what it says.
        left, top, size: where the marked square lies in the picture, in its pixels; parts may be cut off.
        strength: standard deviations by which pattern and payload together stand out of the picture.
    """

    payload: Payload
    left: int
    top: int
    size: int
    strength: float


@dataclass(frozen=True)
class _Peak:
    """A place where the fixed pattern stands out; row and column in pixels of the picture divided by scale."""

    value: float
    scale: float
    row: int
    column: int


@torch.inference_mode()
def detect(pixels: Pixels, *, thorough: bool = True, most: int = 9) -> list[Mark]:
    """The marks in a picture; an empty list means that none can be seen.

    Args:
        pixels: uint8 (height, width, 3).
        thorough: try every size if the likely ones show nothing (about a second more).
        most: look for that many marks (a sheet has nine).
    """
    if pixels.ndim != 3 or min(pixels.shape[:2]) < 64:
        return []
    light = luma(torch.from_numpy(np.array(pixels)).float())
    height, width = light.shape
    scales = list(dict.fromkeys(_likely_scales(height, width)))
    for scale in scales:
        if (round(height / scale), round(width / scale)) == (TILE, TILE):
            # A whole picture needs no search, and is read where the search would not find it any more.
            mark = _read(_resized(light, scale), _Peak(0.0, scale, 0, 0))
            if mark is not None:
                return [mark]
    seen: list[_Peak] = []
    for scale in scales:
        peak = _coarse(light, scale)
        if peak is None:
            continue
        seen.append(peak)
        if peak.value >= THRESHOLD + 1:
            marks = _marks_at(light, peak.scale, most)
            if marks:
                return marks
    marks = _marks_near(light, seen, most)
    if marks or not thorough:
        return marks
    every = (_coarse(light, scale) for scale in _all_scales(height, width))
    return _marks_near(light, [peak for peak in every if peak is not None], most)


def _likely_scales(height: int, width: int) -> Iterator[float]:
    """The sizes that a marked square probably has in this picture, as factors of 256."""
    scales = [1.0, 0.5]
    if height == width:
        # One picture, one with a frame, and the sheet of nine.
        scales += [width / side for side in (256, 264, 800)]
    scales += [max(height, width) / (256 * kept) for kept in (0.9, 0.8)]
    return (scale for scale in scales if _sensible(height, width, scale))


def _all_scales(height: int, width: int) -> Iterator[float]:
    scale = _SMALLEST_SCALE
    while scale < _LARGEST_SCALE:
        if _sensible(height, width, scale):
            yield scale
        scale *= _STEP


def _sensible(height: int, width: int, scale: float) -> bool:
    """Whether most of a square would be in the picture, and the picture not too large to look at."""
    in_range = _SMALLEST_SCALE <= scale <= _LARGEST_SCALE
    return (
        in_range and min(height, width) / scale >= 0.6 * TILE and max(height, width) / scale <= _LARGEST_SIDE
    )


def _resized(light_HW: Tensor, scale: float) -> Tensor:
    height, width = light_HW.shape
    size = (round(height / scale), round(width / scale))
    if size == (height, width):
        return light_HW
    image_11HW = light_HW[None, None]
    resized: Tensor = F.interpolate(
        image_11HW, size=size, mode="bicubic", antialias=scale > 1, align_corners=False
    )
    return resized[0, 0]


@lru_cache(maxsize=64)
def _template_spectrum(height: int, width: int, tile: int) -> Tensor:
    template = pattern().template
    if tile == _HALF:
        template = F.avg_pool2d(template[None, None], 2)[0, 0]
        template = template / template.square().mean().sqrt()
    spectrum: Tensor = torch.fft.rfft2(template.flip(0, 1), s=(height, width))
    return spectrum


def _correlation(white_HW: Tensor, tile: int) -> Tensor:
    """How far the fixed pattern stands out at every place, in standard deviations.

    Place (r, c) of the result means that the marked square's corner is at (r - tile + 1, c - tile + 1).
    """
    height, width = white_HW.shape
    shape = (_fast(height + tile - 1), _fast(width + tile - 1))
    spectrum = torch.fft.rfft2(white_HW, s=shape) * _template_spectrum(*shape, tile)
    found: Tensor = torch.fft.irfft2(spectrum, s=shape)[: height + tile - 1, : width + tile - 1]
    # The template has mean square 1, so the picture's energy under it is the variance of the correlation.
    under = _sums(_sums(white_HW.square(), tile).T, tile).T
    # A square of which only a sixth is in the picture says nothing.
    floor = 0.15 * tile * tile * float(white_HW.square().mean()) + 1e-6
    return found / under.clamp(min=floor).sqrt()


def _sums(values_HW: Tensor, tile: int) -> Tensor:
    """Sums (H + tile - 1, W) over the `tile` rows that end at each row; outside the picture there is nothing."""
    height = len(values_HW)
    ends = torch.arange(1, height + tile)
    sums = F.pad(values_HW, (0, 0, 1, 0)).cumsum(0)
    return sums[ends.clamp(max=height)] - sums[(ends - tile).clamp(min=0)]


def _fast(size: int) -> int:
    """The next size whose only factors are 2, 3 and 5."""
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1


def _coarse(light_HW: Tensor, scale: float) -> _Peak | None:
    """The highest peak at a scale, listened to at half size."""
    map_ = _correlation(whiten(_resized(light_HW, 2 * scale), 2), _HALF)
    value, place = map_.flatten().max(0)
    row, column = divmod(int(place), map_.shape[1])
    return _Peak(float(value), scale, 2 * (row - _HALF + 1), 2 * (column - _HALF + 1))


def _marks_at(light_HW: Tensor, scale: float, most: int) -> list[Mark]:
    """The marks that can be read at a scale."""
    image = _resized(light_HW, scale)
    map_ = _correlation(whiten(image), TILE)
    marks: list[Mark] = []
    for _ in range(most):
        value, place = map_.flatten().max(0)
        if value < THRESHOLD:
            break
        row, column = divmod(int(place), map_.shape[1])
        mark = _read(image, _Peak(float(value), scale, row - TILE + 1, column - TILE + 1))
        if mark is not None:
            marks.append(mark)
        map_[max(0, row - 128) : row + 129, max(0, column - 128) : column + 129] = -math.inf
    return marks


def _marks_near(light_HW: Tensor, peaks: list[_Peak], most: int) -> list[Mark]:
    """The marks at the scales of the highest peaks, after these have been found more exactly."""
    for peak in sorted(peaks, key=lambda one: -one.value)[:_TRIED]:
        # Between two scales of the search, and at half size, a peak loses some of its height.
        if peak.value < THRESHOLD - 1.5:
            break
        marks = _marks_at(light_HW, _refined(light_HW, peak).scale, most)
        if marks:
            return marks
    return []


def _refined(light_HW: Tensor, peak: _Peak) -> _Peak:
    for step in (1.008, 1.004, 1.002):
        tries = (_coarse(light_HW, peak.scale * factor) for factor in (1 / step, step))
        peak = max([peak, *(one for one in tries if one is not None)], key=lambda one: one.value)
    return peak


def _read(image_HW: Tensor, peak: _Peak) -> Mark | None:
    """The mark at a peak, if its payload can be read."""
    rows = torch.arange(peak.row, peak.row + TILE).clamp(0, image_HW.shape[0] - 1)
    columns = torch.arange(peak.column, peak.column + TILE).clamp(0, image_HW.shape[1] - 1)
    soft, fixed = pattern().soft(whiten(image_HW[rows][:, columns]))
    if fixed < FIXED_THRESHOLD:
        return None
    value, said = likeliest(soft.numpy())
    if value is None or said < PAYLOAD_THRESHOLD:
        return None
    strength = math.hypot(said, fixed)
    left, top = round(peak.column * peak.scale), round(peak.row * peak.scale)
    return Mark(Payload.of(value), left, top, round(TILE * peak.scale), strength)
