"""Nothing that is shipped says what the policy refuses: the memory's pictures, captions and lists of words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from nonet.checkpoints.places import DOODLE
from nonet.data.filter import default_filter
from nonet.data.grammar import RELATION_WORDS
from nonet.safety.lists import category_of
from nonet.safety.policy import Policy

ROOT = Path(__file__).resolve().parent.parent.parent
LISTS = sorted((ROOT / "src" / "nonet" / "data" / "lists").glob("*.tsv"))
CORPORA = ROOT / "tests" / "data" / "policy"


def memory_titles() -> list[str]:
    pictures = json.loads((DOODLE / "sources.json").read_text("utf-8"))["pictures"]
    assert len(pictures) > 10_000
    return sorted({str(picture["title"]) for picture in pictures if picture.get("title")})


def captions() -> list[str]:
    names = ("benign_captions", "benign_captions_calibration")
    lines = [line for name in names for line in (CORPORA / f"{name}.txt").read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def refused(texts: Iterable[str]) -> list[tuple[str, str]]:
    policy = Policy()
    checked = ((text, policy.check(text, level="strict")) for text in texts)
    return [(text, refusal.category) for text, refusal in checked if refusal is not None]


def test_no_remembered_picture_is_of_what_is_refused() -> None:
    titles = memory_titles()
    assert refused(titles) == []
    words = default_filter()
    assert [(title, words.is_allowed(title)) for title in titles if words.is_allowed(title)] == []


def test_no_caption_of_the_collection_is_refused_or_left_out_of_training() -> None:
    found = captions()
    assert len(found) > 4_000
    assert refused(found) == []
    words = default_filter()
    assert [caption for caption in found if words.is_allowed(caption)] == []


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_no_list_of_words_holds_what_is_refused(path: Path) -> None:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    cells = {cell for line in lines for cell in line.split("\t")}
    assert len(cells) > 100
    assert [cell for cell in sorted(cells) if category_of(cell, level="strict")] == []


def test_no_word_of_a_relation_is_refused() -> None:
    words = {str(word) for options in RELATION_WORDS.values() for word in options}
    assert refused(words) == []


def test_the_checks_of_this_file_can_fail() -> None:
    assert refused(["a cat", "a swastika flag"]) == [("a swastika flag", "hate")]
    assert default_filter().is_allowed("a pistol") == "weapons"
