"""One call makes the finished file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from drawn_pictures import drawing
from nonet.safety.provenance.finish import Provenance, finish, marked
from nonet.safety.provenance.metadata import PictureMeta, encode

META = PictureMeta(model="doodle", seed=2)


def test_without_mark_and_signature_it_is_the_plain_file() -> None:
    assert finish(drawing(1), META, job="x", provenance=Provenance(mark=False)) == encode(drawing(1), META)


def test_an_unsigned_file_is_the_same_each_time() -> None:
    first = finish(drawing(2), META, job="x")
    assert finish(drawing(2), META, job="x") == first
    assert finish(drawing(2), META, job="y") != first


def test_the_mark_is_in_the_pixels() -> None:
    pixels = np.asarray(Image.open(io.BytesIO(finish(drawing(2) / 255, META, job="x"))))
    assert np.array_equal(pixels, marked(drawing(2), "doodle", "x"))
    assert not np.array_equal(pixels, drawing(2))


def test_pictures_too_small_for_a_mark_stay_as_they_are() -> None:
    assert np.array_equal(marked(drawing(2, 100), "doodle", "x"), drawing(2, 100))
