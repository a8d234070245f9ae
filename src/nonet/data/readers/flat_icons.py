"""Flat colour icons: only those that are named after a thing that an emoji or a common noun names too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nonet.data.captions import clean_label, unique
from nonet.data.pictures import Picture
from nonet.data.readers.emoji import read_icon_set
from nonet.data.render import SvgFile, SvgText
from nonet.data.splits import COMMON
from nonet.data.wordnet import WordNet


@dataclass(frozen=True, slots=True)
class _IconSet:
    prefix: str
    name: str
    author: str
    licence: str
    weight: float


_SETS = (
    _IconSet("streamline-kameleon-color", "Streamline Kameleon", "Streamline", "CC-BY-4.0", 0.5),
    _IconSet("streamline-ultimate-color", "Streamline Ultimate", "Streamline", "CC-BY-4.0", 0.4),
    _IconSet("streamline-freehand-color", "Streamline Freehand", "Streamline", "CC-BY-4.0", 0.4),
    _IconSet("flat-color-icons", "Flat Color Icons", "Icons8", "MIT", 0.4),
    _IconSet("icon-park", "IconPark", "ByteDance", "Apache-2.0", 0.15),
    _IconSet("meteocons", "Meteocons", "Bas Milius", "MIT", 0.4),
    _IconSet("marketeq", "Marketeq", "Marketeq", "MIT", 0.2),
)
# Interface words: an icon with one of them is a function, not a thing.
_INTERFACE = re.compile(
    r"\b(add|remove|delete|edit|search|check|minus|plus|block|share|view|off|on|up|down|left|right|arrow|file|folder|"
    r"data|database|network|wifi|user|button|setting|settings|warning|alert|lock|unlock|disable|sync|code|browser|app|"
    r"logo|sign|symbol|business|content|layout|list|menu|download|upload|cancel|refresh|graph|chart|online|discount|"
    r"alignment|align|zodiac|text|email|message|chat|bubble|credit|beaufort|uv|index|pressure|overcast|day|night|fill|"
    r"thermometer|hand|finger|circle|square|rectangle|triangle|round|one|two|three|four|five|badge|badged|empty|"
    r"link|seal|open|press|shake|protection|cutting|sport|handle|pad|light|weight|print|love|pin|tool|scorpio|aries|dot|"
    r"video|worker|department|safety|female|male|women|goal|arrival|swimsuit|label|cooking|receiver|slide|head)\b"
)
_ENDING = re.compile(r"(-(duo|flat|fill|color|alternate|alt|[a-z]|\d+))+$")


def read_flat_icons(folder: Path, words: WordNet, known: frozenset[str]) -> Iterator[Picture]:
    """Icons whose name is in `known` (labels of emoji) or a common noun; one per name and set.

    `folder` is the unpacked `@iconify/json` package.
    """
    for kind in _SETS:
        seen: set[str] = set()
        for name, document, _, _ in read_icon_set(folder / "json" / f"{kind.prefix}.json"):
            label = clean_label(_ENDING.sub("", name).replace("-", " "))
            if not label or label in seen or _INTERFACE.search(label):
                continue
            if not (label in COMMON or (label in known and words.picturable(label.split()[-1], 1))):
                continue
            seen.add(label)
            yield Picture(
                key=f"{kind.prefix}/{name}",
                source="iconify",
                set=kind.name,
                style="flat icon",
                caption=label,
                payload=SvgText(document),
                synonyms=unique(list(words.other_names(label, 2)), label, 3),
                title=name.replace("-", " "),
                author=kind.author,
                licence=kind.licence,
                permissive=True,
                weight=kind.weight,
            )


_TANGO = {
    "accessories-calculator": "calculator", "audio-input-microphone": "microphone", "battery": "battery",
    "camera-photo": "camera", "camera-video": "video camera", "computer": "computer", "face-angel": "angel face",
    "face-crying": "crying face", "face-glasses": "face with glasses", "face-grin": "grinning face",
    "face-monkey": "monkey face", "face-sad": "sad face", "face-smile": "smiling face", "face-wink": "winking face",
    "folder": "folder", "input-gaming": "game controller", "input-keyboard": "keyboard",
    "input-mouse": "computer mouse",
    "internet-web-browser": "globe", "media-floppy": "floppy disk", "media-optical": "cd",
    "multimedia-player": "music player", "office-calendar": "calendar", "printer": "printer",
    "user-home": "house", "user-trash": "trash can", "video-display": "computer monitor",
    "weather-clear": "sun", "weather-clear-night": "moon", "weather-few-clouds": "sun behind a cloud",
    "weather-overcast": "cloud", "weather-showers": "rain cloud", "weather-snow": "snow cloud",
    "weather-storm": "storm cloud", "package-x-generic": "cardboard box", "system-lock-screen": "padlock",
}  # fmt: skip


def read_tango(folder: Path) -> Iterator[Picture]:
    """The icons of Tango that show a thing; `folder` holds its `scalable` icons."""
    for path in sorted(folder.rglob("*.svg")):
        caption = _TANGO.get(path.stem)
        if caption is None or path.is_symlink():
            continue
        yield Picture(
            key=path.stem,
            source="tango",
            set="Tango icons",
            style="flat icon",
            caption=caption,
            payload=SvgFile(str(path)),
            title=path.stem,
            author="the Tango Desktop Project",
            licence="public domain",
            permissive=True,
            weight=0.5,
        )
