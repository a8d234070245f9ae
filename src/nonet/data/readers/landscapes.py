"""Endless Sky's photographs of landscapes, as backgrounds. Its planets are left out: they lie in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

from PIL import Image

from nonet.data.dep5 import Copyright
from nonet.data.pictures import Picture
from nonet.data.render import ImageFile

# What else a place may be called in a caption.
_PLACE_NAMES = {
    "beach": ("sea shore", "coast"), "mountains": ("mountain landscape",), "desert": ("dry land",),
    "city": ("skyline", "town with tall buildings"), "sea": ("ocean", "sea water"), "snow": ("winter landscape", "ice"),
    "sunset": ("sunset sky", "evening sky"), "meadow": ("field", "grass"), "hills": ("hilly landscape",),
    "forest": ("woods", "trees"), "lake": ("water",), "clouds": ("sky", "cloudy sky"), "canyon": ("gorge",),
    "moon surface": ("the moon", "moon landscape"), "mars surface": ("mars", "red planet landscape"),
    "volcano": ("lava",), "space station": ("spaceship interior",), "valley": ("green landscape",),
}  # fmt: skip


@lru_cache(maxsize=1)
def _table() -> dict[str, list[str]]:
    text = (resources.files("nonet.data") / "lists" / "landscapes.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def read_landscapes(folder: Path, copyright_file: Path) -> Iterator[Picture]:
    """Two squares of each photograph, or its middle where only that shows what the caption says.

    `folder` is the game's folder with `images/land`; terms come per file from the copyright file.
    """
    terms = Copyright.load(copyright_file)
    for path in sorted((folder / "images/land").glob("*.jpg")):
        row = _table().get(path.stem)
        if not row or not row[0]:
            continue
        caption, place, *rest = row
        with Image.open(path) as image:
            width, height = image.size
        side = min(width, height)
        if rest == ["c"] or width < 2 * height:
            boxes = {"middle": ((width - side) // 2, 0, (width + side) // 2, side)}
        else:
            boxes = {"left": (0, 0, side, side), "right": (width - side, 0, width, side)}
        what = terms.terms(f"images/land/{path.name}")
        for name, box in boxes.items():
            names = [place] if place != caption else []
            yield Picture(
                key=f"land/{path.stem}/{name}",
                source="endless-sky",
                set="Endless Sky landscapes",
                style="photo",
                caption=caption,
                payload=ImageFile(str(path), box),
                synonyms=(*names, *_PLACE_NAMES.get(place, ())),
                title=path.stem,
                author=_author(what.author),
                licence=what.licence,
                permissive=what.permissive,
                kind="background",
                concept=place,
            )


def _author(text: str) -> str:
    return "unnamed photographers" if text in ("", "Various") else re.sub(r"\s*\(.*$", "", text).lstrip("@")
