"""The normaliser against what the original makes of the same prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nonet.model.text import HashtagSplitter, TextNormalizer, spell_emoji

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
PAIRS: list[dict[str, str]] = json.loads((GOLDEN / "normalised.json").read_text(encoding="utf-8"))


def words() -> HashtagSplitter:
    return HashtagSplitter.from_lines((GOLDEN / "words.txt").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["text"][:30])
def test_golden_pairs(pair: dict[str, str]) -> None:
    assert TextNormalizer(words)(pair["text"]) == pair["normalised"]


def test_without_a_word_list_a_hashtag_stays_one_word() -> None:
    assert TextNormalizer()("#catart now") == " catart now"


def test_the_word_list_is_read_once_and_only_for_a_hashtag() -> None:
    made: list[int] = []

    def splitter() -> HashtagSplitter:
        made.append(1)
        return words()

    normalize = TextNormalizer(splitter)
    normalize("no tag")
    assert not made
    normalize("#catart")
    normalize("#sunsetphoto")
    assert made == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<PERSON> and <person>, <person> wave", " people wave"),
        ("#catart2022", " cat art 2022"),
        ("#qzqz", " q z q z"),
    ],
)
def test_names_and_hashtags(text: str, expected: str) -> None:
    assert TextNormalizer(words)(text) == expected


def test_a_lone_person_is_the_same_word_every_time_and_not_always_the_same_word() -> None:
    normalize = TextNormalizer()
    first = [normalize(f"<person> number {n}") for n in range(40)]
    assert first == [normalize(f"<person> number {n}") for n in range(40)]
    starts = {text.rsplit(" number", 1)[0] for text in first}
    assert " a person" in starts
    assert len(starts) > 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", "a cat"),
        ("café", "café"),
        ("a \N{SLICE OF PIZZA}s moon", "a pizza s moon"),
        ("\N{FULL MOON WITH FACE} tree_house", "full moon face tree house"),
    ],
)
def test_emoji_are_spelt(text: str, expected: Any) -> None:
    assert spell_emoji(text) == expected
