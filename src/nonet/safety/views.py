"""A prompt as different readers see it.

A filter that looks at the written text only is walked round, because the model reads something else: a
zero-width space inside a word is invisible to a pattern and gone after the tokenizer. So every rule looks
at several readings: as plain words, with look-alike letters replaced, with signs read as letters, with
spaced letters joined, with run-together words cut, backwards, with emoji as words and without them, and
always at what the model's own normaliser makes of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nonet.safety.confusables import LEET_PUNCTUATION, LEET_SIGNS, fold, look
from nonet.safety.words import plain, strip_marks, words_of

# What a model reads: given the prompt, the texts (normaliser output, decoded tokens) that reach the network.
ModelViews = Callable[[str], Iterable[str]]

_LEET_WORD = re.compile(rf"(?:[^\W_]|[{re.escape(LEET_PUNCTUATION)}])+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_RUN_LETTER = re.compile(r"(.)\1{2,}")
_EDGE = "!|+(%"
_MAX_PIECE = 24
_SMALL = frozenset(("a", "i", "an", "at", "by", "in", "is", "it", "my", "of", "on", "to"))


@dataclass(frozen=True)
class Reading:
    """One reading of a prompt.

    Attributes:
        words: in plain form, or folded (see `confusables.fold`).
        written: each word as it stands in the prompt; as long as `words`.
        folded: the words must be held against the folded lists.
        disguised: the reading undoes a disguise; a hit counts only if not all of its words, as written, are
            ordinary.
    """

    words: Sequence[str]
    written: Sequence[str]
    folded: bool = False
    disguised: bool = False


def texts(prompt: str, model_views: Iterable[ModelViews] = ()) -> list[str]:
    """The different texts that a prompt can be read as, before it is cut into words; itself first."""
    prompt = prompt.encode("utf-8", "replace").decode("utf-8")
    stripped = strip_marks(prompt)
    found = [_unescape(stripped)]
    if "&" in stripped and ";" in stripped:
        found += [_unescape(stripped[::-1])]
    for text in list(found):
        found += _other_letters(text)
    for view in model_views:
        for text in view(prompt):
            found += [text, *_other_letters(strip_marks(text))]
    if any(letter.isupper() for letter in stripped[1:]):
        found += [_CAMEL.sub(" ", text) for text in list(found)]
    return list(dict.fromkeys(found))


def _unescape(text: str) -> str:
    for _ in range(3):  # "&amp;#110;" needs two rounds; there is no reason to follow deeper nesting
        if "&" not in text:
            break
        text = strip_marks(html.unescape(text))
    return text


def _other_letters(text: str) -> Iterator[str]:
    if text.isascii():
        return
    composed = unicodedata.normalize("NFKC", text)
    yield look(composed)
    yield look(unicodedata.normalize("NFKC", look(text)))
    if any(unicodedata.category(letter) in ("So", "Sk") for letter in text):
        yield from _emoji(text)
    yield _transliterated(text)


def _emoji(text: str) -> Iterator[str]:
    import emoji  # its tables take a moment to load, and most prompts have none

    yield look(emoji.demojize(text, delimiters=(" ", " ")).replace("_", " "))
    # Without emoji, and what stood on both sides of one is together again.
    yield look("".join(letter for letter in look(text) if unicodedata.category(letter) not in ("So", "Sk")))


def _transliterated(text: str) -> str:
    from unidecode import unidecode

    return unidecode(text)


def readings(text: str, known: Vocabulary) -> Iterator[Reading]:
    """The readings of one text of `texts`, cheapest first.

    Args:
        text: one line.
        known: the words that run-together text may be cut into.
    """
    words = words_of(text)
    yield Reading(words, words)
    yield from _regrouped(Reading(words, words), known)
    lowered = plain(text)
    if any(sign in LEET_SIGNS for sign in lowered):
        for written in _leet_words(lowered):
            leet = Reading([fold(word) for word in written], written, folded=True, disguised=True)
            yield leet
            yield from _regrouped(leet, known)
    if _RUN_LETTER.search(lowered):
        for count in (1, 2):
            shortened = words_of(_RUN_LETTER.sub(r"\1" * count, lowered))
            yield Reading(shortened, shortened)
    backwards = Reading([word[::-1] for word in reversed(words)], words[::-1], disguised=True)
    yield backwards
    yield from _regrouped(backwards, known)
    if len(words) > 1:
        yield Reading([word[::-1] for word in words], words, disguised=True)


def _leet_words(text: str) -> Iterator[list[str]]:
    words = _LEET_WORD.findall(text)
    bare = [word.strip(_EDGE) for word in words]
    for some in (bare, words) if bare != words else (bare,):
        yield [word for word in some if word]
        yield [word[::-1] for word in reversed(some) if word]


def _regrouped(reading: Reading, known: Vocabulary) -> Iterator[Reading]:
    """Spaced letters joined, run-together words cut, and words broken in the middle made whole."""
    words: list[str] = []
    written: list[str] = []
    for word, source in _join_letters(reading):
        pieces = known.cut(word, folded=reading.folded)
        words += pieces
        written += [source] * len(pieces)
    if words != list(reading.words):
        yield Reading(words, written, reading.folded, reading.disguised)
    for whole, parts in known.whole(reading):
        yield Reading([whole], [" ".join(parts)], reading.folded, reading.disguised)


def _join_letters(reading: Reading) -> Iterator[tuple[str, str]]:
    """Words and what is written for them; three or more single letters in a row become one word."""
    run: list[tuple[str, str]] = []
    for word, source in [*zip(reading.words, reading.written, strict=True), ("", "")]:
        if len(word) == 1:
            run.append((word, source))
            continue
        if len(run) >= 3:
            yield "".join(letter for letter, _ in run), "".join(source for _, source in run)
        else:
            yield from run
        run = []
        if word:
            yield word, source


class Vocabulary:
    """Known words, for cutting "#nakedwoman" and for mending "nak ed".

    Args:
        common: ordinary words.
        listed: every word that occurs in the lists.
        single: words that are refused on their own.
    """

    def __init__(self, common: frozenset[str], listed: Iterable[str], single: Iterable[str]) -> None:
        self.common = common
        listed = set(listed)
        # Cutting by abbreviations would find things that are not there ("hepatitis").
        words = {word for word in common | listed if len(word) > 2 or word in _SMALL}
        self._words = {False: words, True: {fold(word) for word in words}}
        single = {word for word in single if len(word) > 3}
        self._single = {False: single, True: {fold(word) for word in single}}
        self._longest = max((len(word) for word in single), default=0)

    def cut(self, word: str, *, folded: bool) -> list[str]:
        """The fewest known words that a run-together word is made of, or the word itself."""
        words = self._words[folded]
        if len(word) < 6 or word in words:
            return [word]
        size = len(word)
        # best[i]: number of pieces and length of the last piece of the best cut of word[:i].
        best: list[tuple[int, int] | None] = [(0, 0)] + [None] * size
        for end in range(1, size + 1):
            for start in range(max(0, end - _MAX_PIECE), end):
                before = best[start]
                if before is None or word[start:end] not in words:
                    continue
                current = best[end]
                if current is None or before[0] + 1 < current[0]:
                    best[end] = (before[0] + 1, end - start)
        if best[size] is None:
            return [word]
        pieces: list[str] = []
        while size:
            step = best[size]
            assert step is not None
            pieces.append(word[size - step[1] : size])
            size -= step[1]
        # "pan-i-cum" and "retard-at-i-on" are no disguises: small words turn up by chance beside each other.
        small = sum(len(piece) < 3 for piece in pieces)
        if small > 1 or (small and any(len(p) == 3 and p not in self.common for p in pieces)):
            return [word]
        return pieces[::-1]

    def whole(self, reading: Reading) -> Iterator[tuple[str, Sequence[str]]]:
        """Refused words that stand broken into neighbouring pieces, not all of which are ordinary words."""
        single, words = self._single[reading.folded], reading.words
        for start in range(len(words)):
            text = words[start]
            for end in range(start + 1, len(words)):
                text += words[end]
                if len(text) > self._longest:
                    break
                if text in single:
                    parts = reading.written[start : end + 1]
                    if not all(part in self.common for part in parts):
                        yield text, parts
