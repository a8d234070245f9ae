"""A grid of pictures with their captions, to see what went into a collection."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nonet.data.collection import BackgroundRecord, Collection, SpriteRecord
from nonet.errors import NonetError
from nonet.files import atomic_write

Record = SpriteRecord | BackgroundRecord
_CELL = 112
_TEXT = 34
_PAPER = (236, 238, 240)


def choose(
    records: Sequence[Record],
    count: int,
    seed: int = 0,
    words: str = "",
    source: str = "",
    style: str = "",
    split: str = "",
    where: Callable[[Record], bool] | None = None,
) -> list[int]:
    """Indices of at most `count` random records that fit every filter given, in the records' order.

    `words` is looked for in caption, synonyms and concept; `source` in source and set.
    """
    fitting = []
    for index, record in enumerate(records):
        said = " ".join([record.caption, record.concept, *record.synonyms]).lower()
        fits = (
            words.lower() in said
            and source.lower() in f"{record.source} {record.set}".lower()
            and style in ("", record.style)
            and split in ("", record.split)
            and (where is None or where(record))
        )
        if fits:
            fitting.append(index)
    if len(fitting) <= count:
        return fitting
    picked = np.random.default_rng(seed).choice(len(fitting), count, replace=False)
    return [fitting[i] for i in sorted(picked)]


def sheet(pictures: Sequence[np.ndarray], labels: Sequence[str], columns: int = 12) -> Image.Image:
    """Draw uint8 pictures (H, W, 3 or 4) with a label under each, `columns` in a row."""
    rows = max(1, -(-len(pictures) // columns))
    page = Image.new("RGB", (columns * (_CELL + 6), rows * (_CELL + _TEXT + 4)), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(10)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = (index % columns) * (_CELL + 6), (index // columns) * (_CELL + _TEXT + 4)
        image = Image.fromarray(np.asarray(picture)).convert("RGBA").resize((_CELL, _CELL))
        page.paste(_PAPER, (left, top, left + _CELL, top + _CELL))
        page.paste(image, (left, top), image)
        for line, text in enumerate(textwrap.wrap(label, 20)[:3]):
            draw.text((left + 1, top + _CELL + 1 + 11 * line), text, (0, 0, 0), font)
    return page


def contact_sheet(
    collection: Collection,
    path: str | Path,
    count: int = 120,
    *,
    seed: int = 0,
    words: str = "",
    source: str = "",
    style: str = "",
    split: str = "",
    backgrounds: bool = False,
    columns: int = 12,
) -> int:
    """Write a PNG of random or filtered pictures of a collection; returns how many it shows.

    Raises:
        NonetError: `not_found` where nothing fits the filters; `output_unwritable`.
    """
    records: Sequence[Record] = collection.background_records if backgrounds else collection.records
    pixels = collection.backgrounds if backgrounds else collection.sprites
    chosen = choose(records, count, seed, words, source, style, split)
    if not chosen:
        raise NonetError("not_found", "No picture of the collection fits.", "Try fewer or other filters.")
    page = sheet([pixels[i] for i in chosen], [records[i].caption for i in chosen], columns)
    with atomic_write(path) as stream:
        page.save(stream, "PNG")
    return len(chosen)
