"""A prompt is read in every way that somebody, or some model, can read it."""

from __future__ import annotations

import pytest

from nonet.safety.views import Vocabulary, readings, texts

COMMON = frozenset({"woman", "on", "the", "beach", "pen", "is", "lana", "red", "carpet", "therapist"})
PHRASES = [("nude",), ("penis",), ("anal",), ("rapist",), ("no", "bra"), ("twin", "towers")]
KNOWN = Vocabulary(COMMON, PHRASES, ["nude", "penis", "anal", "rapist"], ["naked", "mole"])


def all_words(prompt: str) -> set[tuple[str, ...]]:
    return {tuple(reading.words) for text in texts(prompt) for reading in readings(text, KNOWN)}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Nude Woman", ("nude", "woman")),
        ("n u d e woman", ("nude", "woman")),
        ("n-u-d-e", ("nude",)),
        ("#nudewoman", ("nude", "woman")),
        ("#NudeWoman", ("nude", "woman")),
        ("#nobra", ("no", "bra")),
        ("namow edun", ("nude", "woman")),
        ("edun namow", ("nude", "woman")),
        ("nu de", ("nude",)),
        ("n&#117;de", ("nude",)),
        ("n&amp;#117;de", ("nude",)),
        ("ｎｕｄｅ", ("nude",)),
        ("нude", ("hude",)),
        ("nudé wöman", ("nude", "woman")),
        ("n👍u👍d👍e", ("nude",)),
        ("twin 🗼", ("twin", "tokyo", "tower")),
    ],
)
def test_readings(prompt: str, words: tuple[str, ...]) -> None:
    assert words in all_words(prompt)


def test_ordinary_words_are_not_mended_or_cut() -> None:
    assert ("penis",) not in all_words("the pen is red")
    assert ("the", "rapist") not in all_words("#therapist")
    assert ("mole",) not in all_words("molebeach on")


def test_the_models_own_reading_is_looked_at() -> None:
    found = texts("a b c", [lambda prompt: [prompt.replace(" ", "")]])
    assert found[0] == "a b c"
    assert "abc" in found


def test_one_plain_text_is_read_once() -> None:
    assert texts("a plain prompt") == ["a plain prompt"]


def test_broken_unicode_is_read_all_the_same() -> None:
    assert texts("nude \ud83d")[0].startswith("nude")
    assert texts("\x00\x07nude")


def test_words_and_what_is_written_for_them_go_together() -> None:
    for prompt in ("n u d 3 woman 4 $ex", "#nudewoman nu de edun", "a\u0301 b c d 🍑"):
        for text in texts(prompt):
            for reading in readings(text, KNOWN):
                assert len(reading.words) == len(reading.written)
