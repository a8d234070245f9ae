"""Emoji sets: iconify's JSON collections and Fluent's 3D pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nonet.data.emoji_words import Emoji, EmojiWords, slug
from nonet.data.pictures import Picture, Style
from nonet.data.render import ImageFile, SvgFile, SvgText

_SKIN = re.compile(r"(^|-)(light|medium|dark|medium-light|medium-dark)(-skin-tone)?$|skin-tone")
# Only at the end: "light-bulb" and "dark-cloud" are things.
_FLUENT_TONES = re.compile(r"-(light|medium|dark|medium-light|medium-dark)$")


@dataclass(frozen=True, slots=True)
class EmojiSet:
    """One iconify set of emoji and the terms it comes under."""

    prefix: str
    name: str
    author: str
    licence: str
    permissive: bool
    weight: float = 1.0
    style: Style = "emoji"


EMOJI_SETS = (
    EmojiSet("noto", "Noto Emoji", "Google Inc", "Apache-2.0", True),
    EmojiSet("fluent-emoji", "Fluent Emoji", "Microsoft Corporation", "MIT", True),
    EmojiSet("twemoji", "Twemoji", "Twitter, Inc and contributors", "CC-BY-4.0", True),
    EmojiSet("noto-v1", "Noto Emoji v1", "Google Inc", "Apache-2.0", True),
    EmojiSet("fluent-emoji-flat", "Fluent Emoji Flat", "Microsoft Corporation", "MIT", True, 0.7),
    EmojiSet("emojione", "EmojiOne 2", "EmojiOne", "CC-BY-4.0", True, 0.8),
    EmojiSet("fxemoji", "Firefox OS Emoji", "Mozilla", "Apache-2.0", True, 0.8),
    EmojiSet("streamline-emojis", "Streamline Emojis", "Streamline", "CC-BY-4.0", True, 0.8),
    EmojiSet("emojione-v1", "EmojiOne 1", "EmojiOne", "CC-BY-SA-4.0", False, 0.6),
)


def svg_document(body: str, width: float, height: float, left: float = 0, top: float = 0) -> str:
    """An icon's body as a document of its own; icons that take the text's colour get a dark gray."""
    body = body.replace("currentColor", "#333333")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}" height="{height:g}" viewBox="{left:g} {top:g} {width:g} {height:g}">{body}</svg>'
    )


def read_icon_set(path: Path) -> Iterator[tuple[str, str, list[str], str]]:
    """Every visible icon of an iconify JSON file: (name, SVG document, its aliases, its code points or "")."""
    data = json.loads(path.read_text("utf-8"))
    aliases: dict[str, list[str]] = {}
    for alias, entry in data.get("aliases", {}).items():
        if not any(key in entry for key in ("hFlip", "vFlip", "rotate")):
            aliases.setdefault(entry["parent"], []).append(alias)
    codes = {name: code for code, name in data.get("chars", {}).items()}
    for name, icon in data["icons"].items():
        if icon.get("hidden"):
            continue
        width = icon.get("width", data.get("width", 16))
        height = icon.get("height", data.get("height", 16))
        left = icon.get("left", data.get("left", 0))
        top = icon.get("top", data.get("top", 0))
        document = svg_document(icon["body"], width, height, left, top)
        yield name, document, aliases.get(name, []), codes.get(name, "")


def read_emoji_set(folder: Path, kind: EmojiSet, words: EmojiWords) -> Iterator[Picture]:
    """The emoji of one iconify set that show a thing; skin-tone variants, flags and signs are left out.

    `folder` is the unpacked `@iconify/json` package.
    """
    for name, document, aliases, code in read_icon_set(folder / "json" / f"{kind.prefix}.json"):
        if _SKIN.search(name) or _FLUENT_TONES.search(name):
            continue
        emoji = words.by_code(code) if code else words.by_name(name)
        if emoji is None:
            continue
        yield emoji_picture(
            emoji,
            key=f"{kind.prefix}/{name}",
            source="iconify",
            kind=kind,
            payload=SvgText(document),
            title=name.replace("-", " "),
            aliases=[alias.replace("-", " ") for alias in aliases if slug(alias) != slug(emoji.label)],
        )


def emoji_picture(
    emoji: Emoji,
    *,
    key: str,
    source: str,
    kind: EmojiSet,
    payload: SvgText | SvgFile | ImageFile,
    title: str,
    aliases: list[str],
) -> Picture:
    """Put an emoji's words and a set's terms together."""
    return Picture(
        key=key,
        source=source,
        set=kind.name,
        style=kind.style,
        caption=emoji.label,
        payload=payload,
        synonyms=emoji.names,
        keywords=(*emoji.keywords, *aliases[:3]),
        title=title,
        author=kind.author,
        licence=kind.licence,
        permissive=kind.permissive,
        weight=emoji.weight * kind.weight,
    )


_FLUENT_3D = EmojiSet("fluent-3d", "Fluent Emoji 3D", "Microsoft Corporation", "MIT", True, 1.3, "3D render")


def read_fluent_3d(folder: Path, words: EmojiWords) -> Iterator[Picture]:
    """Fluent's 3D pictures, named by code points. `folder` is the unpacked `@lobehub/fluent-emoji-3d`."""
    for path in sorted((folder / "assets").glob("*.webp")):
        emoji = words.by_code(path.stem)
        if emoji is None:
            continue
        yield emoji_picture(
            emoji,
            key=f"fluent-3d/{path.stem}",
            source="fluent-3d",
            kind=_FLUENT_3D,
            payload=ImageFile(str(path)),
            title=emoji.label,
            aliases=[],
        )
