"""OpenMoji: outlined emoji, objects beyond Unicode's, and black line drawings. Share-alike: training only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nonet.data.captions import clean_label, head_noun, unique
from nonet.data.emoji_words import EmojiWords
from nonet.data.pictures import Picture, Style
from nonet.data.readers.emoji import EmojiSet, emoji_picture, read_icon_set
from nonet.data.render import SvgFile, SvgText
from nonet.data.wordnet import WordNet

_COLOUR = EmojiSet("openmoji", "OpenMoji", "OpenMoji and contributors", "CC-BY-SA-4.0", False, 0.7)
_BLACK = EmojiSet(
    "openmoji-black",
    "OpenMoji black",
    "OpenMoji and contributors",
    "CC-BY-SA-4.0",
    False,
    0.5,
    "line drawing",
)
_EXTRA_SUBGROUPS = frozenset({
    "animals-nature", "climate-environment", "emergency", "food-drink", "gardening", "objects",
    "people", "technology", "travel-places",
})  # fmt: skip


def read_openmoji(iconify: Path, package: Path, words: EmojiWords, nouns: WordNet) -> Iterator[Picture]:
    """Colour emoji and extras from iconify's set, line drawings where the package carries them.

    `iconify` is the unpacked `@iconify/json`, `package` the unpacked `openmoji`.
    """
    table = {
        row["hexcode"].lower(): row for row in json.loads((package / "data/openmoji.json").read_text("utf-8"))
    }
    for name, document, _, code in read_icon_set(iconify / "json" / "openmoji.json"):
        emoji = words.by_code(code) if code else None
        row = table.get(code.lower()) if code else None
        if emoji is not None:
            yield emoji_picture(
                emoji,
                key=f"openmoji/{name}",
                source="iconify",
                kind=_COLOUR,
                payload=SvgText(document),
                title=name.replace("-", " "),
                aliases=[],
            )
        elif row and row["group"] == "extras-openmoji" and row["subgroups"] in _EXTRA_SUBGROUPS:
            label = clean_label(row["annotation"])
            tags = [clean_label(tag) for tag in row["openmoji_tags"].split(",")]
            if head_noun(label, nouns) and not row["skintone"]:
                yield _extra(
                    f"openmoji/{name}", label, tags, SvgText(document), row["openmoji_author"], "emoji"
                )
    for folder in ("black/svg", "black"):
        yield from _line_drawings(package / folder, words)


def _extra(key: str, label: str, tags: list[str], payload: SvgText, author: str, style: Style) -> Picture:
    return Picture(
        key=key,
        source="iconify",
        set=_COLOUR.name,
        style=style,
        caption=label,
        payload=payload,
        keywords=unique(tags, label, 10),
        title=label,
        author=f"{author}, OpenMoji" if author else _COLOUR.author,
        licence=_COLOUR.licence,
        permissive=False,
        weight=0.7,
        evidence=tuple(tags),
    )


def _line_drawings(folder: Path, words: EmojiWords) -> Iterator[Picture]:
    for path in sorted(folder.glob("*.svg")):
        emoji = words.by_code(path.stem.lower())
        # Faces without colour tell little.
        if emoji is None or emoji.group == 0:
            continue
        yield emoji_picture(
            emoji,
            key=f"openmoji-black/{path.stem}",
            source="openmoji",
            kind=_BLACK,
            payload=SvgFile(str(path)),
            title=emoji.label,
            aliases=[],
        )
