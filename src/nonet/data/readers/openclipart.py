"""OpenClipart as Debian packs it: public-domain drawings with titles, keywords and a folder that tells the subject."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nonet.data.captions import clean_label, concept_of, head_noun, unique
from nonet.data.glossary import translate
from nonet.data.pictures import Picture, Style
from nonet.data.render import SvgFile
from nonet.data.wordnet import WordNet

# Folders of signs, themes and patterns: no pictures of things. Measured: 60% of the package.
_JUNK_FOLDERS = re.compile(
    r"^(shapes/(stars|arrows|flowchart|callouts|jigsaw)|computer/(icons|buttons|diagrams|connectors|folders)|"
    r"special|logos|buttons|decorations/?$|signs_and_symbols/(led|flags|map_symbols|hazard|disability|money)|"
    r"transportation/(aiga-symbols|roadsigns)|recreation/games/cards|unsorted/duplicates|"
    r"people/clothing/pantyhose|tools/weapons|recreation/religion|people/bodypart|office/forms|"
    r"education/(chemistry|math)|geography/(?!astronomy/)|computer/(?!hardware/)[^/]*(switch|router|hub|network)|science/medicine/(?!.*(doctor|nurse)))"
)
_JUNK_TITLE = re.compile(
    r"gramastar|flat icon|lemon theme|etiquette|blueberry|iconset|icon[- ]theme|hotel icon|aiga|road ?sign|\bmaps?\b|"
    r"\bflag\b|\bled\b|gradient|template|button|arrow|frame|border|corner|pattern|logo|wallpaper|blank|kanji|cisco|"
    r"network|internet|router|\bstates?\b|provinc|\bsign\b|symbol|stemma|simbolo|tasto|profilat|"
    r"barcode|\bkey [a-z0-9]\b|jigsaw|knot|diagram|font|letter|"
    r"\beurope\b|basque|breton|female|nude|nudo|sailing|\bheel|reaching|the wind|label|tiles|recznik|don.?t panic|"
    r"bunny",
    re.I,
)
_GENERIC = re.compile(
    r"clip ?art|various|nicu buculei|openclipart|untitled|unnamed|hash|svg|collection|drawing", re.I
)
_NO_WORD = re.compile(
    r"^(hash|unsorted|0x\w*|\d+|openclipart|clip ?art|symbol|icon|icons|shape|sign|equipment|.)$", re.I
)
_FOLDER_NOUNS = {
    "animals/bugs": "insect",
    "animals/birds": "bird",
    "animals/fish": "fish",
    "animals/dinosaurs": "dinosaur",
    "animals/amphibian": "frog",
    "animals/mammals": "animal",
    "animals/fantasy": "fantasy creature",
    "plants/flowers": "flower",
    "plants/trees": "tree",
    "food/fruit": "fruit",
    "food/vegetables": "vegetable",
    "food/beverages": "drink",
    "food/desserts": "dessert",
    "food/breads_and_carbs": "bread",
    "buildings/homes": "house",
    "people/smilies": "smiley face",
    "people/stickmen": "stick figure",
    "people/clothing/hats": "hat",
    "transportation/boating": "boat",
    "signs_and_symbols/clocks": "clock",
    "office/telephone": "telephone",
    "computer/hardware": "computer",
    "education/books": "book",
    "electronics/bulb": "light bulb",
    "electronics/battery": "battery",
    "recreation/games/chess": "chess piece",
    "recreation/holiday/christmas": "christmas decoration",
}
# Nouns that say nothing about what is seen.
_VAGUE = frozenset({
    "people", "person", "animal", "food", "tool", "symbol", "sign", "icon", "image", "picture", "thing", "object",
    "nature", "work", "art", "item", "element", "set", "group", "transport", "transportation", "vehicle", "plant",
    "building", "equipment", "space", "weather", "science", "office", "sport", "sports", "game", "toy", "music",
    "clothing", "decoration", "holiday", "bird", "insect", "fish", "mammal", "fruit", "vegetable", "computer",
    "hardware", "beverage", "shape", "dessert", "recreation", "activity", "carbohydrate", "card", "part", "body",
    "cartoon", "health", "geography", "festive", "menu", "structure", "quick", "hash", "photo", "europe", "head", "eye",
})  # fmt: skip


_EMPTY = frozenset({
    "people", "symbol", "sign", "icon", "image", "picture", "thing", "object", "nature", "work", "art", "item",
    "element", "set", "group", "transport", "transportation", "equipment", "weather", "science", "sport", "sports",
    "clothing", "decoration", "holiday", "hardware", "shape", "recreation", "activity", "part", "cartoon", "health",
    "geography", "menu", "structure", "quick", "hash", "photo", "europe", "animal", "food", "tool", "beverage",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Record:
    title: str
    keywords: tuple[str, ...]
    author: str
    description: str


def read_openclipart(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Drawings whose title, keywords or folder name something picturable; `folder` holds `svg`'s content."""
    paths = [
        path
        for path in sorted(folder.rglob("*.svg"))
        if not path.is_symlink() and not _JUNK_FOLDERS.search(path.relative_to(folder).as_posix())
    ]
    records = [_metadata(path) for path in paths]
    uses = Counter(record.title for record in records)
    for path, record in zip(paths, records, strict=True):
        where = path.relative_to(folder)
        if _JUNK_TITLE.search(f"{record.title} {where.stem.replace('_', ' ')}") or "flag" in record.keywords:
            continue
        picture = _picture(path, where, record, uses[record.title], words)
        if picture is not None:
            yield picture


def _metadata(path: Path) -> _Record:
    text = path.read_text("utf-8", errors="replace")
    found = re.search(r"<metadata.*?</metadata>", text, flags=re.S)
    head = found.group(0) if found else text[:6000]

    def one(pattern: str) -> str:
        match = re.search(pattern, head, flags=re.S)
        return html.unescape(match.group(1)).strip() if match else ""

    keywords = [
        html.unescape(word).strip().lower() for word in re.findall(r"<rdf:li[^>]*>(.*?)</rdf:li>", head, re.S)
    ]
    author = one(r"<dc:creator>.*?<dc:title[^>]*>(.*?)</dc:title>")
    plain = [word for word in keywords if word and not _NO_WORD.match(word) and word != author.lower()]
    return _Record(
        title=one(r"<cc:Work[^>]*>.*?<dc:title[^>]*>(.*?)</dc:title>")
        or one(r"<dc:title[^>]*>(.*?)</dc:title>"),
        keywords=tuple(dict.fromkeys(plain)),
        author=author,
        description=one(r"<dc:description[^>]*>(.*?)</dc:description>"),
    )


def _picture(path: Path, where: Path, record: _Record, uses: int, words: WordNet) -> Picture | None:
    title = record.title if uses <= 8 and not _GENERIC.search(record.title) else ""
    stem = _without_author(where.stem, record.author)
    caption = ""
    for candidate in (title, stem):
        label = translate(clean_label(candidate), record.author)
        if label and head_noun(label, words) and len(label.split()) <= 5 and _english(label, words):
            caption = label
            break
    folders = where.parent.as_posix()
    folder_noun = next((_FOLDER_NOUNS[key] for key in _FOLDER_NOUNS if folders.startswith(key)), "")
    keywords = [translate(clean_label(word), record.author) for word in record.keywords]
    keywords = [word for word in keywords if word]
    if not caption:
        specific = [
            word
            for word in keywords
            if words.singular(word) not in _VAGUE and words.picturable(word, among=1)
        ]
        caption = specific[0] if specific else folder_noun
    caption = {"home": "house", "moons": "moon", "places": ""}.get(caption, caption)
    if not caption or words.singular(caption) in _EMPTY:
        return None
    head = head_noun(caption, words)
    related = words.kinds(head) if head else frozenset()
    names = [
        word
        for word in (*keywords, folder_noun)
        if word and word in related and word not in _VAGUE - {folder_noun}
    ]
    style: Style = "clip art"
    if re.search(
        r"(\b|_)(bw|b and w|black and white|line ?art|outline)(\b|_)", f"{record.title} {where.stem}".lower()
    ):
        style = "line drawing"
    return Picture(
        key=where.as_posix(),
        source="openclipart",
        set="OpenClipart",
        style=style,
        caption=caption,
        payload=SvgFile(str(path)),
        synonyms=unique([*names, *words.other_names(head or caption, 2)], caption, 6),
        keywords=unique([*keywords, *folders.replace("_", " ").split("/")], caption, 12),
        title=record.title or where.stem,
        author=record.author or "unknown",
        licence="public domain",
        permissive=True,
        evidence=(*record.keywords, where.stem.replace("_", " ")),
    )


def _without_author(stem: str, author: str) -> str:
    """File names are `title_author_01` with the author cut at some length: take the author and number off."""
    parts = re.sub(r"_?\d*$", "", stem).split("_")
    names = [name for name in re.split(r"\W+", author.lower()) if len(name) > 1]
    for start in range(1, len(parts)):
        rest = [part.lower() for part in parts[start:] if part]
        if rest and all(
            any(name.startswith(part) or part.startswith(name) for name in names) for part in rest
        ):
            parts = parts[:start]
            break
    return " ".join(part for part in parts if part.lower() not in ("ganson",))


def _english(label: str, words: WordNet) -> bool:
    """Whether most words of a label are known nouns: foreign and invented titles are not."""
    parts = [part for part in concept_of(label, words).replace("-", " ").split() if len(part) > 3]
    known = [part for part in parts if words.singular(part) in words.senses]
    return not parts or len(known) * 2 >= len(parts)
