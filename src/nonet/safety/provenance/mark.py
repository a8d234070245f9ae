"""The invisible mark: a faint pattern in the brightness of a picture that says "made by Nonet".

Design (informed spread spectrum; Cox et al., IEEE Transactions on Image Processing 6, 1997; Miller, Doerr and Cox,
ibid. 13, 2004):

- The pattern lives in a ring of spatial frequencies (9 to 40 waves across 256 pixels) that halving a picture and
  JPEG leave in place. It repeats every 256 pixels.
- Some of the frequencies form one fixed pattern, by which the mark is found at any place and size; each of the
  others belongs to one of the bits of a coded payload (see `convolution`). All phases are fixed noise.
- Embedding is informed: it listens to the result and moves strength to the bits that the picture itself speaks
  against. It is as faint as it can be: the faintest of a few strengths whose payload still stands out clearly
  after the picture was halved and saved as JPEG of quality 60.
- Detection (`detection`) whitens the brightness, tries the likely sizes and then all sizes, and says "present" only
  if the fixed pattern stands out and the payload's checksum is right.

Pictures are uint8 (height, width, 3).
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nonet.errors import NonetError
from nonet.safety.provenance.convolution import CODED_BITS, encode
from nonet.safety.provenance.pattern import LUMA, TILE, liveliness, luma, pattern, whiten

MODELS = ("other", "doodle", "mini", "mega")
# Distances from the original in dB, faintest first; the last one is used if none is clear enough.
PSNRS = (42.0, 40.0, 38.2)
# Standard deviations that bits and fixed pattern must stand out by after halving and JPEG.
CLEAR_BITS, CLEAR_FIXED = 14.5, 7.0
# The fixed pattern should speak at least this much as loud as all bits together.
_FIXED_SHARE = 0.65
# Rounds of listening at the first strength, and at a next one, which begins with what the first has learned.
_ROUNDS, _MORE_ROUNDS = 4, 2

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Payload:
    """What the mark says besides "made by Nonet".

    Attributes:
        model: one of `MODELS`; names beyond them are "other".
        job: a fingerprint of the job, 24 bits, see `fingerprint`.
    """

    model: str
    job: int

    def value(self) -> int:
        """The payload's 28 bits."""
        model = MODELS.index(self.model) if self.model in MODELS else 0
        return model << 24 | self.job & 0xFFFFFF

    @classmethod
    def of(cls, value: int) -> Payload:
        """The payload of 28 bits."""
        model = value >> 24
        return cls(MODELS[model] if model < len(MODELS) else "other", value & 0xFFFFFF)


def fingerprint(job: str) -> int:
    """24 bits that tell one job's pictures from another's; equal jobs have equal ones."""
    return int.from_bytes(hashlib.sha256(job.encode("utf-8", "replace")).digest()[:3], "big")


def can_carry(height: int, width: int) -> bool:
    """Whether a picture of this size is large enough for the mark."""
    return min(height, width) >= TILE


@torch.inference_mode()
def embed(pixels: Pixels, payload: Payload, *, psnrs: tuple[float, ...] = PSNRS) -> Pixels:
    """The picture with the mark in it.

    Args:
        pixels: uint8 (height, width, 3), both at least 256.
        payload: what the mark says.
        psnrs: distances from the original in dB to choose from, faintest first; none is fallen short of.

    Raises:
        NonetError: `setting_invalid` if the picture is too small.
    """
    height, width = pixels.shape[:2]
    if pixels.ndim != 3 or not can_carry(height, width):
        raise NonetError("setting_invalid", f"The invisible mark needs pictures of {TILE}x{TILE} or more.")
    # Channels first: what is added is the same for all three, and so it is added to contiguous numbers.
    original = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32, order="C"))
    signs = torch.cat([torch.from_numpy(encode(payload.value())).float(), torch.ones(1)])
    mask = _mask(original)
    strength = torch.ones(CODED_BITS + 1)
    marked = original
    for psnr in psnrs:
        rounds = _ROUNDS if psnr == psnrs[0] else _MORE_ROUNDS
        marked, strength = _embed_at(original, mask, signs, strength, psnr, rounds)
        if psnr == psnrs[-1]:
            break
        soft, fixed = pattern().soft(whiten(_worn(marked)))
        said = float((soft * signs[:-1]).sum()) / CODED_BITS**0.5
        if said >= CLEAR_BITS and fixed >= CLEAR_FIXED:
            break
    return _as_pixels(marked)


def _as_pixels(picture_3HW: Tensor) -> Pixels:
    return picture_3HW.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _light(picture_3HW: Tensor) -> Tensor:
    return torch.einsum("chw,c->hw", picture_3HW, LUMA)


def _mask(original_3HW: Tensor) -> Tensor:
    """More strength where the picture is lively and the eye sees less (height, width)."""
    light = _light(original_3HW)
    # Rows and columns one after the other: a square at once takes three times as long.
    rows = F.avg_pool2d(light[None, None], (5, 1), 1, (2, 0))
    lively = liveliness(light - F.avg_pool2d(rows, (1, 5), 1, (0, 2))[0, 0], 3)
    return 0.4 + 1.1 * lively / (lively + 8)


def _embed_at(
    original: Tensor, mask: Tensor, signs: Tensor, strength: Tensor, psnr: float, rounds: int
) -> tuple[Tensor, Tensor]:
    height, width = original.shape[1:]
    distance = 255 * 10 ** (-psnr / 20)
    marked, off = torch.empty_like(original), torch.empty_like(original)
    added = mask

    def add() -> float:
        """Lay it over the picture; how far the whole numbers of the result are from it."""
        torch.add(original, added, out=marked).clamp_(0, 255).round_()
        difference = torch.sub(marked, original, out=off).flatten()
        return math.sqrt(float(difference.dot(difference)) / len(difference))

    for round_ in range(rounds):
        last = round_ == rounds - 1
        tile = pattern().pixels(signs * strength)
        tile = tile.repeat(-(-height // TILE), -(-width // TILE))[:height, :width]
        added = tile * mask
        added = added * (distance / added.square().mean().sqrt())
        for _ in range(3 if last else 1):
            # White cannot become whiter: what is cut off there is made up for elsewhere.
            added = added * min(1.5, max(0.5, distance / max(add(), 1e-9)))
        if not last:
            soft, fixed = pattern().soft(whiten(_light(marked[:, :TILE, :TILE])))
            margin = soft * signs[:-1]
            push = torch.exp(-0.25 * (margin - margin.mean()) / margin.std().clamp(min=0.3))
            # The fixed pattern gets more where the picture drowns it: without it the bits are not found.
            said = float(margin.sum()) / CODED_BITS**0.5
            more = min(1.3, max(1.0, _FIXED_SHARE * said / max(fixed, 1.0)))
            strength = torch.cat([(strength[:-1] * push).clamp(0.2, 5), strength[-1:] * more])
    while add() > distance:
        added = added * 0.99
    return marked, strength


def _worn(marked_3HW: Tensor) -> Tensor:
    """The brightness (256, 256) of the picture's first square after halving and JPEG."""
    image = Image.fromarray(_as_pixels(marked_3HW[:, :TILE, :TILE]))
    stream = io.BytesIO()
    image.resize((TILE // 2, TILE // 2), Image.Resampling.BICUBIC).save(stream, "jpeg", quality=60)
    back = Image.open(stream).resize((TILE, TILE), Image.Resampling.BICUBIC)
    return luma(torch.from_numpy(np.array(back)).float())
