"""The VQGAN against pixels and codes of vqgan-jax with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nonet.checkpoints import Model, load

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "dalle-mini-small"


@pytest.fixture(scope="module")
def model() -> Model:
    return load(GOLDEN / "dalle", codec=GOLDEN / "vqgan", dtype="float32", device="cpu")


@torch.inference_mode()
def test_decoded_pixels(model: Model) -> None:
    expected = np.load(GOLDEN / "expected.npz")
    pixels = model.codec.decode(torch.from_numpy(expected["image_tokens"]))
    torch.testing.assert_close(pixels, torch.from_numpy(expected["decoded_pixels"]), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_encoded_codes(model: Model) -> None:
    expected = np.load(GOLDEN / "expected.npz")
    codes = model.codec.encode(torch.from_numpy(expected["pixels_to_encode"]))
    assert codes.tolist() == expected["encoded_codes"].tolist()
