"""Look-alike letters and signs are read as the letters that they stand for."""

from __future__ import annotations

import unicodedata

import pytest

from nonet.safety.confusables import LOOKALIKES, fold, is_folded, look


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("сосk", "cock"),
        ("ѕех", "sex"),
        ("🅝🅤🅓🅔", "nude"),
        ("🇳🇺🇩🇪", "nude"),
        ("plain", "plain"),
        ("ηude", "nude"),
    ],
)
def test_lookalikes(text: str, seen: str) -> None:
    assert look(text) == seen


def test_every_lookalike_becomes_one_latin_letter() -> None:
    for code, latin in LOOKALIKES.items():
        assert not chr(code).isascii(), unicodedata.name(chr(code), hex(code))
        assert latin.isascii()
        assert len(latin) == 1


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("nud3", "nude"),
        ("$ex", "sex"),
        ("k1ll", "ki"),
        ("kill", "ki"),
        ("nuuude", "nude"),
        ("911", "911"),
        ("", ""),
    ],
)
def test_folding(word: str, folded: str) -> None:
    assert fold(word) == folded


def test_folding_twice_changes_nothing() -> None:
    for word in ("b00b$", "sw4st1k4", "hello", "aaa111", "l1|!"):
        assert fold(fold(word)) == fold(word)


@pytest.mark.parametrize(
    ("word", "says"), [("nude", False), ("nud3", True), ("nuuude", True), ("noon", False)]
)
def test_is_folded(word: str, says: bool) -> None:
    assert is_folded(word) is says
