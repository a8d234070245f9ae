from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from nonet.data.emoji_words import EmojiWords
from nonet.data.readers.emoji import EmojiSet, read_emoji_set, read_fluent_3d, read_icon_set, svg_document
from tiny_words import tiny_emoji

BODY = '<path fill="currentColor" d="M0 0h9v9z"/>'
KIND = EmojiSet("tests", "Test Emoji", "Tester", "MIT", True, 0.5)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    icons = {
        "red-apple": {"body": BODY},
        "dog-face": {"body": BODY, "width": 64},
        "dog-face-dark-skin-tone": {"body": BODY},
        "man-farmer-medium": {"body": BODY},
        "flag-wales": {"body": BODY},
        "hidden-thing": {"body": BODY, "hidden": True},
        "by-code": {"body": BODY},
    }
    aliases = {"apple": {"parent": "red-apple"}, "elppa": {"parent": "red-apple", "hFlip": True}}
    content = {"icons": icons, "aliases": aliases, "chars": {"1f697": "by-code"}, "width": 32, "height": 32}
    (tmp_path / "json").mkdir()
    (tmp_path / "json/tests.json").write_text(json.dumps(content), "utf-8")
    return tmp_path


@pytest.fixture
def words(tmp_path: Path) -> EmojiWords:
    return tiny_emoji(tmp_path / "words")


def test_icons_come_with_sizes_and_true_aliases(package: Path) -> None:
    icons = {
        name: (document, aliases, code)
        for name, document, aliases, code in read_icon_set(package / "json/tests.json")
    }
    assert "hidden-thing" not in icons
    assert icons["red-apple"][1] == ["apple"]
    assert 'viewBox="0 0 64 32"' in icons["dog-face"][0]
    assert icons["by-code"][2] == "1f697"


def test_the_text_colour_becomes_a_colour() -> None:
    assert "currentColor" not in svg_document(BODY, 9, 9)


def test_a_set_gives_labelled_emoji_without_variants(package: Path, words: EmojiWords) -> None:
    pictures = list(read_emoji_set(package, KIND, words))
    assert [picture.caption for picture in pictures] == ["red apple", "dog face", "car"]
    apple = pictures[0]
    assert apple.key == "tests/red-apple"
    assert apple.licence == "MIT"
    assert apple.permissive
    assert "apple" in apple.synonyms
    assert apple.weight == 0.5


def test_fluent_pictures_go_by_code_points(tmp_path: Path, words: EmojiWords) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("1f34e", "1f468-1f3ff-200d-1f33e", "1f550"):
        Image.new("RGBA", (8, 8)).save(assets / f"{name}.webp")
    pictures = list(read_fluent_3d(tmp_path, words))
    assert [(picture.caption, picture.style) for picture in pictures] == [("red apple", "3D render")]
