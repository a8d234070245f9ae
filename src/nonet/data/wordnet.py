"""WordNet's nouns: which words name something that can be pictured, and what else they are called.

Reads the plain database files of WordNet 3.0 (`index.noun`, `data.noun`, `noun.exc`), format as in wndb(5WN).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nonet.errors import NonetError

# Lexicographer files whose nouns one can draw: animal, artifact, body, food, location, object, person, plant, shape.
_PICTURABLE = frozenset({"05", "06", "08", "13", "15", "17", "18", "20", "25"})
_PERSON = "18"
_ENDINGS = (("ies", "y"), ("ves", "f"), ("men", "man"), ("ches", "ch"), ("shes", "sh"), ("ses", "s"))
_MORE_ENDINGS = (("xes", "x"), ("zes", "z"), ("s", ""))


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: its words (lower case, spaces for underscores) and the meanings right above it."""

    lexfile: str
    words: tuple[str, ...]
    above: tuple[str, ...]


@dataclass(slots=True)
class WordNet:
    """Nouns by word. Meanings of a word come most frequent first; `common` words occur in tagged texts."""

    senses: dict[str, tuple[str, ...]]
    synsets: dict[str, Synset]
    exceptions: dict[str, str] = field(default_factory=dict)
    common: frozenset[str] = frozenset()

    @classmethod
    def load(cls, folder: str | Path) -> WordNet:
        """Read the noun files in `folder` (about two seconds).

        Raises:
            NonetError: `data_missing` where a file is not there.
        """
        folder = Path(folder)
        try:
            index = (folder / "index.noun").read_text("utf-8")
            data = (folder / "data.noun").read_text("utf-8")
            exceptions = (folder / "noun.exc").read_text("utf-8")
        except OSError as error:
            raise NonetError(
                "data_missing", f"WordNet is not in {folder}.", "Run `nonet data fetch` first."
            ) from error
        senses = {}
        common = set()
        for line in index.splitlines():
            if line.startswith(" "):
                continue
            parts = line.split()
            meanings = int(parts[2])
            word = parts[0].replace("_", " ")
            senses[word] = tuple(parts[-meanings:])
            # The count before the meanings: how many of them were seen in texts.
            if int(parts[-meanings - 1]) > 0:
                common.add(word)
        synsets = {}
        for line in data.splitlines():
            if line.startswith(" "):
                continue
            parts = line.split(" | ")[0].split()
            count = int(parts[3], 16)
            words = tuple(word.replace("_", " ").lower() for word in parts[4 : 4 + 2 * count : 2])
            pointers = parts[5 + 2 * count :]
            above = tuple(
                pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i")
            )
            synsets[parts[0]] = Synset(parts[1], words, above)
        pairs = (line.split() for line in exceptions.splitlines())
        irregular = {pair[0]: pair[1].replace("_", " ") for pair in pairs if len(pair) > 1}
        return cls(senses, synsets, irregular, frozenset(common))

    def singular(self, word: str) -> str:
        """The noun's base form ("mice" -> "mouse", "glasses" -> "glasses"); the word itself when none is known."""
        if word in self.exceptions:
            return self.exceptions[word]
        if word in self.senses or len(word) < 4:
            return word
        for ending, base in (*_ENDINGS, *_MORE_ENDINGS):
            if word.endswith(ending):
                candidate = word[: len(word) - len(ending)] + base
                if candidate in self.senses:
                    return candidate
        return word

    def meaning(self, word: str, among: int = 3) -> Synset | None:
        """The first picturable meaning of the noun among its `among` most frequent ones, things before people."""
        offset = self._offset(word, among)
        return self.synsets[offset] if offset is not None else None

    def _offset(self, word: str, among: int) -> str | None:
        found = [
            offset
            for offset in self.senses.get(self.singular(word.lower()), ())[:among]
            if self.synsets[offset].lexfile in _PICTURABLE
        ]
        # A "printer" or a "cooker" is seldom the person.
        things = [offset for offset in found[:2] if self.synsets[offset].lexfile != _PERSON]
        chosen = things or found
        return chosen[0] if chosen else None

    def picturable(self, word: str, among: int = 3) -> bool:
        """Whether one of the noun's frequent meanings is a thing one can draw."""
        return self.meaning(word, among) is not None

    def other_names(self, word: str, limit: int = 3) -> tuple[str, ...]:
        """Synonyms of the word's picturable meaning, then the names right above it ("armchair" -> "chair")."""
        synset = self.meaning(word, among=2)
        if synset is None:
            return ()
        base = self.singular(word.lower())
        # A name counts when people use it, and use it for this first of all: a "cab" is a taxi, a "hack" is not.
        names = [
            name
            for name in synset.words
            if name != base and name in self.common and self.synsets[self.senses[name][0]] is synset
        ]
        for offset in synset.above[:1]:
            parent = self.synsets[offset]
            # Only names that people use for the thing: high up stand "whole" and "instrumentality".
            if parent.lexfile in _PICTURABLE and self._depth(offset) >= 7 and parent.words[0] in self.common:
                names.extend(parent.words[:1])
        plain = [name for name in names if name.replace(" ", "").isalpha() and len(name) <= 24]
        return tuple(dict.fromkeys(plain))[:limit]

    def kinds(self, word: str, levels: int = 8) -> frozenset[str]:
        """Every word standing above the word's first picturable meaning, with its own synonyms."""
        offset = self._offset(word, 2)
        if offset is None:
            return frozenset()
        found: set[str] = set()
        front = {offset}
        for _ in range(levels):
            for one in front:
                found.update(self.synsets[one].words)
            front = {up for one in front for up in self.synsets[one].above}
        return frozenset(found)

    def _depth(self, offset: str) -> int:
        depth = 0
        while self.synsets[offset].above:
            offset = self.synsets[offset].above[0]
            depth += 1
        return depth
