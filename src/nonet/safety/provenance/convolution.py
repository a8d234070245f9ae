"""The error-correcting code of the invisible mark: a convolutional code with a checksum, decoded softly.

Constraint length 9, rate 1/4, generators 463, 535, 733, 745 (octal), the best known of free distance 24 (Larsen,
IEEE Transactions on Information Theory 19, 1973); Viterbi's algorithm; CRC-16/CCITT.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DATA_BITS = 28
CHECK_BITS = 16
_MEMORY = 8
_STATES = 1 << _MEMORY
_GENERATORS = (0o463, 0o535, 0o733, 0o745)
RATE = len(_GENERATORS)
STEPS = DATA_BITS + CHECK_BITS + _MEMORY
CODED_BITS = STEPS * RATE

Bits = NDArray[np.int8]


def checksum(value: int) -> int:
    """CRC-16/CCITT over the 28 bits of a value, begun with a number of our own."""
    crc = 0x4E39
    for shift in range(DATA_BITS - 1, -1, -1):
        crc ^= (value >> shift & 1) << 15
        crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


@cache
def _outputs() -> NDArray[np.float32]:
    """Signs (256 states, 2 inputs, 4 outputs) that leave a state."""
    register = np.arange(_STATES)[:, None] | np.array([0, 1])[None, :] << _MEMORY
    found = np.empty((_STATES, 2, RATE), np.float32)
    for index, generator in enumerate(_GENERATORS):
        masked = register & generator
        parity = np.zeros_like(masked)
        while masked.any():
            parity ^= masked & 1
            masked >>= 1
        found[:, :, index] = 1 - 2 * parity
    return found


def encode(value: int) -> Bits:
    """The signs (-1 or 1), `CODED_BITS` of them, that carry a value of 28 bits."""
    if not 0 <= value < 1 << DATA_BITS:
        raise ValueError(f"the mark carries {DATA_BITS} bits")
    message = value << CHECK_BITS | checksum(value)
    bits = [message >> shift & 1 for shift in range(DATA_BITS + CHECK_BITS - 1, -1, -1)] + [0] * _MEMORY
    state, signs = 0, []
    for bit in bits:
        signs.append(_outputs()[state, bit])
        state = (state | bit << _MEMORY) >> 1
    return np.concatenate(signs).astype(np.int8)


def decode(soft: NDArray[np.float32]) -> int | None:
    """The value whose signs are likeliest given soft values (`CODED_BITS`,), or None if its checksum is wrong."""
    return likeliest(soft)[0]


def likeliest(soft: NDArray[np.float32]) -> tuple[int | None, float]:
    """As `decode`, and how loud the likeliest signs are, right or wrong: their sum in standard deviations of noise."""
    outputs = _outputs()
    states = np.arange(_STATES)
    # A state is reached from two others that differ in their lowest bit; its highest bit is the input.
    before = (states[:, None] << 1 & (_STATES - 1)) | np.array([0, 1])[None, :]
    bit = states >> (_MEMORY - 1)
    arriving = outputs[before, bit[:, None]]
    score = np.full(_STATES, -np.inf, np.float32)
    score[0] = 0
    steps = np.asarray(soft, np.float32).reshape(STEPS, RATE)
    chosen = np.empty((STEPS, _STATES), np.int8)
    for step, values in enumerate(steps):
        candidates = score[before] + arriving @ values
        if step >= DATA_BITS + CHECK_BITS:
            candidates[bit == 1] = -np.inf
        chosen[step] = candidates.argmax(1)
        score = candidates.max(1)
    state, message = 0, 0
    for step in range(STEPS - 1, -1, -1):
        if step < DATA_BITS + CHECK_BITS:
            message |= int(bit[state]) << (DATA_BITS + CHECK_BITS - 1 - step)
        state = int(before[state, chosen[step, state]])
    value, check = message >> CHECK_BITS, message & 0xFFFF
    return (value if checksum(value) == check else None), float(score[0]) / CODED_BITS**0.5
