from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nonet.data.collection import BackgroundRecord, Collection, SpriteRecord, record_line
from nonet.errors import NonetError


def record(caption: str = "red apple", kind: type = SpriteRecord):  # type: ignore[no-untyped-def]
    return kind(
        id=f"test/{caption}", caption=caption, synonyms=["apple"], style="emoji", source="test", set="Tests",
        title=caption, author="nobody", licence="CC0-1.0", permissive=True, concept="apple",
        colours={"red": 0.9}, split="train", weight=1.0, keywords=["ripe"],
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sprites = np.zeros((2, 224, 224, 4), np.uint8)
    sprites[1] = 5
    sprites.tofile(tmp_path / "sprites.u8")
    np.full((1, 256, 256, 3), 8, np.uint8).tofile(tmp_path / "backgrounds.u8")
    (tmp_path / "records.jsonl").write_text(record_line(record()) + record_line(record("car")), "utf-8")
    (tmp_path / "backgrounds.jsonl").write_text(record_line(record("beach", BackgroundRecord)), "utf-8")
    (tmp_path / "heldout_pairs.json").write_text(json.dumps({"colour_object": [["blue", "apple"]]}), "utf-8")
    (tmp_path / "summary.json").write_text("{}", "utf-8")
    return tmp_path


def test_arrays_and_records_go_together(folder: Path) -> None:
    collection = Collection.open(folder)
    assert len(collection) == 2
    assert collection.sprites.shape == (2, 224, 224, 4)
    assert collection.sprites[1].max() == 5
    assert collection.records[1].caption == "car"
    assert collection.records[0].colours == {"red": 0.9}
    assert collection.backgrounds[0].max() == 8
    assert collection.background_records[0].caption == "beach"
    assert collection.heldout_pairs == {"colour_object": [("blue", "apple")]}


def test_arrays_cannot_be_written_to(folder: Path) -> None:
    collection = Collection.open(folder)
    with pytest.raises(ValueError, match="read-only"):
        collection.sprites[0, 0, 0, 0] = 1


def test_a_field_of_a_newer_build_is_ignored(folder: Path) -> None:
    row = json.loads(record_line(record())) | {"mood": "bright"}
    (folder / "records.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n", "utf-8")
    assert Collection.open(folder).records[0].caption == "red apple"


def test_no_collection_is_told(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        Collection.open(tmp_path)
    assert caught.value.code == "data_missing"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sprites.u8", b"short"),
        ("backgrounds.u8", b""),
        ("records.jsonl", b"{}\n"),
        ("records.jsonl", b"no json\n"),
        ("records.jsonl", b"[1]\n"),
        ("backgrounds.jsonl", b"\xff\xfe"),
        ("heldout_pairs.json", b"{"),
        ("heldout_pairs.json", b"[]"),
        ("summary.json", None),
    ],
)
def test_files_that_disagree_are_told(folder: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(NonetError) as caught:
        Collection.open(folder)
    assert caught.value.code == "data_corrupt"


def test_an_empty_collection_opens(tmp_path: Path) -> None:
    for name in ("sprites.u8", "backgrounds.u8", "records.jsonl", "backgrounds.jsonl"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "heldout_pairs.json").write_text("{}", "utf-8")
    (tmp_path / "summary.json").write_text("{}", "utf-8")
    assert Collection.open(tmp_path).sprites.shape == (0, 224, 224, 4)
