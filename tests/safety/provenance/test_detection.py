"""The mark is found after a screenshot's usual life, and never in a picture without one."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from drawn_pictures import drawing
from nonet.safety.provenance.detection import detect
from nonet.safety.provenance.mark import Payload, embed
from nonet.sheet import compose_sheet

SEEDS = range(3)
PAYLOADS = [Payload("doodle", 1000 + seed) for seed in SEEDS]
MARKED = [
    Image.fromarray(embed(drawing(seed), payload)) for seed, payload in zip(SEEDS, PAYLOADS, strict=True)
]


def jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=60)
    return Image.open(stream).convert("RGB")


def half(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def crop(image: Image.Image) -> Image.Image:
    return image.crop((image.width // 10, 0, image.width, image.height - image.height // 10))


ATTACKS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "none": lambda image: image,
    "half": half,
    "jpeg": jpeg,
    "crop": crop,
    "crop and half": lambda image: half(crop(image)),
    "crop and jpeg": lambda image: jpeg(crop(image)),
    "odd size": lambda image: image.resize((347, 347), Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize("name", list(ATTACKS))
def test_the_mark_survives(name: str) -> None:
    for image, payload in zip(MARKED, PAYLOADS, strict=True):
        marks = detect(np.asarray(ATTACKS[name](image)))
        assert [mark.payload for mark in marks] == [payload]
        assert marks[0].strength > 12


def test_the_marks_of_a_sheet_are_found_where_they_are() -> None:
    sheet = compose_sheet([*MARKED, *(Image.fromarray(drawing(seed)) for seed in range(20, 26))])
    marks = detect(np.asarray(jpeg(sheet)))
    found = {mark.payload: (mark.left, mark.top) for mark in marks}
    assert set(found) == set(PAYLOADS)
    for index, payload in enumerate(PAYLOADS):
        left, top = found[payload]
        assert abs(left - (8 + 264 * index)) <= 1
        assert abs(top - 8) <= 1


def test_a_halved_sheet_still_carries_them() -> None:
    sheet = compose_sheet(MARKED * 3)
    assert {mark.payload for mark in detect(np.asarray(half(sheet)))} == set(PAYLOADS)


def test_where_a_crop_was_cut_is_known() -> None:
    (mark,) = detect(np.asarray(MARKED[0].crop((20, 10, 256, 256))))
    assert (mark.left, mark.top, mark.size) == (-20, -10, 256)


@pytest.mark.parametrize("seed", range(40, 46))
def test_unmarked_pictures_are_not_called_marked(seed: int) -> None:
    assert detect(drawing(seed), thorough=seed < 42) == []


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((256, 256, 3), np.uint8),
        np.full((300, 200, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8),
        np.tile(np.array([[[0], [255]], [[255], [0]]], np.uint8), (128, 128, 3)),
        np.zeros((10, 2000, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((100, 100), np.uint8),
    ],
    ids=["black", "white", "noise", "checks", "strip", "small", "empty", "grey"],
)
def test_odd_pictures_have_none(pixels: np.ndarray) -> None:
    assert detect(pixels, thorough=False) == []


@pytest.mark.slow
def test_a_hundred_unmarked_drawings_have_none() -> None:
    assert [seed for seed in range(100, 200) if detect(drawing(seed))] == []


def test_a_whole_picture_is_read_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("nothing is searched")

    monkeypatch.setattr("nonet.safety.provenance.detection._correlation", never)
    for image, payload in zip(MARKED, PAYLOADS, strict=True):
        for one in (image, half(image), jpeg(image), image.resize((347, 347), Image.Resampling.LANCZOS)):
            (mark,) = detect(np.asarray(one))
            assert mark.payload == payload
            assert (mark.left, mark.top, mark.size) == (0, 0, one.width)
