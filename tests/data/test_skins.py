from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from nonet.data.skins import read_skins
from tiny_words import tiny_emoji


def test_skins_are_square_pictures_of_things_with_a_pattern(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("nonet.data.skins._NAMES", ("red apple", "zebra"))
    body = '<rect x="4" y="8" width="8" height="16" fill="#ff0000"/>'
    icons = {"red-apple": {"body": body}, "dog-face": {"body": body}}
    (tmp_path / "json").mkdir()
    content = {"icons": icons, "width": 32, "height": 32}
    (tmp_path / "json/noto.json").write_text(json.dumps(content), "utf-8")
    (skin,) = read_skins(tmp_path, tiny_emoji(tmp_path / "words"))
    pixels = np.frombuffer(skin.pixels, np.uint8).reshape(skin.side, skin.side, 4)
    assert skin.name == "red apple"
    assert tuple(pixels[80, 80]) == (255, 0, 0, 255)
    assert skin.licence == "Apache-2.0"
