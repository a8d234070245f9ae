"""Scenery of our own."""

from __future__ import annotations

import numpy as np

from nonet.data.readers.scenery import read_scenery


def test_every_place_is_drawn_whole_and_always_the_same() -> None:
    pictures = list(read_scenery())
    assert len({picture.key for picture in pictures}) == len(pictures)
    assert {picture.kind for picture in pictures} == {"background"}
    assert all(picture.permissive and picture.licence == "CC0-1.0" for picture in pictures)
    for picture, again in zip(pictures[::5], list(read_scenery())[::5], strict=True):
        pixels = picture.payload.draw()
        assert pixels.shape[0] == pixels.shape[1] >= 256
        assert pixels[..., 3].min() == 255
        assert np.array_equal(pixels, again.payload.draw())


def test_places_differ_from_one_another() -> None:
    drawn = [picture.payload.draw()[::4, ::4, :3].astype(int) for picture in list(read_scenery())[:24]]
    distances = [np.abs(a - b).mean() for i, a in enumerate(drawn) for b in drawn[:i]]
    assert min(distances) > 0.2
