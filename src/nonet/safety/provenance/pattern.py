"""The pattern of the invisible mark: where in a picture's spectrum it lives, and how it is listened to.

See `mark` for the design.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.safety.provenance.convolution import CODED_BITS

TILE = 256
LOW, HIGH = 9.0, 40.0
SYNC_SHARE = 0.35
SEED = 20220614


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


def _box(image_HW: Tensor, radius: int) -> Tensor:
    padded = F.pad(image_HW[None, None], (radius,) * 4, mode="replicate")
    across = F.avg_pool2d(padded, (1, 2 * radius + 1), 1)
    return F.avg_pool2d(across, (2 * radius + 1, 1), 1)[0, 0]


def whiten(luma_HW: Tensor, radius: int = 5) -> Tensor:
    """Take away what is smooth and divide by how lively the neighbourhood is, so that every place counts alike."""
    fine = luma_HW - _box(_box(luma_HW, radius), radius)
    return (fine / liveliness(fine, radius)).clamp(-2.5, 2.5)


def liveliness(fine_HW: Tensor, radius: int = 5) -> Tensor:
    """The standard deviation around each place, never below that of faint noise."""
    return (_box(_box(fine_HW.square(), radius), radius) + 2.0**2).sqrt()


def luma(pixels_HW3: Tensor) -> Tensor:
    return pixels_HW3 @ torch.tensor([0.299, 0.587, 0.114])
