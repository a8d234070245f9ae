from __future__ import annotations

from pathlib import Path

import pytest

from nonet.data.pictures import Picture
from nonet.data.readers.openclipart import read_openclipart
from tiny_words import tiny_wordnet

TEMPLATE = """<?xml version="1.0"?><svg><metadata><rdf:RDF><cc:Work>
<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{subjects}</rdf:Bag></dc:subject>
<dc:creator><cc:Agent><dc:title>{author}</dc:title></cc:Agent></dc:creator>
</cc:Work></rdf:RDF></metadata></svg>"""


def read(
    tmp_path: Path, name: str, title: str, keywords: str = "", author: str = "Ann Artist"
) -> Picture | None:
    path = tmp_path / "svg" / name
    path.parent.mkdir(parents=True)
    subjects = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords.split())
    path.write_text(TEMPLATE.format(title=title, subjects=subjects, author=author), "utf-8")
    found = list(read_openclipart(tmp_path / "svg", tiny_wordnet(tmp_path / "words")))
    return found[0] if found else None


@pytest.mark.parametrize(
    ("name", "title", "keywords", "caption"),
    [
        ("food/fruit/a_01.svg", "Red Apple", "fruit food", "red apple"),
        ("food/fruit/apple_ann_artist_01.svg", "Clipart by Ann - thing", "", "apple"),
        ("animals/x1.svg", "Clipart by somebody", "dog", "dog"),
        ("buildings/homes/h1.svg", "h1", "", "house"),
        ("unsorted/zorch.svg", "zorch", "unsorted hash", None),
        ("shapes/stars/dog.svg", "dog", "dog", None),
        ("computer/icons/dog.svg", "dog", "dog", None),
        ("animals/dog.svg", "dog flag", "dog", None),
        ("geography/dog.svg", "dog", "", None),
    ],
)
def test_the_best_words_name_the_drawing(
    tmp_path: Path, name: str, title: str, keywords: str, caption: str | None
) -> None:
    picture = read(tmp_path, name, title, keywords)
    assert (picture.caption if picture else None) == caption


def test_italian_titles_are_translated(tmp_path: Path) -> None:
    picture = read(tmp_path, "animals/gatto_01.svg", "Gatto nero", author="Architetto Francesco Rollandin")
    assert picture is not None
    assert picture.caption == "black cat"


def test_keywords_are_evidence_and_names_are_kinds(tmp_path: Path) -> None:
    picture = read(tmp_path, "food/fruit/apple.svg", "apple (B and W)", "fruit gun")
    assert picture is not None
    assert picture.style == "line drawing"
    assert "gun" in picture.evidence
    assert "fruit" in picture.synonyms
    assert "gun" not in picture.synonyms
    assert picture.author == "Ann Artist"
    assert picture.licence == "public domain"
