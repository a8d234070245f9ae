"""Reading a prompt: which things it names, how they stand to each other, before what, in which style.

A small rule-based reader of English noun phrases. It never fails: what it does not understand stays inside a
thing's text, which the picture memory looks up by meaning anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from nonet.model import words as w
from nonet.model.plurals import singular

Kind = Literal[
    "on",
    "in",
    "front",
    "behind",
    "under",
    "above",
    "beside",
    "left",
    "right",
    "with",
    "wear",
    "hold",
    "ride",
    "and",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
KEEPS_SUBJECT: frozenset[str] = frozenset({"with", "wear", "hold", "ride"})
"""After these the next relation still speaks of the same subject: "a cat wearing a hat on a table"."""


@dataclass(frozen=True)
class Thing:
    """One noun phrase: `text` without article or numeral, its head `noun` in the singular, and what
    describes it.

    `modifiers` are the words of the phrase other than head and colour; `count` is how many of it are asked
    for.
    """

    text: str
    noun: str
    colour: str | None = None
    modifiers: tuple[str, ...] = ()
    count: int = 1


@dataclass(frozen=True)
class Relation:
    """`things[subject]` is `kind` `things[object]`: on, in, left of, wearing, ..."""

    kind: Kind
    subject: int
    object: int


@dataclass(frozen=True)
class Scene:
    """What a prompt asks for. `style` is a style's name, or the prompt's own words for one we do not know."""

    things: tuple[Thing, ...] = ()
    relations: tuple[Relation, ...] = ()
    background: Thing | None = None
    style: str | None = None


@dataclass
class _Phrase:
    """A noun phrase while it is read, with the connector that leads to it."""

    kind: str
    words: list[str]
    determined: bool = False
    count: int = 1
    vague: bool = False


_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*|[,;:]|&")
_CONNECTORS: dict[tuple[str, ...], str] = {
    tuple(spelling.split()): kind
    for kind, spellings in {
        "on": "on|onto|upon|atop|on top of|at the top of|on the top of",
        "in": "in|inside|inside of|within|into|in the middle of",
        "front": "in front of|in the front of",
        "behind": "behind|in back of",
        "under": "under|underneath|below|beneath",
        "above": "above|over|high above",
        "beside": "beside|next to|near|near to|by|close to|alongside|between|besides|to|for|beside of",
        "left": "left of|to the left of|on the left of|on the left side of|at the left of",
        "right": "right of|to the right of|on the right of|on the right side of|at the right of",
        "with": "with|featuring|filled with|full of|covered in|covered with|covered by|surrounded by"
        "|along with|has",
        "wear": "wearing|dressed in",
        "and": "and|&|,|;|:|plus|as well as|versus|vs",
        "at": "at|against|around|across|through|along|from|during|towards|toward|after|before|set in",
        "like": "made of|made out of|made from|shaped like|in the shape of|in the form of|that looks like"
        "|looking like|dressed as|dressed like|dressed up as|disguised as|as a|as an",
        "style": "in the style of|in style of|inspired by|by the artist",
        "skip": "without|with no",
        "backdrop": "in the background|in background|in the distance|behind it|behind them",
    }.items()
    for spelling in spellings.split("|")
}
_CONNECTORS_BY_FIRST: dict[str, list[tuple[tuple[str, ...], str]]] = {}
for _spelling, _leads_to in sorted(_CONNECTORS.items(), key=lambda item: -len(item[0])):
    _CONNECTORS_BY_FIRST.setdefault(_spelling[0], []).append((_spelling, _leads_to))

_MANNERS = w.NOT_PLACES | w.COLOURS.keys()
_STYLE_WORDS = "|".join(sorted(map(re.escape, w.STYLES), key=len, reverse=True))
_STYLE_OF = re.compile(
    rf"^(?:(?:a|an|the|some)\s+)?(?:[a-z-]+\s+){{0,2}}?(?P<style>{_STYLE_WORDS})(?:\s+style)?"
    r"(?:\s+(?:photo|picture|image|drawing|render|illustration|icon))?\s+(?:of|showing|depicting)\s+"
)
_STYLE_COLON = re.compile(rf"^(?P<style>{_STYLE_WORDS})\s*[:,]\s*")
_STYLE_BEFORE = re.compile(rf"^(?:(?:a|an|the)\s+)?(?P<style>{'|'.join(w.STYLES_BEFORE)})\s+(?=[a-z])")
_STYLE_AFTER = re.compile(rf"(?<=[a-z])\s+(?P<style>{'|'.join(w.STYLES_AFTER)})(?:\s+style)?$")
_STYLE_TAIL = re.compile(
    rf"(?:,\s*(?:an?\s+)?|\s+(?:in|as)\s+(?:an?\s+)?)(?P<style>{_STYLE_WORDS})(?:\s+style)?$"
)
_STYLE_NAMED = re.compile(r",?\s+in\s+(?:an?\s+|the\s+)?(?P<style>[a-z0-9' -]{2,30}?)\s+style$")
_STYLE_LIKE = re.compile(r",?\s+(?:in\s+(?:the\s+)?style\s+of|inspired\s+by)\s+(?P<style>[^,;]+)$")


def parse(prompt: str) -> Scene:
    """Read a prompt into things, relations, background and style. Takes well under a millisecond."""
    text = " ".join(prompt.lower().replace("’", "'").split()).strip(" .!?\"'")
    text = _without_tags(text)
    text, style = _take_style(text)
    return _resolve(_read(_TOKEN.findall(text)), style)


def thing(text: str) -> Thing:
    """The `Thing` that a noun phrase without article names: `thing("red apple")`."""
    return _thing(_Phrase("and", text.lower().split()))


def is_place(item: Thing) -> bool:
    """Whether a thing is a setting that fills the picture behind others, such as a beach or the moon."""
    last = item.text.split()[-1] if item.text else ""
    return item.noun in w.PLACES or last in w.PLACES


def _without_tags(text: str) -> str:
    if "," not in text:
        return text
    first, *rest = (part.strip() for part in text.split(","))
    return ", ".join([first, *(part for part in rest if part and part not in w.TAGS)])


def _take_style(text: str) -> tuple[str, str | None]:
    """Cut words about style off both ends; the first style found wins."""
    style: str | None = None
    for pattern in (
        _STYLE_LIKE,
        _STYLE_TAIL,
        _STYLE_NAMED,
        _STYLE_OF,
        _STYLE_COLON,
        _STYLE_BEFORE,
        _STYLE_AFTER,
    ):
        match = pattern.search(text)
        if match is None:
            continue
        rest = (text[: match.start()] + " " + text[match.end() :]).strip(" ,")
        if not rest or rest in w.DETERMINERS:
            continue
        found = match["style"].strip()
        style = style or (w.STYLES.get(found, found) or None)
        text = rest
    return text, style


def _read(tokens: list[str]) -> list[_Phrase]:
    """Cut tokens into noun phrases, each with the kind of connector before it."""
    phrases: list[_Phrase] = []
    current = _Phrase("and", [])
    index = 0

    def close(kind: str) -> None:
        nonlocal current
        if current.words:
            phrases.append(current)
            current = _Phrase(kind, [])
        elif kind != "and" or current.kind == "and":
            # "sitting on top of": of connectors in a row the last says most, but "and" says nothing.
            current.kind = kind

    while index < len(tokens):
        token = tokens[index]
        taken, kind = _connector(tokens, index)
        if (
            taken
            and kind == "and"
            and current.words
            and _only_adjectives([*current.words, *tokens[index + 1 :][:1]])
        ):
            index += taken  # "black and white cat"
            continue
        if taken:
            if kind == "backdrop":
                # "a dog with a mountain in the background"
                current.kind = "backdrop"
                close("and")
            else:
                close(kind)
            index += taken
            continue
        verb = w.FINITE.get(token, token)
        following, _ = _connector(tokens, index + 1)
        # An orange may sit on things and hold an apple, though its name is also a colour.
        acts = (
            not _only_adjectives(current.words)
            or (following and verb in w.POSTURES)
            or (index + 1 < len(tokens) and tokens[index + 1] in w.DETERMINERS | w.NUMERALS.keys())
        )
        if current.words and acts and _is_verb(verb):
            if following or index + 1 == len(tokens):
                if verb not in w.POSTURES:
                    current.words.append(verb)
            else:
                close(_verb_kind(verb))
            index += 1
            continue
        if not current.words and not current.determined and (number := w.NUMERALS.get(token)):
            current.count = number
        elif not current.words and token in w.VAGUE_NUMERALS:
            current.vague = True
        elif not current.words and (size := _group_size(tokens, index)):
            current.count = size
            index += 1  # its "of"
        elif token in w.DETERMINERS and not (current.words and token == "one"):
            current.determined = True
        elif token not in w.FILLERS:
            current.words.append(token)
        index += 1
    if current.words:
        phrases.append(current)
    return phrases


def _connector(tokens: list[str], index: int) -> tuple[int, str]:
    """How many tokens from `index` on form a connector, and its kind; (0, "") where none does."""
    if index >= len(tokens):
        return 0, ""
    for spelling, kind in _CONNECTORS_BY_FIRST.get(tokens[index], ()):
        if tuple(tokens[index : index + len(spelling)]) == spelling:
            return len(spelling), kind
    return 0, ""


def _is_verb(token: str) -> bool:
    return len(token) > 4 and token.endswith("ing") and token not in w.NOUNS_ING


def _verb_kind(verb: str) -> str:
    if verb in w.VERBS_WEAR:
        return "wear"
    if verb in w.VERBS_RIDE:
        return "ride"
    return "hold" if verb in w.VERBS_HOLD else "act"


def _group_size(tokens: list[str], index: int) -> int | None:
    """How many things "a group of ...s" stands for; None where the words are no group.

    "a bunch of bananas" is one thing, and so is "a pair of glasses".
    """
    if tokens[index] not in w.GROUPS or tokens[index + 1 : index + 2] != ["of"]:
        return None
    if tokens[index] == "pair":
        return 1
    if tokens[index] in ("bunch", "pack"):
        return None
    return 2 if tokens[index] == "couple" else 3


def _only_adjectives(tokens: list[str]) -> bool:
    return all(t in w.COLOURS or t in w.COLOUR_SPELLINGS or t in w.ADJECTIVES for t in tokens)


def _thing(phrase: _Phrase) -> Thing:
    """Head, colour and modifiers of a phrase: in "red bowl of hot soup sleeping" the head is "bowl"."""
    items = [w.COLOUR_SPELLINGS.get(token, token) for token in phrase.words]
    end = items.index("of") if "of" in items[1:] else len(items)
    head = end - 1
    while head > 0 and _is_verb(items[head]):
        head -= 1
    noun = singular(items[head])
    count = phrase.count
    if phrase.vague and count == 1 and noun != items[head]:
        count = 3
    if count > 1:
        items[head] = noun
    colour, colour_at = _colour(items, head)
    rest = tuple(item for i, item in enumerate(items) if i != head and i not in colour_at and item != "of")
    return Thing(" ".join(items), noun, colour, rest, count)


def _colour(items: list[str], head: int) -> tuple[str | None, range]:
    """The colour named before the head and where; the head itself may be an orange or a rose."""
    for i in range(head):
        if i + 1 < head and f"{items[i]} {items[i + 1]}" in w.COLOURS:
            return f"{items[i]} {items[i + 1]}", range(i, i + 2)
        if items[i] in w.COLOURS:
            return items[i], range(i, i + 1)
    return None, range(0)


def _resolve(phrases: list[_Phrase], style: str | None) -> Scene:
    things: list[Thing] = []
    relations: list[Relation] = []
    background: Thing | None = None
    head = 0
    for phrase in phrases:
        kind, item = phrase.kind, _thing(phrase)
        if kind == "style":
            style = style or item.text
        elif kind == "skip":
            continue
        elif kind == "like" and things:
            things[head] = _blend(things[head], item)
        elif _is_setting(phrase, item, bool(things)):
            background = item if background is None else _merge(background, item)
        elif kind in ("in", "at") and things and not phrase.determined and item.text in _MANNERS:
            things[head] = replace(things[head], modifiers=(*things[head].modifiers, item.text))
        else:
            things.append(item)
            if len(things) > 1:
                listed = (
                    kind == "and" and relations and relations[-1].kind == "wear" and item.noun in w.WEARABLES
                )
                relation = Relation("wear" if listed else _kind(kind, item), head, len(things) - 1)
                relations.append(relation)
                if relation.kind not in KEEPS_SUBJECT:
                    head = len(things) - 1
    if background is None and len(things) > 1 and is_place(things[0]) and relations[0].kind == "with":
        # "a forest with a castle": the forest is the setting, though it came first.
        background = things.pop(0)
        relations = [
            Relation("and" if r.subject == 0 else r.kind, max(0, r.subject - 1), r.object - 1)
            for r in relations
            if r.object > 1
        ]
    if not things and background is not None:
        things, background = [background], None
    return Scene(tuple(things), tuple(relations), background, style)


def _is_setting(phrase: _Phrase, item: Thing, follows: bool) -> bool:
    """Whether a phrase says where the scene plays, rather than naming a thing in it."""
    kind = phrase.kind
    if kind == "backdrop":
        return True
    if item.noun in w.BACKDROPS and follows:
        return kind in ("on", "in", "with", "at", "and", "front")
    if not follows and kind == "and":
        return False
    if item.noun in w.WEARABLES or item.text in _MANNERS:
        # "on white" says the background; "on an orange" says where a thing lies.
        return kind in ("on", "at") and item.text in w.COLOURS and not phrase.determined
    if is_place(item):
        if item.noun in w.ENCLOSURES:
            return kind in ("in", "at", "act")
        return kind in ("on", "in", "at", "act", "above", "under", "behind", "beside", "front") or (
            kind == "and" and item.noun in ("underwater", "outdoors", "outside", "indoors", "night")
        )
    if kind == "in" and not phrase.determined and phrase.count == 1 and follows:
        # A name or a mass noun without article: "in Rivendell", "in fog". Plurals are things: "in pancakes".
        return item.noun == item.text.split()[-1] and item.noun not in w.CONTAINERS
    return kind == "act" and not phrase.determined and item.noun == item.text and phrase.count == 1


def _kind(kind: str, item: Thing) -> Kind:
    """The relation that a connector means before this object."""
    if kind in ("in", "with") and item.noun in w.WEARABLES and not (kind == "in" and item.noun == "backpack"):
        return "wear"
    if kind in ("at", "act", "like", "backdrop"):
        return "beside"
    return kind  # type: ignore[return-value]


def _blend(base: Thing, other: Thing) -> Thing:
    """ "an armchair in the shape of an avocado" is an avocado armchair."""
    extra = tuple(other.text.split())
    return replace(base, text=f"{other.text} {base.text}", modifiers=(*extra, *base.modifiers))


def _merge(background: Thing, other: Thing) -> Thing:
    text = f"{background.text} {other.text}"
    return replace(background, text=text, modifiers=(*background.modifiers, *other.text.split()))
