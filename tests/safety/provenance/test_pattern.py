"""The mark's pattern is fixed for all time: what was marked yesterday is found tomorrow."""

from __future__ import annotations

import hashlib

import torch

from nonet.safety.provenance.convolution import CODED_BITS
from nonet.safety.provenance.pattern import HIGH, LOW, TILE, pattern, whiten


def test_the_pattern_never_changes() -> None:
    found = pattern()
    numbers = torch.cat([found.index_K, found.owner_K]).numpy().astype("<i4").tobytes()
    phases = torch.view_as_real(found.phase_K).mul(1000).round().numpy().astype("<i4").tobytes()
    assert hashlib.sha256(numbers).hexdigest()[:16] == "cd01161cdba70c67"
    assert hashlib.sha256(phases).hexdigest()[:16] == "364d4197f2c0feb1"


def test_the_pattern_lives_in_its_ring() -> None:
    strength = torch.ones(CODED_BITS + 1)
    spectrum = torch.fft.rfft2(pattern().pixels(strength)).abs()
    rows = torch.fft.fftfreq(TILE) * TILE
    radius = torch.hypot(rows[:, None].expand_as(spectrum), torch.arange(TILE // 2 + 1)[None, :].float())
    outside = (radius < LOW - 0.01) | (radius > HIGH + 0.01)
    assert float(spectrum[outside].max()) < 1e-3 * float(spectrum.max())


def test_each_bit_is_heard_alone() -> None:
    strength = torch.zeros(CODED_BITS + 1)
    strength[5] = -1
    soft, fixed = pattern().soft(pattern().pixels(strength))
    assert int(soft.argmin()) == 5
    soft[5] = 0
    assert float(soft.abs().max()) < 1e-2
    assert abs(fixed) < 1e-2


def test_every_bit_has_its_share() -> None:
    count = pattern().count
    assert float(count[:-1].min()) >= 5
    assert float(count[:-1].max() - count[:-1].min()) <= 1


def test_whitening_makes_strong_and_faint_alike() -> None:
    noise = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    strong, faint = whiten(noise * 60 + 100), whiten(noise * 15 + 30)
    assert abs(float(strong.std()) - float(faint.std())) < 0.05
    assert float(whiten(torch.full((64, 64), 200.0)).abs().max()) < 1e-3
