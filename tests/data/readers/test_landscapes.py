from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nonet.data.readers.landscapes import read_landscapes

TERMS = """Files: images/*
Copyright: A Painter
License: CC-BY-SA-4.0

Files: images/land/beach1*
Copyright: Various
License: public-domain
"""


@pytest.fixture
def game(tmp_path: Path) -> Path:
    (tmp_path / "images/land").mkdir(parents=True)
    (tmp_path / "images/planet").mkdir()
    (tmp_path / "copyright").write_text(TERMS)
    for name in ("beach1", "beach0", "loc2", "nobody-knows"):
        Image.new("RGB", (720, 360), (200, 180, 90)).save(tmp_path / "images/land" / f"{name}.jpg")
    for name in ("earth", "ice3", "wormhole"):
        Image.new("RGBA", (64, 64), (0, 0, 200, 255)).save(tmp_path / "images/planet" / f"{name}.png")
    return tmp_path


def test_a_wide_photograph_gives_two_squares_or_its_middle(game: Path) -> None:
    found = {one.key: one for one in read_landscapes(game, game / "copyright")}
    assert sorted(found) == ["land/beach0/middle", "land/beach1/left", "land/beach1/right"]
    left, right = found["land/beach1/left"], found["land/beach1/right"]
    assert left.caption == right.caption == "sea coast"
    assert left.concept == "beach"
    assert left.payload.draw().shape == (360, 360, 4)
    assert left.permissive
    assert not found["land/beach0/middle"].permissive
    assert left.author == "unnamed photographers"
