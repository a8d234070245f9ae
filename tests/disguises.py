"""Ways in which people hide a word from a filter, and the phrases to hide; shared by tests and the benchmark."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from nonet.safety.lists import default_lists, spellings

Disguise = Callable[[str], str]

_HOMOGLYPHS = str.maketrans("aceiopsxyjhdk", "асеіорѕхујһԁк")
_GREEK = str.maketrans("aiounvt", "αιουηντ")
_LEET = str.maketrans("aeiost", "431057")
_SIGNS = str.maketrans("asi", "@$!")
_FULLWIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_SQUARED = {ord("a") + index: 0x1F170 + index for index in range(26)}
_CIRCLED = {ord("a") + index: 0x24D0 + index for index in range(26)}
_MATH = {ord("a") + index: 0x1D41A + index for index in range(26)}


def _leet(text: str, table: dict[int, int]) -> str:
    words = []
    for word in text.split(" "):
        changed = word.translate(table)
        # A word of digits alone is a number to every reader.
        words.append(changed if any(letter.isalpha() for letter in changed) else word)
    return " ".join(words)


def _mixed_case(text: str) -> str:
    chance = random.Random(text)
    return "".join(chance.choice((letter.lower(), letter.upper())) for letter in text)


def _accents(text: str) -> str:
    chance = random.Random(text)
    return "".join(x + (chance.choice("\u0301\u0308\u0327\u0334\u0489") if x.isalpha() else "") for x in text)


def _hashtag(text: str) -> str:
    return "#" + "".join(text.split())


def _camel(text: str) -> str:
    return "#" + "".join(word[:1].upper() + word[1:] for word in text.split())


DISGUISES: dict[str, Disguise] = {
    "homoglyphs": lambda text: text.translate(_HOMOGLYPHS),
    "greek": lambda text: text.translate(_GREEK),
    "zero-width": lambda text: "\u200b".join(text),
    "joiners": lambda text: "\u2060\u200d".join(text),
    "soft hyphen": lambda text: "\u00ad".join(text),
    "bidi": lambda text: "\u202e" + "\u2066".join(text) + "\u202c",
    "leet": lambda text: _leet(text, _LEET),
    "signs": lambda text: _leet(text, _SIGNS),
    "spaced": lambda text: " ".join(text),
    "dotted": lambda text: ".".join(text),
    "dashed": lambda text: " ".join("-".join(word) for word in text.split(" ")),
    "emoji between": lambda text: "🍑".join(text),
    "hashtag": _hashtag,
    "camel hashtag": _camel,
    "mixed case": _mixed_case,
    "capitals": str.upper,
    "accents": _accents,
    "backwards": lambda text: text[::-1],
    "entities": lambda text: "".join(f"&#{ord(letter)};" if letter.isalpha() else letter for letter in text),
    "hex entities": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "fullwidth": lambda text: text.translate(_FULLWIDTH),
    "squared": lambda text: text.lower().translate(_SQUARED),
    "circled": lambda text: text.lower().translate(_CIRCLED),
    "mathematical": lambda text: text.lower().translate(_MATH),
    "stretched": lambda text: "".join(letter * (4 if letter in "aeiou" else 1) for letter in text),
}
# Written over an entity, these leave text that nobody reads as the phrase any more: "& # 1 1 0 ;".
_BREAK_ENTITIES = {
    *("homoglyphs", "greek", "leet", "signs", "spaced", "dotted", "dashed", "emoji between", "backwards"),
    *("accents", "squared", "circled", "mathematical", "stretched", "fullwidth", "camel hashtag"),
}
# A number in pieces, run together or backwards is another number.
_BREAK_NUMBERS = {"spaced", "dotted", "dashed", "emoji between", "hashtag", "camel hashtag", "backwards"}


def phrases() -> list[str]:
    """One prompt for every rule of the lists at strict: the first spelling of each of its parts."""
    lists = default_lists()
    found = []
    for rule in lists.matcher("strict").rules:
        parts = []
        for part in rule.parts:
            phrase = lists.groups[part[1:]][0] if part.startswith("@") else part
            parts.append(" ".join(next(spellings(phrase))))
        found.append(" ".join(parts))
    return list(dict.fromkeys(found))


PHRASES = phrases()


def fits(name: str, phrase: str) -> bool:
    """Whether the phrase can still be read in this disguise."""
    return not (name in _BREAK_NUMBERS and any(letter.isdigit() for letter in phrase))


def pairs_of(names: list[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every ordered pair of different disguises whose second leaves the first one readable."""
    names = names or list(DISGUISES)
    for first in names:
        for second in names:
            breaks = first in ("entities", "hex entities") and (
                second in _BREAK_ENTITIES or "entities" in second
            )
            if first != second and not breaks:
                yield first, second
