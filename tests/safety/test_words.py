"""Words are the same however they are written."""

from __future__ import annotations

import pytest

from nonet.safety.words import inflections, plain, strip_marks, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A cat's Hat", ["a", "cat", "hat"]),
        ("don’t stop", ["dont", "stop"]),
        ("9/11, twin-towers_now", ["9", "11", "twin", "towers", "now"]),
        ("ＦＵＬＬ width", ["full", "width"]),
        ("Führer STRASSE Straße", ["fuhrer", "strasse", "strasse"]),
        ("nu\u200bde\u00ad", ["nude"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_marks_of_every_kind_are_dropped() -> None:
    assert strip_marks("a\u0301b\u200dc\u202ed\ufe0fe\u20ddf") == "abcdef"


def test_plain_is_stable() -> None:
    for text in ("ǰ", "ΐ", "ﬁ", "İ", "ŉ", "ᾳ"):
        assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("word", "plural"), [("dog", "dogs"), ("pussy", "pussies"), ("penis", "penises"), ("torch", "torches")]
)
def test_plurals(word: str, plural: str) -> None:
    assert plural in inflections(word)


def test_numbers_and_short_words_have_no_plural() -> None:
    assert list(inflections("11")) == ["11"]
    assert list(inflections("ss")) == ["ss"]
