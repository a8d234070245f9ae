"""A collection of simple shapes, small enough to write for one test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nonet.data.collection import Collection

SIDE = 224
COLOURS = {"red": (220, 40, 40), "blue": (45, 105, 220), "green": (60, 170, 75), "yellow": (250, 215, 40)}
# Caption, colour, shape, split
THINGS = (
    ("apple", "red", "disc", "train"),
    ("cat", "yellow", "disc", "train"),
    ("dog", "blue", "disc", "train"),
    ("hat", "green", "top", "train"),
    ("table", "red", "low", "train"),
    ("guitar", "yellow", "square", "train"),
    ("horse", "blue", "square", "train"),
    ("box", "green", "square", "train"),
    ("moon", "yellow", "disc", "train"),
    ("bowl with spoon", "red", "low", "train"),
    ("zebra", "green", "disc", "heldout"),
    ("wine glass", "blue", "square", "heldout"),
)
PLACES = ("beach", "forest", "space")


def shape(kind: str, colour: str) -> NDArray[np.uint8]:
    """RGBA (224, 224, 4): a disc, a square, the top quarter or the lower half, in one colour."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    seen = {
        "disc": (rows - 111.5) ** 2 + (cols - 111.5) ** 2 < 100**2,
        "square": (abs(rows - 111.5) < 90) & (abs(cols - 111.5) < 90),
        "top": rows < 60,
        "low": rows >= 112,
    }[kind]
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = COLOURS[colour]
    pixels[..., 3] = seen * 255
    return pixels


def write_tiny_collection(folder: Path) -> Collection:
    """Write the collection into a folder and open it."""
    common = {
        "source": "test",
        "set": "shapes",
        "title": "",
        "author": "",
        "licence": "CC0",
        "permissive": True,
    }
    rows = [
        {
            "id": f"shape-{i}",
            "caption": caption,
            "synonyms": [f"old {caption}"] if caption in ("apple", "cat") else [],
            "style": "emoji" if i % 2 else "clip art",
            "concept": caption.split(" with ")[0],
            "colours": {colour: 0.98},
            "split": split,
            "weight": 1.0,
            **common,
        }
        for i, (caption, colour, _, split) in enumerate(THINGS)
    ]
    places = [
        {
            "id": f"place-{name}",
            "caption": name,
            "synonyms": [],
            "style": "photo",
            "concept": name,
            "colours": {},
            "split": "train",
            "weight": 1.0,
            **common,
        }
        for name in PLACES
    ]
    folder.mkdir(parents=True, exist_ok=True)
    np.stack([shape(kind, colour) for _, colour, kind, _ in THINGS]).tofile(folder / "sprites.u8")
    shades = [np.full((256, 256, 3), 60 * (i + 1), np.uint8) for i in range(len(PLACES))]
    np.stack(shades).tofile(folder / "backgrounds.u8")
    for name, lines in (("records", rows), ("backgrounds", places)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    pairs = {"colour_object": [["blue", "apple"], ["green", "cat"]], "object_background": [["dog", "beach"]]}
    (folder / "heldout_pairs.json").write_text(json.dumps(pairs), "utf-8")
    (folder / "summary.json").write_text("{}", "utf-8")
    return Collection.open(folder)
