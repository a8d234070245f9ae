from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nonet.data.build import build
from nonet.data.catalogue import Part, Words
from nonet.data.collection import Collection
from nonet.data.pictures import Picture, Pixels
from tiny_words import tiny_wordnet

DRAWN: list[str] = []


@dataclass(frozen=True)
class Pattern:
    """Noise of its own for each seed."""

    seed: int
    side: int = 64

    def draw(self) -> Pixels:
        DRAWN.append(f"{self.seed}")
        rng = np.random.default_rng(self.seed)
        blocks = rng.integers(0, 255, (8, 8, 3)).repeat(self.side // 8, 0).repeat(self.side // 8, 1)
        return np.concatenate([blocks, np.full((self.side, self.side, 1), 255)], axis=2).astype(np.uint8)


def picture(key: str, caption: str, seed: int, **more: object) -> Picture:
    given = {"licence": "MIT", "permissive": True, "title": caption, "author": "A", **more}
    return Picture(key, "t", "Set", "emoji", caption, Pattern(seed), **given)  # type: ignore[arg-type]


def read(words: Words) -> Iterator[Picture]:
    yield picture("copyleft", "copied apple", 1, permissive=False, licence="GPL-2")
    yield picture("apple", "red apple", 1, synonyms=("apple", "gun"), keywords=("ripe", "nude"))
    yield picture("gun", "big gun", 2)
    yield picture("evidence", "toy", 3, evidence=("pistol",))
    yield picture("dog", "dog face", 4)
    yield Picture(
        "hill",
        "t",
        "Set",
        "photo",
        "hills",
        Pattern(5, 256),
        kind="background",
        licence="MIT",
        permissive=True,
    )


@pytest.fixture(autouse=True)
def no_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Words, "nouns", tiny_wordnet(tmp_path / "wordnet"))
    DRAWN.clear()


def parts() -> list[Part]:
    return [Part("test", (), read)]


def test_a_collection_is_filtered_cleaned_and_written(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    summary = build(tmp_path / "out", tmp_path, parts=parts(), progress=lambda *one: seen.append(one))
    collection = Collection.open(tmp_path / "out")
    assert [record.id for record in collection.records] == ["t/apple", "t/dog"]
    apple, dog = collection.records
    assert apple.concept == "apple"
    assert dog.concept == "dog"
    # The words that may not be said are gone, the lost duplicate's caption is kept for searching.
    assert apple.synonyms == ["apple"]
    assert "nude" not in apple.keywords
    assert "copied apple" in apple.keywords
    assert summary["sprites"] == 2
    assert summary["dropped"] == {"duplicate": 1}
    assert summary["filtered"] == {"weapons": 2}
    assert collection.background_records[0].caption == "hills"
    assert seen[-1] == ("test", 6, 6)
    assert collection.sprites[0].std() > 10
    assert "GPL-2" not in (tmp_path / "out/ATTRIBUTION.md").read_text("utf-8")


def test_a_second_build_draws_nothing_and_is_the_same(tmp_path: Path) -> None:
    build(tmp_path / "one", tmp_path, parts=parts())
    DRAWN.clear()
    build(tmp_path / "two", tmp_path, parts=parts())
    assert DRAWN == []
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_changed_reader_is_drawn_anew(tmp_path: Path) -> None:
    build(tmp_path / "one", tmp_path, parts=parts())
    DRAWN.clear()
    build(tmp_path / "two", tmp_path, parts=[Part("test", (), read, revision=2)])
    assert len(DRAWN) == 6


def test_only_permissive_pictures_when_asked(tmp_path: Path) -> None:
    build(tmp_path / "out", tmp_path, parts=parts(), permissive_only=True)
    records = Collection.open(tmp_path / "out").records
    assert all(record.permissive for record in records)
    assert "copied apple" not in records[0].keywords


def test_crowded_concepts_are_sampled_less(tmp_path: Path) -> None:
    def crowd(words: Words) -> Iterator[Picture]:
        for number in range(40):
            yield picture(f"{number}", "dog", 100 + number)
        yield picture("cat", "cat", 7)

    build(tmp_path / "out", tmp_path, parts=[Part("crowd", (), crowd)])
    records = Collection.open(tmp_path / "out").records
    weights = {record.concept: record.weight for record in records}
    assert weights["cat"] == 1.0
    assert weights["dog"] == pytest.approx((24 / 40) ** 0.5, abs=0.001)
    pairs = json.loads((tmp_path / "out/heldout_pairs.json").read_text("utf-8"))
    assert set(pairs) == {"colour_object", "object_background"}
