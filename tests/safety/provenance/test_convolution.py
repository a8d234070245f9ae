"""The mark's code brings a value back through noise, and knows when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from nonet.safety.provenance.convolution import CODED_BITS, DATA_BITS, checksum, decode, encode

VALUES = (0, 1, (1 << DATA_BITS) - 1, 0x5A5A5A5, 123456789)


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back(value: int) -> None:
    signs = encode(value)
    assert signs.shape == (CODED_BITS,)
    assert set(signs.tolist()) == {-1, 1}
    assert decode(signs.astype(np.float32)) == value


def test_noise_of_the_signals_own_size_is_overcome() -> None:
    noise = np.random.default_rng(0)
    for value in VALUES:
        soft = encode(value) + noise.normal(size=CODED_BITS)
        assert decode(soft.astype(np.float32)) == value


def test_lost_bits_are_made_up_for() -> None:
    soft = encode(4711).astype(np.float32)
    soft[::3] = 0
    assert decode(soft) == 4711


def test_noise_alone_is_hardly_ever_a_value() -> None:
    noise = np.random.default_rng(1)
    read = [decode(noise.normal(size=CODED_BITS).astype(np.float32)) for _ in range(150)]
    # One in 65,536 by chance.
    assert read.count(None) >= 149


@pytest.mark.parametrize("value", [-1, 1 << DATA_BITS])
def test_only_so_many_bits_fit(value: int) -> None:
    with pytest.raises(ValueError, match="28 bits"):
        encode(value)


def test_checksums_of_near_values_differ() -> None:
    found = {checksum(1 << shift) for shift in range(DATA_BITS)}
    assert len(found) == DATA_BITS
