from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nonet.data.readers.children import read_gcompris, read_tuxpaint
from nonet.data.wordnet import WordNet
from tiny_words import tiny_wordnet


@pytest.fixture
def words(tmp_path: Path) -> WordNet:
    return tiny_wordnet(tmp_path / "words")


def stamp(folder: Path, name: str, text: str = "", photo: bool = False) -> None:
    path = folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3)) if photo else np.full((64, 64, 3), 90)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    if text:
        path.with_suffix(".txt").write_text(text + "\nmore in other languages", "utf-8")


def test_a_stamp_s_first_clause_is_its_caption(tmp_path: Path, words: WordNet) -> None:
    folder = tmp_path / "stamps"
    stamp(folder, "animals/dogs/a", "A dog (a male one).", photo=True)
    stamp(folder, "animals/cats/cartoon/b", "The happy cat—it purrs!")
    stamp(folder, "food/apple", "Delicious!")
    stamp(folder, "food/c", "Yum!")
    stamp(folder, "symbols/dog", "A dog.")
    stamp(folder, "animals/dog_mirror", "A dog.")
    found = {one.key: one for one in read_tuxpaint(folder, words)}
    assert {key: one.caption for key, one in found.items()} == {
        "animals/dogs/a.png": "dog",
        "animals/cats/cartoon/b.png": "happy cat",
        "food/apple.png": "apple",
    }
    assert found["animals/dogs/a.png"].style == "photo"
    assert found["animals/cats/cartoon/b.png"].style == "clip art"
    assert found["food/apple.png"].style == "clip art"


def test_a_drawing_in_two_formats_is_read_once(tmp_path: Path, words: WordNet) -> None:
    folder = tmp_path / "stamps"
    stamp(folder, "animals/dog", "A dog.")
    (folder / "animals/dog.svg").write_text("<svg/>")
    assert [one.key for one in read_tuxpaint(folder, words)] == ["animals/dog.svg"]


def resource(files: dict[str, bytes]) -> bytes:
    """A flat resource file, format version 1."""
    names, data, tree = b"", b"", struct.pack(">IHII", 0, 2, len(files), 1)
    for name, content in files.items():
        tree += struct.pack(">IHHHI", len(names), 0, 0, 0, len(data))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        data += struct.pack(">I", len(content)) + content
    head = struct.pack(">4sIIII", b"qres", 1, 20, 20 + len(tree), 20 + len(tree) + len(data))
    return head + tree + data + names


def test_gcompris_pictures_are_named_by_their_files(tmp_path: Path, words: WordNet) -> None:
    files = {"01_dog.svg": b"<svg/>", "backcard.svg": b"<svg/>", "zorch.svg": b"<svg/>", "sound.ogg": b""}
    (tmp_path / "memory.rcc").write_bytes(resource(files))
    found = list(read_gcompris(tmp_path, words))
    assert [(one.caption, one.style, one.set) for one in found] == [("dog", "clip art", "GCompris memory")]
