"""Pictures from children's programs, for training only: Tux Paint's stamps and GCompris."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from nonet.data.captions import clean_label, head_noun, unique
from nonet.data.pictures import Picture, Style
from nonet.data.rcc import read_rcc
from nonet.data.render import ImageBytes, ImageFile, SvgFile, SvgText
from nonet.data.wordnet import WordNet

_STAMP_JUNK = re.compile(
    r"^(symbols|military|town/(roadsigns|flags)|people/body_parts|seasonal/hanukkah|medical)|_mirror|_flip|hair_|"
    r"beard|grave|tux|logo|gnu_head|wall_|fence_"
)
# A stamp's text is a sentence: its first clause, before it begins to teach.
_CLAUSE = re.compile(
    r"\s*(\(|—|–|;|:|,| that | which | is | are | was | were | used | worn | can | called | for | when | you |"
    r"[.!?…]).*$"
)
_OPENING = re.compile(r"^((an?|the|some|our|this|say|enter|very|pair of|bunch of|cluster of)\s+)+", re.I)


def read_tuxpaint(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Stamps whose text or file name names a thing; `folder` is `stamps`."""
    for path in sorted(folder.rglob("*")):
        where = path.relative_to(folder).as_posix()
        if path.suffix not in (".png", ".svg") or path.is_symlink() or _STAMP_JUNK.search(where):
            continue
        # A drawing in both formats is wanted once, sharp.
        if path.suffix == ".png" and path.with_suffix(".svg").exists():
            continue
        text = path.with_suffix(".txt")
        lines = text.read_text("utf-8", errors="replace").splitlines() if text.exists() else []
        said = _CLAUSE.sub("", (lines[0] if lines else "").strip())
        caption = clean_label(_OPENING.sub("", said))
        stem = clean_label(re.sub(r"^t_", "", path.stem))
        if not caption or not head_noun(caption, words) or len(caption.split()) > 5:
            caption = stem
        if not caption or not head_noun(caption, words):
            continue
        drawn = path.suffix == ".svg" or "cartoon" in where
        style: Style = "clip art" if drawn or not _many_colours(path) else "photo"
        folders = [clean_label(part) for part in Path(where).parent.parts if part != "cartoon"]
        kind = words.singular(folders[-1]) if folders and folders[-1] else ""
        names = [kind] if kind and kind in words.kinds(head_noun(caption, words)) else []
        yield Picture(
            key=where,
            source="tuxpaint",
            set="Tux Paint stamps",
            style=style,
            caption=caption,
            payload=SvgFile(str(path)) if path.suffix == ".svg" else ImageFile(str(path)),
            synonyms=unique([*names, *words.other_names(head_noun(caption, words), 2)], caption, 4),
            keywords=unique([stem, *folders], caption, 6),
            title=lines[0] if lines else path.stem,
            author="the Tux Paint contributors",
            licence="GPL-2",
            permissive=False,
            weight=0.9,
            evidence=(stem,),
        )


def _many_colours(path: Path) -> bool:
    """Whether a picture has the many shades of a photograph."""
    with Image.open(path) as image:
        small = np.asarray(image.convert("RGBA").resize((48, 48), Image.Resampling.NEAREST)).reshape(-1, 4)
    seen = small[small[:, 3] > 200][:, :3]
    return len(seen) > 60 and len(np.unique(seen, axis=0)) > 0.55 * len(seen)


# GCompris: archive, a pattern for the files in it, the style of its pictures.
_GCOMPRIS: tuple[tuple[str, str, Style], ...] = (
    ("erase", r"\.webp$", "photo"),
    ("explore_farm_animals", r"\.(webp|svg)$", "photo"),
    ("explore_world_animals", r"\.webp$", "photo"),
    ("explore_monuments", r"\.webp$", "photo"),
    ("lang", r"words/.*\.webp$", "photo"),
    ("categorization", r"\.webp$", "photo"),
    ("clickgame", r"/(?!sea|teeth|f\d|new|photo)[A-Za-z_]+\d*\.webp$", "photo"),
    ("instruments", r"\.svg$", "clip art"),
    ("babymatch", r"\.svg$", "clip art"),
    ("memory", r"\.svg$", "clip art"),
    ("colors", r"_duck\.svg$", "clip art"),
    ("chess", r"/[bw][bknpqr]\.svg$", "clip art"),
    ("family", r"\.svg$", "clip art"),
)
_GCOMPRIS_NAMES = {
    "fusee": "rocket", "raquette": "tennis racket", "sailingboat": "sailboat", "loco": "train", "plier": "pliers",
    "postpoint": "", "rape": "", "imageid frame": "", "chaudron": "cauldron", "chamaeleon": "chameleon",
    "eggpot": "egg cup", "windflag": "windsock", "lifebuoy": "life buoy", "tuxhelico": "", "tuxplane": "",
    "measuring tape": "tape measure", "cutting tool": "", "side cutter": "pliers", "butfish": "butterflyfish",
    "cichlid": "fish", "discus": "fish", "collaris": "fish", "six barred": "fish", "blueking": "fish",
    "queen angel": "angelfish", "manta": "manta ray", "greenbaby": "", "bluebaby": "", "child": "", "gnu": "gnu",
    "bluebirds": "blue birds", "redbird": "red bird", "french croissant": "croissant", "baby boy": "baby boy",
    "old man": "old man", "backcard": "", "emptycard": "", "error": "", "question": "", "navajo": "",
    "lincoln memorial": "memorial", "great pyramidof giza": "pyramid", "great wallof china": "great wall of china",
    "screw driver": "screwdriver", "statueof liberty": "statue of liberty",
    "bb": "black chess bishop", "bk": "black chess king", "bn": "black chess knight", "bp": "black chess pawn",
    "bq": "black chess queen", "br": "black chess rook", "wb": "white chess bishop", "wk": "white chess king",
    "wn": "white chess knight", "wp": "white chess pawn", "wq": "white chess queen", "wr": "white chess rook",
}  # fmt: skip
_GCOMPRIS_JUNK = re.compile(
    r"^(background|bg|light|sound|star$|transparent|color|one|two|three|four|five|six|seven|eight|nine|ten|key$|"
    r"brother|sister|friend|son$|daughter|family|skin|question|emptycard|[a-z]$)|memorial|birthplace|pere|cabrillo"
)


def read_gcompris(folder: Path, words: WordNet) -> Iterator[Picture]:
    """Named pictures from the activities that have them; `folder` holds the `.rcc` files."""
    for archive, pattern, style in _GCOMPRIS:
        path = folder / f"{archive}.rcc"
        if not path.is_file():
            continue
        for name, content in sorted(read_rcc(path)):
            stem = Path(name).stem
            if not re.search(pattern, name) or stem == archive:
                continue
            label = clean_label(re.sub(r"^\d+_", "", stem).replace("_", " "))
            caption = _GCOMPRIS_NAMES.get(stem, _GCOMPRIS_NAMES.get(label, label))
            if not caption or _GCOMPRIS_JUNK.search(caption) or not head_noun(caption, words):
                continue
            vector = name.endswith(".svg")
            yield Picture(
                key=f"{archive}{name}",
                source="gcompris",
                set=f"GCompris {archive.replace('_', ' ')}",
                style="clip art" if vector else style,
                caption=caption,
                payload=SvgText(content.decode("utf-8", "replace")) if vector else ImageBytes(content),
                synonyms=unique(list(words.other_names(head_noun(caption, words), 2)), caption, 3),
                title=stem,
                author="the GCompris contributors",
                licence="GPL-3",
                permissive=False,
                weight=0.8,
            )
