"""Which readers make up a collection, in which order. Earlier parts win where two pictures are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nonet.data.emoji_words import EmojiWords
from nonet.data.fetch import unpacked
from nonet.data.pictures import Picture
from nonet.data.readers.children import read_gcompris, read_tuxpaint
from nonet.data.readers.dicebear import read_dicebear
from nonet.data.readers.emoji import EMOJI_SETS, EmojiSet, read_emoji_set, read_fluent_3d
from nonet.data.readers.flat_icons import read_flat_icons, read_tango
from nonet.data.readers.games import read_crawl, read_scratch, read_wesnoth
from nonet.data.readers.landscapes import read_landscapes
from nonet.data.readers.openclipart import read_openclipart
from nonet.data.readers.openmoji import read_openmoji
from nonet.data.readers.scenery import read_scenery
from nonet.data.readers.sweethome3d import read_sweethome3d
from nonet.data.skins import read_skins
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


def _sweethome3d(words: Words) -> Iterator[Picture]:
    skins = read_skins(words.folder("iconify") / "package", words.emoji)
    return read_sweethome3d(
        words.folder("sweethome3d") / "usr/share/sweethome3d/furniture", words.nouns, skins
    )


def _dicebear(words: Words) -> Iterator[Picture]:
    return read_dicebear(words.folder("dicebear-styles") / "dicebear_styles")


def _flat_icons(words: Words) -> Iterator[Picture]:
    return read_flat_icons(words.folder("iconify") / "package", words.nouns, words.emoji.labels())


def _tango(words: Words) -> Iterator[Picture]:
    return read_tango(words.folder("tango") / "usr/share/icons/Tango/scalable")


def _crawl(words: Words) -> Iterator[Picture]:
    (top,) = words.folder("crawl").iterdir()
    return read_crawl(top / "source/rltiles", words.nouns)


def _endless_sky(words: Words) -> Iterator[Picture]:
    root = words.folder("endless-sky") / "usr/share"
    game, terms = root / "games/endless-sky", root / "doc/endless-sky-data/copyright"
    return read_landscapes(game, terms)


def _openmoji(words: Words) -> Iterator[Picture]:
    package = words.folder("openmoji") / "package"
    return read_openmoji(words.folder("iconify") / "package", package, words.emoji, words.nouns)


def _tuxpaint(words: Words) -> Iterator[Picture]:
    return read_tuxpaint(words.folder("tuxpaint") / "usr/share/tuxpaint/stamps", words.nouns)


def _gcompris(words: Words) -> Iterator[Picture]:
    return read_gcompris(words.folder("gcompris") / "usr/share/gcompris-qt/rcc", words.nouns)


def _scratch(words: Words) -> Iterator[Picture]:
    return read_scratch(words.folder("scratch") / "usr/share/scratch/Media", words.nouns)


def _wesnoth(words: Words) -> Iterator[Picture]:
    return read_wesnoth(words.folder("wesnoth") / "usr/share/games/wesnoth/1.16/data", words.nouns)


def _scenery(words: Words) -> Iterator[Picture]:
    return read_scenery()


_EMOJI_TABLES = ("emojibase", "emojilib", "wordnet")
PARTS: tuple[Part, ...] = (
    Part("fluent-3d", ("fluent-3d", *_EMOJI_TABLES), _fluent_3d),
    *(_emoji_part(kind) for kind in EMOJI_SETS),
    Part("openclipart", ("openclipart", "wordnet"), _openclipart),
    Part("sweethome3d", ("sweethome3d", "iconify", *_EMOJI_TABLES), _sweethome3d),
    Part("dicebear", ("dicebear-styles",), _dicebear),
    Part("flat-icons", ("iconify", *_EMOJI_TABLES), _flat_icons),
    Part("tango", ("tango",), _tango),
    Part("crawl", ("crawl", "wordnet"), _crawl),
    Part("endless-sky", ("endless-sky",), _endless_sky),
    Part("openmoji", ("iconify", "openmoji", *_EMOJI_TABLES), _openmoji),
    Part("scenery", (), _scenery),
    Part("tuxpaint", ("tuxpaint", "wordnet"), _tuxpaint),
    Part("gcompris", ("gcompris", "wordnet"), _gcompris),
    Part("scratch", ("scratch", "wordnet"), _scratch),
    Part("wesnoth", ("wesnoth", "wordnet"), _wesnoth),
)
