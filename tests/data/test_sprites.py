from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nonet.data.sprites import measure, open_sprites
from nonet.errors import NonetError
from nonet.model.recolour import rgb_to_hsv
from tiny_collection import COLOURS, shape, write_tiny_collection


def test_measures_extent_and_colour() -> None:
    stats = measure(torch.from_numpy(shape("low", "blue"))[None])
    assert stats.extent_N4[0].tolist() == [0.0, 0.5, 1.0, 1.0]
    assert torch.allclose(stats.mean_N3[0], torch.tensor(COLOURS["blue"]) / 255, atol=1e-3)
    assert stats.hue_focus_N.item() == pytest.approx(1, abs=1e-3)
    assert stats.coloured_N.item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(stats.hsv_N3[0], rgb_to_hsv(stats.mean_N3[0]), atol=1e-3)


def test_two_opposite_hues_have_no_focus() -> None:
    pixels = torch.full((1, 64, 64, 4), 255, dtype=torch.uint8)
    pixels[:, :32, :, :3] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    pixels[:, 32:, :, :3] = torch.tensor([0, 255, 255], dtype=torch.uint8)
    assert measure(pixels).hue_focus_N.item() < 0.05


def test_an_empty_sprite_is_measured_without_trouble() -> None:
    stats = measure(torch.zeros(1, 64, 64, 4, dtype=torch.uint8))
    for name in ("extent_N4", "mean_N3", "hsv_N3", "hue_focus_N", "coloured_N"):
        assert torch.isfinite(getattr(stats, name)).all()


def test_statistics_are_kept_and_renewed(tmp_path: Path) -> None:
    collection = write_tiny_collection(tmp_path)
    first = open_sprites(collection)
    kept = tmp_path / "sprite-stats.npz"
    stamp = kept.stat().st_mtime_ns
    assert torch.equal(open_sprites(tmp_path).stats.mean_N3, first.stats.mean_N3)
    assert kept.stat().st_mtime_ns == stamp
    # Other pixels: other statistics.
    content = bytearray((tmp_path / "sprites.u8").read_bytes())
    content[: 224 * 224 * 4] = bytes([9, 9, 9, 255]) * (224 * 224)
    (tmp_path / "sprites.u8").write_bytes(content)
    assert open_sprites(tmp_path).stats.mean_N3[0].tolist() == pytest.approx([9 / 255] * 3)


def test_missing_collections_are_said(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        open_sprites(tmp_path / "nowhere")
    assert caught.value.code == "data_missing"
