from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nonet.data.readers.games import read_crawl, read_scratch, read_wesnoth
from nonet.data.wordnet import WordNet
from tiny_words import tiny_wordnet


@pytest.fixture
def words(tmp_path: Path) -> WordNet:
    return tiny_wordnet(tmp_path / "words")


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", (32, 32), (200, 0, 0, 255)).save(path)


def test_crawl_s_tiles_are_named_by_file_or_folder(tmp_path: Path, words: WordNet) -> None:
    for name in ("mon/animals/dog", "mon/dragons/zorch", "item/potion/ruby", "item/potion/effervescent",
                 "mon/animals/dog_corpse", "player/hair/dog"):  # fmt: skip
        picture(tmp_path / f"{name}.png")
    found = {one.key: one for one in read_crawl(tmp_path, words)}
    assert {key: one.caption for key, one in found.items()} == {
        "mon/animals/dog.png": "dog",
        "mon/dragons/zorch.png": "dragon",
        "item/potion/ruby.png": "ruby potion",
        "item/potion/effervescent.png": "potion",
    }
    assert all(one.fit == "pixels" and one.style == "pixel art" and one.permissive for one in found.values())


def test_wesnoth_s_portraits_and_places(tmp_path: Path, words: WordNet) -> None:
    portraits = tmp_path / "core/images/portraits"
    for name in (
        "humans/mage+female",
        "humans/knight",
        "elves/archer",
        "undead/zombie-dog",
        "monsters/fire-dragon",
    ):
        picture(portraits / f"{name}.png")
    story = tmp_path / "core/images/story"
    story.mkdir()
    for name in ("landscape-castle", "grim-altar"):
        Image.new("RGB", (300, 300)).save(story / f"{name}.jpg")
    found = list(read_wesnoth(tmp_path, words))
    assert {one.caption for one in found if one.kind == "sprite"} == {
        "witch",
        "knight",
        "elf archer",
        "dragon",
    }
    assert [one.caption for one in found if one.kind == "background"] == ["castle"]
    assert not any(one.permissive for one in found)


def test_scratch_s_costumes_and_places(tmp_path: Path, words: WordNet) -> None:
    for name in ("Animals/cat1-a", "Animals/dog2-b", "People/anna-1", "Things/palmtree", "Things/zorch"):
        picture(tmp_path / "Costumes" / f"{name}.png")
    (tmp_path / "Costumes/Fantasy").mkdir()
    (tmp_path / "Costumes/Transportation").mkdir()
    (tmp_path / "Backgrounds/Nature").mkdir(parents=True)
    for name in ("moon", "unknown"):
        Image.new("RGB", (300, 300)).save(tmp_path / "Backgrounds/Nature" / f"{name}.jpg")
    found = list(read_scratch(tmp_path, words))
    assert [one.caption for one in found] == ["cat", "dog", "moon surface"]
    assert [one.kind for one in found] == ["sprite", "sprite", "background"]
