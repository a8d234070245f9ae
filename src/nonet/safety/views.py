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
    # Taken apart first, because a look-alike with an accent is no look-alike of the tables any more.
    apart = _unescape(strip_marks(unicodedata.normalize("NFKD", text)))
    yield look(apart)
    yield look(apart.casefold())
    if any(unicodedata.category(letter) in ("So", "Sk") for letter in text):
        yield from _emoji(text)
    yield _transliterated(text)


def _emoji(text: str) -> Iterator[str]:
    import emoji  # its tables take a moment to load, and most prompts have none

    yield look(emoji.demojize(text, delimiters=(" ", " ")).replace("_", " "))
    # Without emoji, and what stood on both sides of one is together again.
    letters = look(strip_marks(unicodedata.normalize("NFKD", look(text))))
    yield "".join(letter for letter in letters if unicodedata.category(letter) not in ("So", "Sk"))


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
    if any(sign in LEET_SIGNS for sign in lowered) or _RUN_LETTER.search("".join(words)):
        for written in _leet_words(lowered):
            leet = Reading([fold(word) for word in written], written, folded=True, disguised=True)
            yield leet
            yield from _regrouped(leet, known)
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
    for word, source in _join_letters(reading, known.common):
        pieces = known.cut(word, folded=reading.folded, joined=" " in source)
        words += pieces
        written += [source] * len(pieces)
    if words != list(reading.words):
        yield Reading(words, written, reading.folded, reading.disguised)
    for whole, parts in known.whole(reading):
        yield Reading([whole], [" ".join(parts)], reading.folded, reading.disguised)


def _join_letters(reading: Reading, common: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Words and what is written for them; a run of three or more letters, or pairs of them, becomes one word."""
    run: list[tuple[str, str]] = []
    for word, source in [*zip(reading.words, reading.written, strict=True), ("", "")]:
        if 0 < len(word) < 3:
            run.append((word, source))
            continue
        # "photo of n u d e": an ordinary small word before or behind the run does not belong to it.
        first = next(
            (i for i, (_, source) in enumerate(run) if len(source) == 1 or source not in common), len(run)
        )
        last = max(
            (i for i, (_, source) in enumerate(run) if len(source) == 1 or source not in common), default=-1
        )
        if last - first >= 2:
            yield from run[:first]
            sources = [source for _, source in run[first : last + 1]]
            letters = "".join(letters for letters, _ in run[first : last + 1])
            yield fold("".join(sources)) if reading.folded else letters, " ".join(sources)
            yield from run[last + 1 :]
        else:
            yield from run
        run = []
        if word:
            yield word, source


class Vocabulary:
    """Known words, for cutting "#nakedwoman" and for mending "nak ed".

    Args:
        common: ordinary words.
        phrases: the word sequences of the lists.
        single: words that are refused on their own.
        allowed: words of the phrases that are no hit; they are not cut either.
    """

    def __init__(
        self,
        common: frozenset[str],
        phrases: Iterable[Sequence[str]],
        single: Iterable[str],
        allowed: Iterable[str],
    ) -> None:
        self.common = common
        phrases = list(phrases)
        words = common.union(allowed, *phrases)
        wholes = {"".join(phrase): list(phrase) for phrase in phrases if len(phrase) > 1}
        # What a piece of run-together text stands for: the words of a whole phrase, or itself. Cutting by
        # abbreviations would find things that are not there ("hepatitis").
        pieces = {whole: phrase for whole, phrase in wholes.items() if len(whole) > 3 and whole not in common}
        pieces |= {word: [word] for word in words if len(word) > 2 or word in _SMALL}
        self._pieces = {False: pieces}
        self._pieces[True] = {
            fold(piece): [fold(w) for w in found] for piece, found in self._pieces[False].items()
        }
        single = {word for word in single if len(word) > 3}
        self._single = {False: single, True: {fold(word) for word in single}}
        self._longest = max((len(word) for word in single), default=0)
        self._longest_piece = max((len(piece) for piece in self._pieces[False]), default=0)

    def cut(self, word: str, *, folded: bool, joined: bool = False) -> list[str]:
        """The words of the cut into fewest known pieces that run-together text allows, or the text itself.

        Args:
            word: text without spaces.
            folded: it went through `fold`.
            joined: it was written in separate letters, which nobody does by chance.
        """
        known = self._pieces[folded]
        if word in known:
            return known[word]
        if len(word) < 6:
            return [word]
        size = len(word)
        # best[i]: number of pieces and length of the last piece of the best cut of word[:i].
        best: list[tuple[int, int] | None] = [(0, 0)] + [None] * size
        for end in range(1, size + 1):
            for start in range(max(0, end - self._longest_piece), end):
                before = best[start]
                if before is None or word[start:end] not in known:
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
        if not joined and (
            small > 1 or (small and any(len(p) == 3 and p not in self.common for p in pieces))
        ):
            return [word]
        return [found for piece in reversed(pieces) for found in known[piece]]

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
