"""A WordNet of a few nouns and an emoji table of a few emoji, written by hand in the formats of the real ones."""

from __future__ import annotations

import json
from pathlib import Path

from nonet.data.emoji_words import EmojiWords
from nonet.data.wordnet import WordNet

# offset, lexicographer file, words, offset above
_SYNSETS = (
    ("00000001", "03", "entity", ""),
    ("00000002", "17", "object", "00000001"),
    ("00000003", "05", "animal", "00000002"),
    ("00000004", "05", "dog domestic_dog", "00000003"),
    ("00000005", "05", "cat", "00000003"),
    ("00000006", "13", "fruit", "00000002"),
    ("00000007", "13", "apple", "00000006"),
    ("00000008", "06", "chair", "00000002"),
    ("00000009", "06", "armchair easy_chair", "00000008"),
    ("00000010", "06", "taxi cab hack", "00000002"),
    ("00000011", "18", "hack writer", "00000001"),
    ("00000012", "05", "mouse", "00000003"),
    ("00000013", "07", "idea thought", "00000001"),
    ("00000014", "06", "car automobile", "00000002"),
    ("00000015", "20", "flower", "00000002"),
    ("00000016", "06", "guitar", "00000002"),
    ("00000017", "18", "farmer", "00000002"),
    ("00000018", "05", "penguin", "00000003"),
    ("00000019", "06", "castle", "00000002"),
)


def write_wordnet(folder: Path) -> Path:
    """The noun files in `folder`; the first line of each is a licence line, as in the real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    data = ["  1 a licence line"]
    senses: dict[str, list[str]] = {}
    for offset, lexfile, words, above in _SYNSETS:
        names = words.split()
        pointers = f"001 @ {above} n 0000" if above else "000"
        pairs = " ".join(f"{name} 0" for name in names)
        data.append(f"{offset} {lexfile} n {len(names):02x} {pairs} {pointers} | a gloss")
        for name in names:
            senses.setdefault(name, []).append(offset)
    # The book writer comes first for "hack": frequent meanings stand first.
    senses["hack"] = ["00000011", "00000010"]
    index = ["  1 a licence line"]
    for name, offsets in sorted(senses.items()):
        index.append(f"{name} n {len(offsets)} 1 @ {len(offsets)} 1 {' '.join(offsets)}  ")
    (folder / "data.noun").write_text("\n".join(data) + "\n", "utf-8")
    (folder / "index.noun").write_text("\n".join(index) + "\n", "utf-8")
    (folder / "noun.exc").write_text("mice mouse\n", "utf-8")
    return folder


def tiny_wordnet(folder: Path) -> WordNet:
    """The nouns above, loaded."""
    return WordNet.load(write_wordnet(folder))


_EMOJI = (
    {
        "label": "red apple", "hexcode": "1F34E", "emoji": "🍎", "group": 4, "subgroup": 42,
        "tags": ["apple", "fruit", "ripe", "ass"],
    },
    {"label": "dog face", "hexcode": "1F436", "emoji": "🐶", "group": 3, "subgroup": 34, "tags": ["dog"]},
    {"label": "automobile", "hexcode": "1F697", "emoji": "🚗", "group": 5, "subgroup": 54, "tags": ["car"]},
    {
        "label": "man farmer", "hexcode": "1F468-200D-1F33E", "emoji": "👨‍🌾", "group": 1, "subgroup": 25,
        "tags": ["farmer"],
        "skins": [{"label": "man farmer: dark skin tone", "hexcode": "1F468-1F3FF-200D-1F33E"}],
    },
    {"label": "flag: Wales", "hexcode": "1F3F4-E0067", "emoji": "🏴", "group": 9, "subgroup": 99, "tags": []},
    {"label": "one o’clock", "hexcode": "1F550", "emoji": "🕐", "group": 5, "subgroup": 58, "tags": ["clock"]},
    {"label": "red circle", "hexcode": "1F534", "emoji": "🔴", "group": 8, "subgroup": 96, "tags": ["circle"]},
    {"label": "grinning face", "hexcode": "1F600", "emoji": "😀", "group": 0, "subgroup": 0, "tags": ["happy"]},
)  # fmt: skip


def write_emoji(folder: Path) -> tuple[Path, Path]:
    """(folder of emojibase's language, file of emojilib)."""
    english = folder / "en"
    (english / "shortcodes").mkdir(parents=True)
    (english / "data.json").write_text(json.dumps(_EMOJI), "utf-8")
    for name in ("cldr", "emojibase", "joypixels", "iamcal"):
        (english / "shortcodes" / f"{name}.json").write_text(json.dumps({"1F436": ["doggy"]}), "utf-8")
    library = folder / "emojilib.json"
    library.write_text(json.dumps({"🍎": ["red_apple", "mac", "school"]}), "utf-8")
    return english, library


def tiny_emoji(folder: Path) -> EmojiWords:
    """The emoji above, loaded."""
    english, library = write_emoji(folder / "emoji")
    return EmojiWords(english, library, tiny_wordnet(folder / "wordnet"))
