"""Text to words, the same for the lists and for the prompts that are held against them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’ʼ＇]s(?![^\W_])")
_APOSTROPHE = re.compile(r"['’ʼ＇`´]")
_DROPPED = frozenset({"Mn", "Mc", "Me", "Cf"})
NUMBERS = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
]


def strip_marks(text: str) -> str:
    """Drop what has no width: combining marks, joiners, soft hyphens, bidi controls, variation selectors."""
    if text.isascii():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) not in _DROPPED)


def plain(text: str) -> str:
    """One spelling for text that looks the same: compatibility forms, marks and case taken away."""
    if text.isascii():
        return text.lower()
    # Twice, because casefold and the loss of a mark can each leave something that decomposes further.
    for _ in range(2):
        text = strip_marks(unicodedata.normalize("NFKD", text)).casefold()
    return text


def words_of(text: str) -> list[str]:
    """The words of a text in plain form; possessives and apostrophes are dropped, digits are words."""
    text = plain(text)
    if not text.isascii() or "'" in text or "`" in text:
        text = _APOSTROPHE.sub("", _POSSESSIVE.sub("", text))
    return _WORD.findall(text)


def inflections(word: str) -> Iterator[str]:
    """The word and its plural spellings; wrong plurals do no harm, since nobody writes them."""
    yield word
    if word.isdigit() or len(word) < 3:
        return
    yield word + "s"
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield word + "es"
    if word.endswith("y"):
        yield word[:-1] + "ies"
