"""The pattern of the invisible mark: where in a picture's spectrum it lives, and how it is listened to.

See `mark` for the design.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from nonet.safety.provenance.convolution import CODED_BITS

TILE = 256
LOW, HIGH = 9.0, 40.0
SYNC_SHARE = 0.35
SEED = 20220614
LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Pattern:
    """Where the mark lives: positions in the half spectrum (256, 129), their phases, and the bit each belongs to.

    `owner_K` is the bit's number, or CODED_BITS for the fixed pattern; `template` is the fixed pattern in pixels.
    """

    index_K: Tensor
    phase_K: Tensor
    owner_K: Tensor
    count: Tensor
    template: Tensor

    def pixels(self, strength: Tensor) -> Tensor:
        """The pattern (256, 256) for signed strengths (CODED_BITS + 1,), the last one that of the fixed pattern."""
        half = TILE // 2 + 1
        spectrum = torch.zeros(TILE * half, dtype=torch.complex64)
        spectrum[self.index_K] = self.phase_K * strength[self.owner_K]
        found: Tensor = torch.fft.irfft2(spectrum.view(TILE, half), s=(TILE, TILE))
        return found

    def soft(self, white_HW: Tensor) -> tuple[Tensor, float]:
        """How much the bits (CODED_BITS,) and the fixed pattern speak in a whitened (256, 256), about unit noise."""
        found_K = torch.fft.rfft2(white_HW).flatten()[self.index_K]
        size_K = found_K.abs()
        # Compressed, so that a few strong waves of the picture itself cannot outvote all others.
        values_K = (found_K * self.phase_K.conj()).real / (size_K + size_K.mean() + 1e-9)
        total = torch.zeros(CODED_BITS + 1).index_add_(0, self.owner_K, values_K)
        total = total / (values_K.square().mean() * self.count).sqrt().clamp(min=1e-9)
        return total[:-1], float(total[-1])


@cache
def pattern() -> Pattern:
    rows = torch.fft.fftfreq(TILE) * TILE
    columns = torch.arange(TILE // 2 + 1)
    radius = torch.hypot(rows[:, None].expand(TILE, len(columns)), columns.float()[None, :])
    inside = (radius >= LOW) & (radius <= HIGH) & (columns > 0)[None, :]
    index = inside.flatten().nonzero()[:, 0]
    # numpy's generators promise the same numbers in every version; torch's do not.
    noise = np.random.Generator(np.random.PCG64(SEED))
    index = index[torch.from_numpy(noise.permutation(len(index)))]
    angle = torch.from_numpy(noise.random(len(index)) * 2 * math.pi).float()
    fixed = int(SYNC_SHARE * len(index))
    owner = torch.full((len(index),), CODED_BITS)
    owner[fixed:] = torch.arange(len(index) - fixed) % CODED_BITS
    count = torch.bincount(owner, minlength=CODED_BITS + 1).float()
    empty = Pattern(index, torch.polar(torch.ones(len(index)), angle), owner, count, torch.empty(0))
    only_fixed = torch.zeros(CODED_BITS + 1)
    only_fixed[-1] = 1
    template = empty.pixels(only_fixed)
    return Pattern(index, empty.phase_K, owner, count, template / template.square().mean().sqrt())


# Up to this side a product with a matrix of averages is faster than running sums.
_LARGEST_MATRIX = 640
_PART = 64


@lru_cache(maxsize=256)
def _averages(size: int, radius: int) -> Tensor:
    """The matrix (size, size) that averages over neighbours twice; beyond the edge the edge is repeated."""
    rows = torch.arange(size)
    once = torch.zeros(size, size)
    for offset in range(-radius, radius + 1):
        once[rows, (rows + offset).clamp(0, size - 1)] += 1 / (2 * radius + 1)
    return once @ once


def _running(image_HW: Tensor, radius: int, axis: int) -> Tensor:
    size = image_HW.shape[axis]
    edges = [image_HW.narrow(axis, 0, 1)] * (radius + 1), [image_HW.narrow(axis, size - 1, 1)] * radius
    sums = torch.cat([*edges[0], image_HW, *edges[1]], axis).cumsum(axis)
    return (sums.narrow(axis, 2 * radius + 1, size) - sums.narrow(axis, 0, size)) / (2 * radius + 1)


def _averaged(image_HW: Tensor, radius: int) -> Tensor:
    """Averages over neighbouring rows, twice, in parts: far from its diagonal the matrix is 0."""
    size = len(image_HW)
    matrix = _averages(size, radius)
    parts = []
    for start in range(0, size, _PART):
        seen = slice(max(0, start - 2 * radius), start + _PART + 2 * radius)
        parts.append(matrix[start : start + _PART, seen] @ image_HW[seen])
    return torch.cat(parts)


def smooth(image_HW: Tensor, radius: int) -> Tensor:
    """Averages over squares of 2 * radius + 1, twice."""
    if max(image_HW.shape) <= _LARGEST_MATRIX:
        return _averaged(_averaged(image_HW, radius).T, radius).T
    for axis in (0, 1, 0, 1):
        image_HW = _running(image_HW, radius, axis)
    return image_HW


def whiten(luma_HW: Tensor, radius: int = 5) -> Tensor:
    """Take away what is smooth and divide by how lively the neighbourhood is, so that every place counts alike."""
    fine = luma_HW - smooth(luma_HW, radius)
    return (fine / liveliness(fine, radius)).clamp(-2.5, 2.5)


def liveliness(fine_HW: Tensor, radius: int = 5) -> Tensor:
    """The standard deviation around each place, never below that of faint noise."""
    return (smooth(fine_HW.square(), radius) + 2.0**2).sqrt()


def luma(pixels_HW3: Tensor) -> Tensor:
    return pixels_HW3 @ LUMA
