"""Words into labels: what a picture is called, what else it may be called, which concept it belongs to."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from unidecode import unidecode

from nonet.data.wordnet import WordNet

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
# Words that tell pictures of one thing apart without naming another thing.
_QUALIFIERS = frozenset(
    {
        *COLOURS, "grey", "golden", "silver", "gold", "violet", "cyan", "turquoise", "beige", "maroon",
        "big", "small", "large", "little", "tiny", "huge", "medium", "old", "new", "young", "cute", "happy", "sad",
        "light", "dark", "bright", "colorful", "colourful", "simple", "plain", "open", "closed", "full", "empty",
        "left", "right", "front", "side", "single", "one", "two", "three", "cartoon", "funny", "smiling", "sitting",
        "standing", "sleeping", "running", "flying", "friendly", "beautiful", "pretty", "nice", "lovely", "oncoming",
        "animated", "stylized", "stylised", "isometric", "realistic", "glossy", "shiny", "half", "whole", "fresh",
        "a", "an", "the",
    }
)  # fmt: skip
_ARTICLE = re.compile(r"^(a|an|the|some)\s+", re.I)
_VARIANT = re.compile(
    r"\b(b ?(and|&) ?w|bw|black and white|no shadow|with shadow|silhouette|outline[d]?|icon|logo|symbol|clip ?art|"
    r"vector|svg|simple|version|alt|remix|contour|stylized|stylised|generic|basic|plain|openclipart|"
    r"image|picture|drawing|illustration|cartoon|line ?art)\b",
    re.I,
)
_LONGEST = 48


def clean_label(text: str) -> str:
    """A raw title or file name as a short lower-case label; empty where nothing usable is left.

    Takes off extensions, brackets, numbering, style words, articles; keeps ASCII letters, apostrophes and hyphens.
    """
    text = html.unescape(html.unescape(text))
    text = unidecode(text).strip()
    text = re.sub(r"\.(svg|png|jpe?g|gif|webp)$", "", text, flags=re.I)
    text = re.sub(r"\([^)]*\)|\[[^\]]*\]|\{[^}]*\}", " ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"[_/,;:.]+", " ", text)
    text = re.sub(r"(?<![A-Za-z])-|-(?![A-Za-z])", " ", text)
    text = re.sub(r"\b(\w+?)[\d#]+\b", r"\1", text)
    text = re.sub(r"[^A-Za-z'\- ]+", " ", text).lower()
    text = _VARIANT.sub(" ", text)
    text = re.sub(r"\s+", " ", text).strip(" '-")
    text = _ARTICLE.sub("", text)
    words = [word for word in text.split() if len(word) > 1 or word == "a"]
    while words and words[-1] in ("of", "with", "and", "the", "a", "in", "on", "by", "for", "or"):
        words.pop()
    label = re.sub(r"\btux\b", "penguin", " ".join(words))
    label = re.sub(r"\bgrey\b", "gray", label)
    return label if 2 < len(label) <= _LONGEST or label in ("ox", "tv", "cd") else ""


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return word.replace("'s", "").strip("'")


def concept_of(label: str, words: WordNet) -> str:
    """The thing a label names, without colour, size or number: all styles of one thing share it.

    "two red apples" -> "apple", "dog face" -> "dog", "woman farmer" -> "farmer".
    """
    text = label.lower().replace("grey", "gray")
    text = (
        re.sub(
            r"\b(with|without|wearing|holding|on|in|facing|showing|behind|under|and|from|at)\b.*", "", text
        )
        or text
    )
    text = re.sub(r"^(man|woman|male|female|boy|girl|person)\s+(?=[a-z])", "", text.strip()) or text
    parts = [_stem(part) for part in re.split(r"[\s]+", text.strip()) if part]
    # A dog's face is a dog; an angry face is a face.
    if (
        len(parts) > 1
        and parts[-1] in ("face", "head", "front", "side")
        and words.picturable(parts[-2], among=1)
    ):
        parts = parts[:-1]
    # The last word is the thing itself even where it is an adjective elsewhere: "police car light".
    kept = [part for part in parts[:-1] if part not in _QUALIFIERS] + parts[-1:]
    if "of" in kept:
        position = kept.index("of")
        if position + 1 < len(kept) and kept[0] in (
            "glass",
            "slice",
            "piece",
            "cup",
            "bowl",
            "pile",
            "bunch",
            "pair",
        ):
            kept = kept[position + 1 :]
    if kept:
        kept[-1] = words.singular(kept[-1])
    return " ".join(kept) or label


def head_noun(label: str, words: WordNet) -> str:
    """The longest ending of the label that WordNet knows as a picturable noun ("red sports car" -> "sports car").

    What follows a preposition or a participle is left out: "man singing" -> "man".
    """
    whole = re.sub(r"\b(with|without|on|in|of|and|wearing|holding)\b.*", "", label) or label
    for text in (whole, re.sub(r"(?<=\w )\w+ing\b.*", "", whole)):
        parts = text.split()
        for start in range(len(parts)):
            candidate = " ".join(parts[start:])
            if words.picturable(candidate):
                return words.singular(candidate)
    return ""


def named_colours(label: str) -> tuple[str, ...]:
    """The basic colour words that a label holds."""
    found = re.findall(r"[a-z]+", label.lower().replace("grey", "gray"))
    return tuple(colour for colour in COLOURS if colour in found)


def unique(names: list[str] | tuple[str, ...], without: str = "", limit: int = 12) -> tuple[str, ...]:
    """The names in order, each once, cleaned, without the label itself."""
    seen = {without.lower()}
    kept = []
    for name in names:
        name = re.sub(r"\s+", " ", name.strip().lower())
        if name and name not in seen and len(name) <= _LONGEST:
            seen.add(name)
            kept.append(name)
    return tuple(kept[:limit])
