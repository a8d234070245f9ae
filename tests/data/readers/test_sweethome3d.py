from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from nonet.data.pictures import Picture
from nonet.data.raster import PAINTS, ModelView
from nonet.data.readers.sweethome3d import Skin, read_sweethome3d
from tiny_words import tiny_wordnet

ARCHIVES = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Reallusion", "Scopia")
CATALOGUE = r"""
id#1=Set#armchair
name#1=Armchair
category#1=Living room
model#1=/set/armchair.obj
creator#1=Ann
modelRotation#1=1 0 0 0 0 1 0 -1 0
id#2=Set#plug
name#2=Wall type A plug
model#2=/set/plug.obj
id#3=Set#bill
name#3=Bill 50\u20ac
model#3=/set/bill.obj
id#4=Set#dog
name#4=Dog
category#4=Miscellaneous
model#4=/set/dog.obj
"""


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    for name in ARCHIVES:
        with zipfile.ZipFile(tmp_path / f"{name}.sh3f", "w") as file:
            file.writestr("PluginFurnitureCatalog.properties", CATALOGUE if name == "Scopia" else "")
    skin = Skin("avocado", b"\xff" * 16, 2, "Noto avocado", "Google", "Apache-2.0")
    return list(read_sweethome3d(tmp_path, tiny_wordnet(tmp_path / "words"), [skin]))


def test_things_come_in_views_and_colours_and_fittings_not_at_all(pictures: list[Picture]) -> None:
    captions = [picture.caption for picture in pictures]
    # Two views, and two more because people ask for armchairs and dogs.
    assert captions.count("armchair") == 4
    assert captions.count("dog") == 4
    painted = [
        caption for caption in captions if caption.endswith(" armchair") and caption != "avocado armchair"
    ]
    assert len(painted) == 5
    assert {caption.split()[0] for caption in painted} <= set(PAINTS)
    assert not any("plug" in caption or "bill" in caption for caption in captions)
    assert len({picture.key for picture in pictures}) == len(pictures)


def test_a_painted_thing_is_painted_in_its_caption_s_colour(pictures: list[Picture]) -> None:
    for picture in pictures:
        assert isinstance(picture.payload, ModelView)
        if picture.payload.paint:
            assert picture.caption.startswith(picture.payload.paint + " ")
            assert all(name.startswith(picture.payload.paint) for name in picture.synonyms)


def test_the_model_stands_as_the_catalogue_says(pictures: list[Picture]) -> None:
    payload = pictures[0].payload
    assert isinstance(payload, ModelView)
    assert payload.rotation == (1, 0, 0, 0, 0, 1, 0, -1, 0)
    assert payload.member == "set/armchair.obj"


def test_a_blend_names_both_parents(pictures: list[Picture]) -> None:
    (blend,) = [picture for picture in pictures if picture.caption == "avocado armchair"]
    assert "armchair in the shape of an avocado" in blend.synonyms
    assert "Google" in blend.author
    assert "Ann" in blend.author
    assert "CC-BY-3.0" in blend.licence
    assert "Apache-2.0" in blend.licence
    assert isinstance(blend.payload, ModelView)
    assert blend.payload.skin == (b"\xff" * 16, 2, 2)
