"""Prompts as DALL-E Mini's training text was written: plain lower-case ASCII with commas for all punctuation.

The published models have seen no other text, so a prompt must go through the same steps in the same order.
"""

from __future__ import annotations

import html
import math
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# Stands for a protected sign between two steps; letters only, and without four equal ones in a row.
_MARK = "xtokx"
_PROTECTED = {".": f"{_MARK}dot{_MARK}", "'": f"{_MARK}quote{_MARK}", "/": f"{_MARK}slash{_MARK}"}
# Captions of Conceptual 12M have names replaced; these are the words that the training put in their place,
# with how often each occurs in the collection.
_PERSONS = {"a person": 282265, "someone": 121194, "somebody": 12219}
_PERSON_RUN = re.compile(r"<person>(?:[,\s]*(?:and)*[,\s]*<person>)+")
_HASHTAG = re.compile(r"#(\w+)")

# Steps between the lower-casing and the hashtags.
_BEFORE = [
    (re.compile(r"\A\s*\[\d+\]"), ""),
    (re.compile(r"\[\d+\]\s*\Z"), ""),
    (re.compile(r"<[^<]+?>"), " "),
    (re.compile(r"http\S+"), ""),
    # Twice, because the groups of a long number overlap.
    (re.compile(r"(\d),(\d{3})"), r"\1\2"),
    (re.compile(r"(\d),(\d{3})"), r"\1\2"),
    (re.compile(r"(\w)\.(\w)"), rf"\1{_PROTECTED['.']}\2"),
    (re.compile(r"'(?=(?:[stdm]|ll|re|ve)\b)"), _PROTECTED["'"]),
    (re.compile(r"(\d)/(\d)"), rf"\1{_PROTECTED['/']}\2"),
    (re.compile(r"(\w)-(\w)"), r"\1 \2"),
    (re.compile(r"([%&/$*])"), r" \1 "),
]
# Steps after them.
_AFTER = [
    (re.compile(r"[_#\\]"), " "),
    (re.compile(r"['\"`]"), ' " '),
    (re.compile(r"[()\[\].,|:;?!=+~\-/{}]"), ","),
    *((re.compile(mark), sign) for sign, mark in _PROTECTED.items()),
    (re.compile(r"(\D)\1{3,}"), r"\1"),
    (re.compile(r'\s*"[\s"]*'), ' " '),
    (re.compile(r"\s*,[\s,]*"), ", "),
    (re.compile(r"\s+"), " "),
]


class HashtagSplitter:
    """Splits a word written together ("catart") into the likeliest words, by their frequency ranks.

    Method: the split with the smallest sum of log(rank), found by dynamic programming over the end position.

    Args:
        words: known words, the most frequent first; of a word given twice the later rank counts.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._cost = {word: math.log(rank) for rank, word in enumerate(words, start=1)}
        self._longest = max(map(len, self._cost), default=1)

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> HashtagSplitter:
        """Read lines of "word count"; only the first field and the order are used."""
        return cls(fields[0] for line in lines if (fields := line.split()))

    def __call__(self, text: str) -> str:
        """The words of `text`, joined by spaces."""
        parts = re.split(r"[^a-zA-Z0-9']+", text)
        return " ".join(word for part in parts for word in self._split(part))

    def _split(self, text: str) -> list[str]:
        best = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            first = max(0, end - self._longest)
            # Among equal costs the shortest last word wins, so letters that no word has stand alone.
            ways = (
                (best[start][0] + self._cost.get(text[start:end].lower(), math.inf), end - start)
                for start in range(first, end)
            )
            best.append(min(ways))
        words: list[str] = []
        end = len(text)
        while end:
            start = end - best[end][1]
            word = text[start:end]
            digits = word[-1].isdigit() and bool(words) and words[-1][0].isdigit()
            if words and word != "'" and (words[-1] == "'s" or digits):
                words[-1] = word + words[-1]
            else:
                words.append(word)
            end = start
        return words[::-1]


@dataclass
class TextNormalizer:
    """The normaliser that the published models' prompts go through.

    Attributes:
        splitter: makes the hashtag splitter, called at the first hashtag, as its word list is large; None
        keeps
            the words of a hashtag together.
    """

    splitter: Callable[[], HashtagSplitter] | None = None
    _split: HashtagSplitter | None = field(default=None, init=False, repr=False)

    def __call__(self, text: str) -> str:
        """Normalise one prompt; the result always begins with a space.

        A lone `<person>` is replaced by a word drawn with the text itself as the seed, so that the same
        prompt is always read the same (the original draws anew each time).
        """
        import emoji
        import ftfy
        from unidecode import unidecode

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
        text = unidecode(emoji.demojize(text)).lower()
        text = _replace_persons(text)
        for pattern, replacement in _BEFORE:
            text = pattern.sub(replacement, text)
        if self.splitter is not None:
            # A protected sign inside a hashtag ("#cat's") is taken for letters and comes out in pieces, as it
            # did in the text that the models were trained on.
            text = _HASHTAG.sub(lambda match: self._words(match[1]), text)
        for pattern, replacement in _AFTER:
            text = pattern.sub(replacement, text)
        text = text.strip().removesuffix(",").removeprefix(",").strip()
        return f" {text}"

    def _words(self, tag: str) -> str:
        if self._split is None:
            assert self.splitter is not None
            self._split = self.splitter()
        return self._split(tag)


def spell_emoji(text: str) -> str:
    """Emoji as words ("a 🐱" becomes "a cat"), for an encoder whose tokenizer knows no emoji."""
    if text.isascii():
        return text
    import emoji
    import ftfy

    spelled = emoji.demojize(ftfy.fix_text(text), delimiters=(" ", " "))
    if spelled == text:
        return text
    # Underscores join the words of an emoji's name; others in a prompt are as good as spaces.
    return " ".join(spelled.replace("_", " ").split())


def _replace_persons(text: str) -> str:
    text = _PERSON_RUN.sub(" people ", text)
    if "<person>" not in text:
        return text
    rng = random.Random(text)

    def word(_: re.Match[str]) -> str:
        return f" {rng.choices(list(_PERSONS), list(_PERSONS.values()))[0]} "

    return re.sub("<person>", word, text)
