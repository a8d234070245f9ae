from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nonet.data.collection import Collection, SpriteRecord
from nonet.data.contact_sheet import choose, contact_sheet
from nonet.errors import NonetError


def record(caption: str, style: str = "emoji", split: str = "train") -> SpriteRecord:
    return SpriteRecord(
        f"t/{caption}", caption, ["fruit"] if caption == "apple" else [], style, "noto", "Noto", caption, "n",  # type: ignore[arg-type]
        "MIT", True, caption, {}, split, 1.0,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    records = [
        record("apple"),
        record("car", "clip art"),
        record("dog", split="heldout"),
        record("apple pie"),
    ]
    sprites = np.full((4, 224, 224, 4), 120, np.uint8)
    return Collection(tmp_path, sprites, records, np.zeros((0, 256, 256, 3), np.uint8), [], {}, {})


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ({"words": "apple"}, [0, 3]),
        ({"words": "Fruit"}, [0]),
        ({"style": "clip art"}, [1]),
        ({"split": "heldout"}, [2]),
        ({"source": "noto"}, [0, 1, 2, 3]),
        ({"source": "noto", "words": "zebra"}, []),
    ],
)
def test_every_filter_counts(collection: Collection, filters: dict[str, str], chosen: list[int]) -> None:
    assert choose(collection.records, 10, **filters) == chosen  # type: ignore[arg-type]


def test_a_random_choice_is_the_same_for_a_seed(collection: Collection) -> None:
    assert choose(collection.records, 2, seed=5) == choose(collection.records, 2, seed=5)
    assert len(choose(collection.records, 2)) == 2


def test_the_sheet_is_a_grid(collection: Collection, tmp_path: Path) -> None:
    assert contact_sheet(collection, tmp_path / "s.png", columns=3) == 4
    with Image.open(tmp_path / "s.png") as image:
        assert image.width == 3 * 118
        assert image.height == 2 * 150


def test_nothing_that_fits_is_told(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        contact_sheet(collection, tmp_path / "s.png", words="zebra")
    assert caught.value.code == "not_found"
    assert not (tmp_path / "s.png").exists()
