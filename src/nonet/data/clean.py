"""Which drawn pictures are worth keeping, and which show the same thing twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nonet.data.pictures import Pixels

_HASH = 16
_THUMB = 6
# Bits of 256 and colour distance (0-255) up to which two pictures are one. Chosen by eye on pairs of
# neighbouring emoji: at 14 bits, left-facing and right-facing hands begin to fall together.
SAME_BITS = 10
SAME_COLOUR = 30.0
# Of the 108 colour values only the most different ones count: a small thing in another colour is another thing.
_COUNTED = 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What duplicates share: 256 gradient bits as 4 words, and a small colour picture (108 values)."""

    bits_4: NDArray[np.uint64]
    thumb: NDArray[np.uint8]


def fingerprint(sprite_HW4: Pixels) -> Fingerprint:
    """Difference hash (horizontal gradients of a 17x16 gray picture) and a 6x6 colour thumbnail, on mid gray."""
    alpha = sprite_HW4[..., 3:].astype(np.float32) / 255
    flat = (sprite_HW4[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8)
    image = Image.fromarray(flat)
    gray = np.asarray(image.convert("L").resize((_HASH + 1, _HASH), Image.Resampling.BOX)).astype(np.int16)
    # A gradient needs a step of two levels: flat areas would otherwise hash their rounding noise.
    bits = (gray[:, 1:] - gray[:, :-1] > 2).reshape(-1)
    thumb = np.asarray(image.resize((_THUMB, _THUMB), Image.Resampling.BOX)).reshape(-1)
    return Fingerprint(np.packbits(bits).view(np.uint64), thumb)


def reason_to_drop(sprite_HW4: Pixels, native: int) -> str | None:
    """Why a fitted sprite is not worth keeping ("blank", "tiny", "sliver", "one tone"), or None.

    `native` is the longest side that its content had in the source, in pixels; vectors count as large.
    """
    alpha = sprite_HW4[..., 3]
    cover = float((alpha > 127).mean())
    if cover < 0.015:
        return "blank"
    if native < 28:
        return "tiny"
    rows = int((alpha > 127).any(axis=1).sum())
    columns = int((alpha > 127).any(axis=0).sum())
    if min(rows, columns) * 12 < max(rows, columns):
        return "sliver"
    seen = sprite_HW4[alpha > 127][:, :3]
    # A fully filled square of one tone shows nothing; a silhouette (one tone with a shape) is kept.
    if cover > 0.97 and float(seen.std(axis=0).max()) < 6:
        return "one tone"
    return None


def find_duplicates(
    bits_N4: NDArray[np.uint64], thumbs_NC: NDArray[np.uint8], chunk: int = 256
) -> NDArray[np.int64]:
    """For each picture the index of the earlier kept picture it repeats, or -1. Earlier in the order wins."""
    count = len(bits_N4)
    repeats = np.full(count, -1, np.int64)
    thumbs = thumbs_NC.astype(np.int16)
    for start in range(0, count, chunk):
        stop = min(start + chunk, count)
        differing = np.zeros((stop - start, stop), np.uint16)
        for word in range(bits_N4.shape[1]):
            differing += np.bitwise_count(bits_N4[start:stop, None, word] ^ bits_N4[None, :stop, word])
        for row, column in zip(*np.nonzero(differing <= SAME_BITS), strict=True):
            this, other = start + int(row), int(column)
            if other >= this or repeats[this] >= 0 or repeats[other] >= 0:
                continue
            apart = np.sort(np.abs(thumbs[this] - thumbs[other]))[-_COUNTED:]
            if apart.mean() <= SAME_COLOUR:
                repeats[this] = other
    return repeats
