"""The lists of what is refused: readable text files, parsed and looked up.

`lists/README.txt` explains the syntax. The same lists serve prompts (sections always, standard,
strict) and the choice of training data (all of these and `training`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from nonet.errors import NonetError
from nonet.safety.matcher import Hit, Matcher, Rule
from nonet.safety.words import NUMBERS, inflections, words_of

FOLDER = Path(__file__).parent / "lists"
POLICY_CATEGORIES = ("minors", "sexual", "self-harm", "hate", "gore", "tragedies", "harassment")
TRAINING_CATEGORIES = ("weapons", "drugs-alcohol-tobacco", "gambling", "nudity", "rude")
LEVELS = ("off", "standard", "strict")
SECTIONS_OF_LEVEL = {
    "off": frozenset({"always"}),
    "standard": frozenset({"always", "standard"}),
    "strict": frozenset({"always", "standard", "strict"}),
    "training": frozenset({"always", "standard", "strict", "training"}),
}
_SECTION = re.compile(r"\[(?P<kind>[a-z]+)(?: +(?P<name>[\w-]+))?\]")
_CHOICE = re.compile(r"\(([^()]*)\)|\{(\d+)-(\d+)\}")
_MAX_SPELLINGS = 400
# Ends the name of a group as it was before an operator removed members.
_WHOLE = " (whole)"

Words = tuple[str, ...]
Wrong = Callable[[str], NonetError]


@dataclass(frozen=True)
class Entry:
    """One line of a list.

    Attributes:
        category: the list that it stands in.
        section: always, standard, strict or training.
        text: the line as written, without date and reason; names the entry when an operator removes it.
        parts: what must all be found: group names ("@minor") or phrases.
        date, reason: for tragedies.
    """

    category: str
    section: str
    text: str
    parts: tuple[str, ...]
    date: str = ""
    reason: str = ""


@dataclass
class Lists:
    """All entries, groups and allowed phrases; `matcher(level)` compiles them.

    What an operator allows (`operator_allowed`) does not count at "off", where only what is refused at every level is
    left: nobody's file can open that.
    """

    entries: list[Entry] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    allowed: list[str] = field(default_factory=list)
    operator_allowed: list[str] = field(default_factory=list)
    _matchers: dict[str, Matcher] = field(default_factory=dict, repr=False, compare=False)

    def matcher(self, level: str) -> Matcher:
        """The compiled rules that count at `level`: off, standard, strict or training."""
        if level not in self._matchers:
            self._matchers[level] = self._compile(level)
        return self._matchers[level]

    def _compile(self, level: str) -> Matcher:
        sections = SECTIONS_OF_LEVEL[level]
        rules = [
            Rule(category=entry.category, text=entry.text, parts=entry.parts)
            for entry in self.entries
            if entry.section in sections
        ]
        # Sexual content with minors is what every level refuses, so it is also what a refusal names first.
        rules.sort(key=lambda rule: _priority(rule.category))
        phrases = {
            part: list(self._phrases(part))
            for part in dict.fromkeys(part for rule in rules for part in rule.parts)
        }
        phrases_allowed = self.allowed + ([] if level == "off" else self.operator_allowed)
        allowed = [words for phrase in phrases_allowed for words in spellings(phrase)]
        return Matcher(rules, phrases, allowed)

    def _phrases(self, part: str) -> Iterator[Words]:
        if not part.startswith("@"):
            yield from spellings(part)
            return
        for member in self.groups[part[1:]]:
            yield from spellings(member)


def _priority(category: str) -> int:
    known = POLICY_CATEGORIES + TRAINING_CATEGORIES
    return known.index(category) if category in known else len(known)


def spellings(phrase: str) -> Iterator[Words]:
    """Every word sequence that a list's phrase stands for: choices, number ranges and plurals written out."""
    exact = phrase.startswith("=")
    pieces: list[list[str]] = []
    position = 0
    text = phrase[1:] if exact else phrase
    for found in _CHOICE.finditer(text):
        pieces.append([text[position : found.start()]])
        if found[1] is not None:
            pieces.append(found[1].split("/"))
        else:
            numbers = range(int(found[2]), int(found[3]) + 1)
            pieces.append([str(n) for n in numbers] + [NUMBERS[n] for n in numbers if n < len(NUMBERS)])
        position = found.end()
    pieces.append([text[position:]])
    for chosen in itertools.product(*pieces):
        words = words_of("".join(chosen))
        if not words:
            continue
        for last in [words[-1]] if exact else inflections(words[-1]):
            yield (*words[:-1], last)


def parse(
    text: str, *, category: str | None = None, source: str = "policy file", into: Lists | None = None
) -> Lists:
    """Read one list and add it to `into`.

    Args:
        text: the file's content.
        category: the file's category; an operator's file names it itself with `[category name]`.
        source: how errors call the file.
        into: lists to extend in place; a new `Lists` without it.

    Raises:
        NonetError: `config_invalid`, with the line number, when a line cannot be understood.
    """
    lists = into if into is not None else Lists()
    section, group, shipped = "standard", "", category is not None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue

        def wrong(why: str, number: int = number) -> NonetError:
            return NonetError("config_invalid", f"{source}, line {number}: {why}.")

        if line.startswith("["):
            header = _SECTION.fullmatch(line)
            if header is None:
                raise wrong(f"{line!r} is not a section")
            kind, name = header["kind"], header["name"]
            if kind == "group" and name:
                section, group = "group", name
                lists.groups.setdefault(group, [])
            elif kind == "category" and name:
                category, section = name, "standard"
            elif kind in ("always", "standard", "strict", "training", "allow") and not name:
                section = kind
            else:
                raise wrong(f"{line!r} is not a section")
            continue
        if line.startswith("- "):
            _remove(lists, line[2:].strip(), wrong)
            continue
        _check_phrase(line.split(" | ")[0], wrong)
        if section == "group":
            lists.groups[group].append(line)
        elif section == "allow":
            (lists.allowed if shipped else lists.operator_allowed).append(line)
        else:
            if category is None:
                raise wrong("an entry stands before the first [category name]")
            lists.entries.append(_entry(line, category, section, lists, wrong))
    lists._matchers.clear()
    return lists


def _entry(line: str, category: str, section: str, lists: Lists, wrong: Wrong) -> Entry:
    fields = [part.strip() for part in line.split(" | ")]
    parts = tuple(part.strip() for part in fields[0].split(" + "))
    if category == "tragedies" and len(fields) != 3:
        raise wrong("an entry of tragedies needs ' | date | reason'")
    return Entry(category, section, fields[0], parts, *fields[1:3])


def _check_phrase(text: str, wrong: Wrong) -> None:
    if text.count("(") != text.count(")") or text.count("{") != text.count("}"):
        raise wrong("a bracket is not closed")
    for part in text.split(" + "):
        if part.strip().startswith("@"):
            continue
        ranges = [(int(low), int(high)) for low, high in re.findall(r"\{(\d{1,6})-(\d{1,6})\}", part)]
        if any(high < low or high - low > 200 for low, high in ranges):
            raise wrong("a number range is empty or longer than 200")
        size = 1
        for choice in re.findall(r"\(([^()]*)\)", part):
            size *= choice.count("/") + 1
        for low, high in ranges:
            size *= high - low + 1
        if size > _MAX_SPELLINGS:
            raise wrong(f"the choices of this line make more than {_MAX_SPELLINGS} phrases")
        if not any(True for _ in spellings(part.strip())):
            raise wrong(f"{part.strip()!r} holds no word")


def _remove(lists: Lists, text: str, wrong: Wrong) -> None:
    """Take an entry, an allowed phrase or a member of a group out, except from what counts at every level."""
    always = [entry for entry in lists.entries if entry.section == "always"]
    if any(entry.text == text for entry in always):
        raise wrong("an entry that counts at every level cannot be removed")
    kept = [entry for entry in lists.entries if entry.text != text]
    found = len(kept) < len(lists.entries) or text in lists.allowed
    lists.entries, lists.allowed = kept, [phrase for phrase in lists.allowed if phrase != text]
    for name in [
        name for name, members in lists.groups.items() if text in members and not name.endswith(_WHOLE)
    ]:
        found = True
        # Rules that count at every level go on with the whole group.
        lists.groups.setdefault(name + _WHOLE, list(lists.groups[name]))
        lists.groups[name] = [member for member in lists.groups[name] if member != text]
        lists.entries = [_with_whole(entry, name) for entry in lists.entries]
    if not found:
        raise wrong(f"there is no entry {text!r} to remove")


def _with_whole(entry: Entry, group: str) -> Entry:
    if entry.section != "always":
        return entry
    parts = tuple(part + _WHOLE if part == f"@{group}" else part for part in entry.parts)
    return replace(entry, parts=parts)


def load_lists(operator_file: Path | None = None) -> Lists:
    """The lists that come with nonet, and an operator's additions and removals on top.

    Raises:
        NonetError: `config_invalid` for bad syntax or an unknown group, `file_unreadable`.
    """
    lists = Lists()
    paths = [FOLDER / f"{name}.txt" for name in (*POLICY_CATEGORIES, *TRAINING_CATEGORIES)]
    for path in paths:
        parse(path.read_text("utf-8"), category=path.stem, source=path.name, into=lists)
    if operator_file is not None:
        try:
            text = operator_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NonetError(
                "file_unreadable", f"Cannot read the policy {operator_file}: {reason}."
            ) from error
        parse(text, source=operator_file.name, into=lists)
    for entry in lists.entries:
        for part in entry.parts:
            if part.startswith("@") and part[1:] not in lists.groups:
                raise NonetError(
                    "config_invalid", f"The entry {entry.text!r} names the unknown group {part}."
                )
    return lists


@cache
def default_lists() -> Lists:
    """The shipped lists, read once."""
    return load_lists()


@cache
def common_words() -> frozenset[str]:
    """Ordinary words, by which a disguise is told from an accident."""
    lines = (FOLDER / "common.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def hit_of(
    words_or_text: str | Iterable[str], lists: Lists | None = None, *, level: str = "training"
) -> Hit | None:
    """The first rule that a caption breaks, or None; see `category_of`."""
    texts = [words_or_text] if isinstance(words_or_text, str) else list(words_or_text)
    words: list[str] = []
    for text in texts:
        # The empty word keeps a phrase from beginning in one keyword and ending in the next.
        words += [*words_of(text), ""]
    lists = lists or default_lists()
    hit = lists.matcher("off").first(words) if lists.operator_allowed else None
    return hit or lists.matcher(level).first(words)


def category_of(
    words_or_text: str | Iterable[str], lists: Lists | None = None, *, level: str = "training"
) -> str | None:
    """The category by which a caption (or keywords) may not be used, or None.

    Args:
        words_or_text: a caption, or keywords each of which may be a phrase.
        lists: the shipped ones without it.
        level: `training` counts every section; a policy level counts what would be refused as a prompt.
    """
    hit = hit_of(words_or_text, lists, level=level)
    return hit.category if hit else None
