"""Sweet Home 3D's furniture: models drawn anew from several views, in named colours, and in other things' skins."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from nonet.data.captions import clean_label, head_noun, named_colours, unique
from nonet.data.pictures import Picture
from nonet.data.raster import PAINTS, ModelView
from nonet.data.wordnet import WordNet

# Archive, the set's name, its licence.
_ARCHIVES = (
    ("BlendSwap-CC-0", "Blend Swap CC-0 models", "CC0-1.0"),
    ("BlendSwap-CC-BY", "Blend Swap CC-BY models", "CC-BY-3.0"),
    ("KatorLegaz", "Kator Legaz models", "CC-BY-3.0"),
    ("Reallusion", "Reallusion models", "CC-BY-3.0"),
    ("Scopia", "Scopia models", "CC-BY-3.0"),
)
_PLUGS = re.compile(
    r"\bplug\b|\bsocket\b|\bswitch\b|parking slot|^frame |rail(ing|s)$|^bill \d|french window"
)
# What comes in any colour; food, plants, animals and people keep theirs.
_COLOURABLE = re.compile(
    r"chair|sofa|couch|stool|\bcar\b|\bvan\b|truck|bus|scooter|motorcycle|bicycle|bed$|lamp|table|desk|"
    r"bookcase|wardrobe|cabinet|vase|cup|mug|\bbowl|box|umbrella|hat|\bcap\b|dress$|shirt|helmet|"
    r"backpack|suitcase|handbag|briefcase|guitar|piano|door$|bench|teapot|kettle|phone|camera|tent|boat|train|mailbox|"
    r"shoes?$|slippers|sneakers|towel|pillow|curtain|glove|scissors|pencil|book$|clock|trash|stroller|balloon|ball$|"
    r"carpet|rug|radio|headphones|refrigerator|toaster|bottle$|barrel|bucket|bike|tricycle|skateboard|gift|watch"
)
_KEEPS_COLOUR = re.compile(
    r"wooden|leather|beige|puzzle|firewood|basketball|soccer|medicine|coconut|potted|full of|baby bottle|glass"
)
# What people ask for: more views and colours.
_WANTED = re.compile(
    r"^(armchair|leather armchair|car|sports car|small car|old car|convertible car|truck|bus|van|motorcycle|scooter|"
    r"bicycle|biplane|rowboat|toy train|electric guitar|grand piano|upright piano|hat|helmet|umbrella|backpack|"
    r"teddy bear|cat|dog|horse|rabbit|deer|bulldog|snowman|christmas tree|palm tree|coconut palm tree|"
    r"camera|laptop|birthday cake|hamburger|bread|teapot|gift box|rocking horse|soccer ball|basketball|clock|"
    r"cuckoo clock|fountain|garden shed|dog house|sneakers|sunglasses|mailbox|candle|vase|cactus|headphones|sofa)$"
)
# Plain fittings: one view is enough.
_DULL_CATEGORIES = frozenset({"Bathroom", "Doors and windows", "Kitchen", "Staircases", "Lights"})
# Objects that take another thing's skin well: one solid body.
_BLENDED = (
    "armchair",
    "chair",
    "sofa",
    "teapot",
    "car",
    "vase",
    "lamp",
    "helmet",
    "handbag",
    "cup",
    "backpack",
    "guitar",
)
_SKIN_SIDE = 160


@dataclass(frozen=True, slots=True)
class Skin:
    """A picture to cover models with: its name and square RGBA pixels as bytes."""

    name: str
    pixels: bytes
    side: int
    title: str
    author: str
    licence: str


@lru_cache(maxsize=1)
def _renamed() -> dict[str, str]:
    text = (resources.files("nonet.data") / "lists" / "furniture.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1].strip() for row in rows}


def read_sweethome3d(folder: Path, words: WordNet, skins: Sequence[Skin] = ()) -> Iterator[Picture]:
    """Views of every usable model; `folder` holds the `.sh3f` archives. `skins` make the blends."""
    for stem, name, licence in _ARCHIVES:
        archive = folder / f"{stem}.sh3f"
        for entry in _entries(archive):
            caption = _caption(entry["name"])
            if caption:
                yield from _views(str(archive), stem, entry, caption, name, licence, words)
                yield from _blends(str(archive), stem, entry, caption, name, licence, skins)


def _entries(archive: Path) -> list[dict[str, str]]:
    with zipfile.ZipFile(archive) as file:
        text = file.read("PluginFurnitureCatalog.properties").decode("latin-1")
    entries: dict[int, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=([^\r\n]*)", text, flags=re.M):
        entries.setdefault(int(number), {})[key] = re.sub(
            r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match.group(1), 16)), value.strip()
        )
    return [entries[number] for number in sorted(entries)]


def _caption(name: str) -> str:
    raw = name.lower().strip()
    if raw in _renamed():
        return _renamed()[raw]
    return "" if _PLUGS.search(raw) else clean_label(name)


def _chance(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def _views(
    archive: str, stem: str, entry: dict[str, str], caption: str, name: str, licence: str, words: WordNet
) -> Iterator[Picture]:
    seed = _chance(entry["id"])
    side = -1 if seed % 2 else 1
    first = (side * (24 + seed % 13), 14.0 + seed % 7)
    looks: list[tuple[tuple[float, float], str]] = [(first, "")]
    if entry.get("category") not in _DULL_CATEGORIES:
        looks.append(((-side * (34 + seed % 21), 10.0 + seed % 12), ""))
    if _COLOURABLE.search(caption) and not _KEEPS_COLOUR.search(caption) and not named_colours(caption):
        colours = sorted(PAINTS, key=lambda colour: _chance(entry["id"] + colour))
        # There are many chairs, so each comes in fewer colours.
        most = 5 if _WANTED.search(caption) else 2 if "chair" in caption or "sofa" in caption else 3
        for turn, colour in enumerate(colours[:most]):
            looks.append(((side * (18 + 11 * turn), 15.0), colour))
    if _WANTED.search(caption):
        looks.append(((side * 4.0, 8.0), ""))
        looks.append(((-side * 72.0, 16.0), ""))
    for (yaw, pitch), paint in looks:
        label = f"{paint} {caption}".strip()
        head = head_noun(caption, words)
        names = [*words.other_names(head, 2)] if head else []
        yield Picture(
            key=f"{stem}/{entry['id'].split('#')[-1]}/{yaw:g}/{pitch:g}/{paint or 'own'}",
            source="sweethome3d",
            set=name,
            style="3D render",
            caption=label,
            payload=ModelView(archive, entry["model"].lstrip("/"), yaw, pitch, _rotation(entry), paint),
            synonyms=unique([f"{paint} {one}".strip() for one in names], label, 4),
            keywords=unique([*entry.get("tags", "").lower().split(","), entry.get("category", "")], label, 6),
            title=entry["name"],
            author=entry.get("creator", "") or name,
            licence=licence,
            permissive=True,
            paint=paint,
            weight=0.6 if entry.get("category") in _DULL_CATEGORIES else 0.9,
        )


def _blends(
    archive: str,
    stem: str,
    entry: dict[str, str],
    caption: str,
    name: str,
    licence: str,
    skins: Sequence[Skin],
) -> Iterator[Picture]:
    if caption not in _BLENDED:
        return
    # Two skins a model, so that each blend is seen on several models and each model in few.
    chosen = sorted(skins, key=lambda skin: _chance(entry["id"] + skin.name))[:2]
    if caption == "armchair":
        chosen = [*(skin for skin in skins if skin.name == "avocado"), *chosen]
    for skin in dict.fromkeys(chosen):
        label = f"{skin.name} {caption}"
        thing = ("an " if skin.name[0] in "aeiou" else "a ") + skin.name
        yield Picture(
            key=f"{stem}/{entry['id'].split('#')[-1]}/skin/{skin.name}",
            source="sweethome3d",
            set=f"{name}, blended",
            style="3D render",
            caption=label,
            payload=ModelView(
                archive,
                entry["model"].lstrip("/"),
                20.0,
                12.0,
                _rotation(entry),
                "",
                (skin.pixels, skin.side, skin.side),
            ),
            synonyms=(f"{caption} in the shape of {thing}", f"{caption} that looks like {thing}"),
            keywords=(caption, skin.name),
            title=f"{entry['name']} / {skin.title}",
            author=f"{entry.get('creator', '') or name}; {skin.author}",
            licence=f"{licence} and {skin.licence}",
            permissive=True,
            weight=0.5,
            concept=label,
        )


def _rotation(entry: dict[str, str]) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in entry.get("modelRotation", "").split())
    return numbers if len(numbers) == 9 else ()
