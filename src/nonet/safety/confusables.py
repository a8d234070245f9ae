"""Letters that look like Latin letters, and signs that people write in their place.

Two tables: `LOOKALIKES` keeps the look of the text (homoglyphs, letters in boxes and circles); `fold` also
reads digits and signs as letters ("nud3", "$ex"), for which the lists are folded alike.
"""

from __future__ import annotations

import re

# Each Latin letter with what is drawn like it, in Cyrillic, Greek, Armenian, Cherokee, IPA and other blocks.
# What Unicode's compatibility forms settle already (fullwidth, mathematical, circled) is not repeated.
_ALIKE = {
    "a": "аαɑ⍺ａᴀⱥɐạᗅȺΑАᎪ",
    "b": "ьвʙƄϐβБВΒᏴƀɓƃ฿",
    "c": "сϲᴄƈҫⅽↄСϹᏟ¢ϾⲤⲥȼĉ",
    "d": "ԁɗđᴅⅾժḍᎠƊÐðԀ",
    "e": "еєҽɛεɘᴇℯΕЕᎬҿɇ",
    "f": "ƒғꞙϝքʄꬵ",
    "g": "ɡԍɢցƍᶃǥɠԌᏀ",
    "h": "һнհʜℎԋΗНᎻħⱨɦ",
    "i": "іıɩιɪӏⅰΙІᎥӀł¡ɨɪ׀",
    "j": "јϳʝᴊɉЈᎫј",
    "k": "кκᴋҝқⱪƙΚКᏦԞ",
    "l": "ⅼӏʟɭƚłŁᏞլℓ",
    "m": "мᴍⅿɱΜМᎷϺ",
    "n": "пոηɴռɲŋиΝℕИ",
    "o": "оοσօᴏ०০ⲟΟОՕØøɵөѳº°٥ѲჿỌ",
    "p": "рρᴘþϸΡРᏢƥⲣ",
    "q": "ԛզɋգʠ",
    "r": "гяʀɾɼᴦгᏒЯɍ",
    "s": "ѕʂꜱƽЅՏᏚşș§ϩ",
    "t": "тτᴛŧƭΤТᎢ†ţțⱦ",
    "u": "υμцսᴜʊɥՍЦ∪ᑌʉ",
    "v": "νѵᴠⅴѴᏙ∨ᐯ٧",
    "w": "ѡωԝᴡшɯШᎳԜщЩ",
    "x": "хχⅹ×ХΧ᙮ҳ",
    "y": "уγүʏɏΥУҮᎽýƴ",
    "z": "ᴢʐȥΖᏃƶʑ",
}
_UPPER_GREEK = {"Η": "h", "Ν": "n", "Υ": "y", "Μ": "m", "Ζ": "z", "Ρ": "p"}


def _lookalikes() -> dict[int, str]:
    table = {ord(alike): latin for latin, row in _ALIKE.items() for alike in row}
    table |= {ord(greek): latin for greek, latin in _UPPER_GREEK.items()}
    # Letters as pictures: squared, negative circled and squared, and the halves of flags.
    for start in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6):
        table |= {start + offset: chr(ord("a") + offset) for offset in range(26)}
    return table


LOOKALIKES = _lookalikes()

_REPEATED = re.compile(r"(.)\1+")
_STRETCHED = re.compile(r"(.)\1{2,}")

# i and l share one letter after folding, because "1", "!" and "|" stand for both.
_LEET = {
    "0": "o",
    "1": "i",
    "l": "i",
    "!": "i",
    "|": "i",
    "£": "i",
    "2": "z",
    "3": "e",
    "€": "e",
    "4": "a",
    "@": "a",
    "5": "s",
    "$": "s",
    "6": "g",
    "9": "g",
    "7": "t",
    "+": "t",
    "8": "b",
    "(": "c",
    "¥": "y",
    "%": "x",
}
_LEET_TABLE = {ord(sign): letter for sign, letter in _LEET.items()}
LEET_SIGNS = frozenset(_LEET) - {"l"}
# The signs among them that are no word characters, for a word pattern that must not end at them.
LEET_PUNCTUATION = "".join(sorted(sign for sign in LEET_SIGNS if not sign.isalnum()))


def fold(word: str) -> str:
    """Read digits and signs as letters, and repeated letters as one ("nuuude").

    A word without any letter stays, since "911" is a number.
    """
    if not any(letter.isalpha() for letter in word):
        return word
    return _REPEATED.sub(r"\1", word.translate(_LEET_TABLE))


def is_folded(word: str) -> bool:
    """Whether reading this word needs folding: it has a sign or digit in it, or a letter three times in a row."""
    return not word.isalpha() or _STRETCHED.search(word) is not None


def look(text: str) -> str:
    """Put Latin letters in the place of what looks like them; the case of other letters is kept."""
    return text if text.isascii() else text.translate(LOOKALIKES)
