"""Finding the lists' phrases in a sequence of words, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Words = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """What is refused: every one of `parts` must be found in the words."""

    category: str
    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """A broken rule; words[start:end] made the first of its parts."""

    category: str
    rule: str
    start: int
    end: int


class _Node:
    """A node of the tree of phrases: which word may follow, and which parts end here."""

    __slots__ = ("next", "parts")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.parts: tuple[int, ...] = ()


class Matcher:
    """Compiled rules.

    Args:
        rules: in the order in which a refusal should name them.
        phrases: for every part that a rule names, its word sequences.
        allowed: word sequences that are taken out before any rule looks.
        fold: applied to every word of the phrases; words given to `first` must have been folded alike.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        phrases: Mapping[str, Iterable[Words]],
        allowed: Iterable[Words],
        fold: Callable[[str], str] | None = None,
    ) -> None:
        self.rules = list(rules)
        self._sources = ({part: list(found) for part, found in phrases.items()}, list(allowed))
        self._root, self._allowed = _Node(), _Node()
        numbers = {part: number for number, part in enumerate(self._sources[0])}
        for part, number in numbers.items():
            for words in self._sources[0][part]:
                self._add(self._root, words, number, fold)
        for words in self._sources[1]:
            self._add(self._allowed, words, 0, fold)
        # A rule is tried when the first of its parts turns up.
        self._rules_of_part: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for order, rule in enumerate(self.rules):
            parts = tuple(numbers[part] for part in rule.parts)
            self._rules_of_part.setdefault(parts[0], []).append((order, parts))

    def _add(self, root: _Node, words: Words, number: int, fold: Callable[[str], str] | None) -> None:
        node = root
        for word in words:
            node = node.next.setdefault(fold(word) if fold else word, _Node())
        node.parts = tuple(dict.fromkeys((*node.parts, number)))

    def folded(self, fold: Callable[[str], str]) -> Matcher:
        """The same rules for words that went through `fold`."""
        return Matcher(self.rules, *self._sources, fold=fold)

    def first(self, words: Sequence[str], counts: Callable[[int, int], bool] | None = None) -> Hit | None:
        """The rule that comes first among all that `words` break; linear in the number of words.

        Args:
            words: in plain form; an empty word is no word, and no phrase goes across it.
            counts: says whether the words from start to end are more than an accident; all are without it.
        """
        words = self._without_allowed(words)
        found: dict[int, tuple[int, int, bool]] = {}
        for start in range(len(words)):
            node = self._root.next.get(words[start])
            end = start + 1
            while node is not None:
                if node.parts:
                    good = counts is None or counts(start, end)
                    for part in node.parts:
                        if part not in found or (good and not found[part][2]):
                            found[part] = (start, end, good)
                if end >= len(words):
                    break
                node = node.next.get(words[end])
                end += 1
        best: tuple[int, int] | None = None
        for part in found:
            for order, parts in self._rules_of_part.get(part, ()):
                if best is not None and order >= best[0]:
                    continue
                # All parts must be there, and one of them must be more than an accident.
                if all(other in found for other in parts) and any(found[other][2] for other in parts):
                    best = (order, part)
        if best is None:
            return None
        rule = self.rules[best[0]]
        return Hit(rule.category, rule.text, *found[best[1]][:2])

    def vocabulary(self) -> tuple[set[Words], set[str], set[str]]:
        """All phrases, those of one word that break a rule on their own, and the words of what is allowed."""
        phrases, allowed = self._sources
        alone = {rule.parts[0] for rule in self.rules if len(rule.parts) == 1}
        sequences = {sequence for found in phrases.values() for sequence in found}
        single = {found[0] for part in alone for found in phrases[part] if len(found) == 1}
        return sequences, single, {word for sequence in allowed for word in sequence}

    def _without_allowed(self, words: Sequence[str]) -> Sequence[str]:
        kept: list[str] | None = None
        start = 0
        while start < len(words):
            node: _Node | None = self._allowed.next.get(words[start])
            end, longest = start + 1, 0
            while node is not None:
                if node.parts:
                    longest = end
                if end >= len(words):
                    break
                node = node.next.get(words[end])
                end += 1
            if longest:
                kept = list(words) if kept is None else kept
                kept[start:longest] = [""] * (longest - start)
                start = longest
            else:
                start += 1
        return words if kept is None else kept
