from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from nonet.data.captions import COLOURS
from nonet.data.colours import dominant_colours
from nonet.data.pictures import Picture
from nonet.data.readers.dicebear import read_dicebear
from nonet.data.render import fit_square

pytest.importorskip("dicebear")
STYLES = Path(str(files("dicebear_styles") / "critters.json")).parent


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return list(read_dicebear(STYLES))


def test_the_drawings_are_always_the_same(pictures: list[Picture]) -> None:
    again = list(read_dicebear(STYLES))
    assert [one.caption for one in pictures] == [one.caption for one in again]
    assert pictures == again


def test_only_open_styles_are_used(pictures: list[Picture]) -> None:
    assert {picture.licence for picture in pictures} == {"CC0-1.0", "CC-BY-4.0"}
    assert not any("avataaars" in picture.set or "bottts" in picture.set for picture in pictures)


@pytest.mark.parametrize("style", ["critters", "clay", "voxel-bot", "planets"])
def test_the_colour_that_a_caption_names_is_seen(pictures: list[Picture], style: str) -> None:
    checked = [picture for picture in pictures if picture.set == f"DiceBear {style}"][:25]
    for picture in checked:
        (named,) = [word for word in picture.caption.split() if word in COLOURS]
        seen = dominant_colours(fit_square(picture.payload.draw()), most=5)
        assert named in seen, f"{picture.caption}: {seen}"


def test_every_style_can_be_drawn(pictures: list[Picture]) -> None:
    first = {picture.set: picture for picture in reversed(pictures)}
    for picture in first.values():
        assert picture.payload.draw()[..., 3].any(), picture.caption


def test_no_caption_comes_too_often(pictures: list[Picture]) -> None:
    captions = [picture.caption for picture in pictures if picture.kind == "sprite"]
    assert max(captions.count(caption) for caption in set(captions)) <= 8
