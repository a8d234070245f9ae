"""The mark is faint, and is where it should be."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_pictures import drawing
from nonet.errors import NonetError
from nonet.safety.provenance.detection import detect
from nonet.safety.provenance.mark import MODELS, PSNRS, Payload, can_carry, embed, fingerprint


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


@pytest.mark.parametrize("seed", range(4))
def test_the_mark_is_faint(seed: int) -> None:
    picture = drawing(seed)
    before = picture.copy()
    marked = embed(picture, Payload("doodle", seed))
    assert marked.dtype == np.uint8
    assert marked.shape == picture.shape
    assert psnr(marked, picture) >= PSNRS[-1] >= 38
    assert np.array_equal(picture, before)


def test_the_same_picture_gets_the_same_mark() -> None:
    payload = Payload("mini", 99)
    assert np.array_equal(embed(drawing(1), payload), embed(drawing(1), payload))


@pytest.mark.parametrize("colour", [0, 255, 128])
def test_an_empty_picture_can_be_marked(colour: int) -> None:
    picture = np.full((256, 256, 3), colour, np.uint8)
    payload = Payload("doodle", 7)
    marked = embed(picture, payload)
    assert psnr(marked, picture) >= 38
    assert [mark.payload for mark in detect(marked)] == [payload]


@pytest.mark.parametrize("size", [(255, 256), (256, 100)])
def test_small_pictures_are_refused(size: tuple[int, int]) -> None:
    assert not can_carry(*size)
    with pytest.raises(NonetError) as caught:
        embed(np.zeros((*size, 3), np.uint8), Payload("doodle", 1))
    assert caught.value.code == "setting_invalid"


def test_larger_pictures_carry_it_too() -> None:
    picture = np.ascontiguousarray(np.tile(drawing(3), (2, 2, 1))[:300, :500])
    payload = Payload("mega", 3)
    assert payload in [mark.payload for mark in detect(embed(picture, payload))]


@pytest.mark.parametrize("model", MODELS)
def test_payloads_come_back(model: str) -> None:
    payload = Payload(model, 0xABCDEF)
    assert Payload.of(payload.value()) == payload


def test_an_unknown_model_is_other() -> None:
    assert Payload.of(Payload("my own", 1).value()) == Payload("other", 1)
    assert Payload.of(15 << 24 | 1) == Payload("other", 1)


def test_fingerprints_tell_jobs_apart() -> None:
    found = {fingerprint(f"job {number}") for number in range(500)}
    assert len(found) >= 499
    assert max(found) < 1 << 24
