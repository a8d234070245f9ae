"""The explicit-content filter for pictures' words: the safety lists as they count for training, and stricter ones.

A prompt may say "pistol", but no picture of one is trained on: what the data lists name is dropped whatever the
prompt policy says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from nonet.safety.lists import category_of

Judge = Callable[[list[str]], str | None]


def _no_judge(texts: list[str]) -> str | None:
    return None


@dataclass
class WordFilter:
    """Our own phrases by category, tried in alphabetical order, then the judge that the safety lists give."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    harmless: re.Pattern[str] | None = None
    judge: Judge = _no_judge
    _known: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_folder(cls, folder: Path, judge: Judge = _no_judge) -> WordFilter:
        """Read every `*.txt` in the folder: one word or phrase a line, `#` comments; the file name is the category.

        A line `!bullet train` names a harmless phrase that holds a listed word.
        """
        phrases: dict[str, set[str]] = {}
        harmless: set[str] = set()
        for path in sorted(folder.glob("*.txt")):
            lines = (line.split("#")[0].strip().lower() for line in path.read_text("utf-8").splitlines())
            for line in filter(None, lines):
                if line.startswith("!"):
                    harmless.add(line[1:].strip())
                else:
                    phrases.setdefault(path.stem, set()).add(line)
        patterns = tuple((name, _pattern(words)) for name, words in sorted(phrases.items()))
        return cls(patterns, _pattern(harmless) if harmless else None, judge)

    def is_allowed(self, words: str | Iterable[str]) -> str | None:
        """The category that one of the words or phrases falls into, or None when they may be trained on."""
        for text in [words] if isinstance(words, str) else words:
            # The same few thousand words come again and again.
            if text not in self._known:
                self._known[text] = self._category(text)
            if self._known[text] is not None:
                return self._known[text]
        return None

    def _category(self, text: str) -> str | None:
        text = text.lower()
        if self.harmless is not None:
            text = self.harmless.sub(" ", text)
        for name, pattern in self.patterns:
            if pattern.search(text):
                return name
        return self.judge([text]) if text.strip() else None


def _pattern(phrases: set[str]) -> re.Pattern[str]:
    # A plural is the same thing; "gun" must not match "gunpowder tea", nor "ass" "glass".
    alternatives = "|".join(
        re.escape(phrase).replace(r"\ ", r"[\s_-]+")
        for phrase in sorted(phrases, key=lambda one: (-len(one), one))
    )
    return re.compile(rf"(?<![a-z])(?:{alternatives})(?:'?s|es)?(?![a-z])")


def default_filter() -> WordFilter:
    """The lists that the package carries: `data/lists/drop` and all sections of the safety lists."""
    return WordFilter.from_folder(Path(str(resources.files("nonet.data"))) / "lists" / "drop", category_of)
