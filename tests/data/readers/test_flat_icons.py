from __future__ import annotations

import json
from pathlib import Path

from nonet.data.readers.flat_icons import read_flat_icons, read_tango
from tiny_words import tiny_wordnet

SETS = [
    "streamline-kameleon-color", "streamline-ultimate-color", "streamline-freehand-color", "flat-color-icons",
    "icon-park", "meteocons", "marketeq",
]  # fmt: skip


def test_only_things_are_taken_and_each_once_per_set(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    names = ["dog-duo", "dog", "file-dog", "add-cat", "apple-2", "zorch", "easy-chair", "chair"]
    for prefix in SETS:
        content = {"icons": {name: {"body": ""} for name in names} if prefix == "icon-park" else {}}
        (tmp_path / "json" / f"{prefix}.json").write_text(json.dumps(content), "utf-8")
    pictures = list(
        read_flat_icons(tmp_path, tiny_wordnet(tmp_path / "words"), frozenset({"easy chair", "zorch"}))
    )
    # A dog and an apple are common nouns, the easy chair an emoji's label; "chair" is common too.
    assert [picture.caption for picture in pictures] == ["dog", "apple", "easy chair", "chair"]
    assert all(picture.permissive and picture.style == "flat icon" for picture in pictures)


def test_tango_s_icons_of_things(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    for name in ("printer.svg", "go-up.svg"):
        (tmp_path / "devices" / name).write_text("<svg/>")
    (tmp_path / "devices/battery.svg").symlink_to("printer.svg")
    assert [picture.caption for picture in read_tango(tmp_path)] == ["printer"]
