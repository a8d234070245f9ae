"""Which readers make up a collection, in which order. Earlier parts win where two pictures are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nonet.data.emoji_words import EmojiWords
from nonet.data.fetch import unpacked
from nonet.data.pictures import Picture
from nonet.data.readers.emoji import EMOJI_SETS, EmojiSet, read_emoji_set, read_fluent_3d
from nonet.data.readers.openclipart import read_openclipart
from nonet.data.wordnet import WordNet


@dataclass
class Words:
    """The word tables and packages that readers share, loaded when first asked for."""

    cache: Path
    _folders: dict[str, Path] = field(default_factory=dict)

    def folder(self, source: str) -> Path:
        """The unpacked package of a source."""
        if source not in self._folders:
            self._folders[source] = unpacked(source, self.cache)
        return self._folders[source]

    @cached_property
    def nouns(self) -> WordNet:
        return WordNet.load(self.folder("wordnet") / "usr/share/wordnet")

    @cached_property
    def emoji(self) -> EmojiWords:
        return EmojiWords(
            self.folder("emojibase") / "package/en",
            self.folder("emojilib") / "package/dist/emoji-en-US.json",
            self.nouns,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One checkpointed step of a build: a name, the sources it reads, how to read it.

    `revision` changes when the reader's output does, so that a resumed build reads it again.
    """

    name: str
    sources: tuple[str, ...]
    read: Callable[[Words], Iterator[Picture]]
    revision: int = 1


def _emoji_part(kind: EmojiSet) -> Part:
    def read(words: Words) -> Iterator[Picture]:
        return read_emoji_set(words.folder("iconify") / "package", kind, words.emoji)

    return Part(kind.prefix, ("iconify", "emojibase", "emojilib", "wordnet"), read)


def _fluent_3d(words: Words) -> Iterator[Picture]:
    return read_fluent_3d(words.folder("fluent-3d") / "package", words.emoji)


def _openclipart(words: Words) -> Iterator[Picture]:
    return read_openclipart(words.folder("openclipart") / "usr/share/openclipart/svg", words.nouns)


PARTS: tuple[Part, ...] = (
    Part("fluent-3d", ("fluent-3d", "emojibase", "emojilib", "wordnet"), _fluent_3d),
    *(_emoji_part(kind) for kind in EMOJI_SETS),
    Part("openclipart", ("openclipart", "wordnet"), _openclipart),
)
