from __future__ import annotations

import json
from pathlib import Path

from nonet.data.readers.openmoji import read_openmoji
from tiny_words import tiny_emoji, tiny_wordnet

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def test_emoji_extras_and_line_drawings(tmp_path: Path) -> None:
    icons = {name: {"body": ""} for name in ("red-apple", "e1", "e2", "e3")}
    chars = {"1f34e": "red-apple", "e001": "e1", "e002": "e2", "e003": "e3"}
    (tmp_path / "json").mkdir()
    (tmp_path / "json/openmoji.json").write_text(json.dumps({"icons": icons, "chars": chars}), "utf-8")
    rows = [
        {"hexcode": code, "group": "extras-openmoji", "subgroups": group, "annotation": label, "openmoji_tags": "a, b",
         "skintone": "", "openmoji_author": "Ann"}
        for code, group, label in (("E001", "objects", "Sleepy Dog"), ("E002", "brand", "firefox"))
    ]  # fmt: skip
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    (package / "data/openmoji.json").write_text(json.dumps(rows), "utf-8")
    (package / "black/svg").mkdir(parents=True)
    for code in ("1F34E", "1F600", "1F999"):
        (package / "black/svg" / f"{code}.svg").write_text(SVG)
    pictures = list(
        read_openmoji(tmp_path, package, tiny_emoji(tmp_path / "words"), tiny_wordnet(tmp_path / "nouns"))
    )
    assert [(picture.caption, picture.style) for picture in pictures] == [
        ("red apple", "emoji"), ("sleepy dog", "emoji"), ("red apple", "line drawing"),
    ]  # fmt: skip
    assert not any(picture.permissive for picture in pictures)
    assert pictures[1].author == "Ann, OpenMoji"
    assert len({picture.key for picture in pictures}) == 3
