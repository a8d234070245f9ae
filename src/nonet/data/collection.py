"""The built collection on disk: memory-mapped sprites and backgrounds with one record each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nonet.data.pictures import Style
from nonet.data.render import BACKGROUND, SPRITE
from nonet.errors import NonetError

Split = Literal["train", "heldout"]


@dataclass(frozen=True, slots=True)
class SpriteRecord:
    """One line of `records.jsonl`; line i describes sprite i.

    `colours` maps colour names to their share of the visible pixels, largest first. `synonyms` may stand for the
    caption; `keywords` are related words for searching. `weight` is the relative chance to be sampled.
    """

    id: str
    caption: str
    synonyms: list[str]
    style: Style
    source: str
    set: str
    title: str
    author: str
    licence: str
    permissive: bool
    concept: str
    colours: dict[str, float]
    split: Split
    weight: float
    keywords: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BackgroundRecord:
    """One line of `backgrounds.jsonl`; line i describes background i."""

    id: str
    caption: str
    synonyms: list[str]
    style: Style
    source: str
    set: str
    title: str
    author: str
    licence: str
    permissive: bool
    concept: str
    colours: dict[str, float]
    split: Split
    weight: float
    keywords: list[str] = field(default_factory=list)


def record_line(record: SpriteRecord | BackgroundRecord) -> str:
    """The record as one JSON line."""
    return json.dumps(asdict(record), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Collection:
    """A read-only view of a collection folder.

    sprites: uint8 (N, 224, 224, 4), RGBA with straight alpha; backgrounds: uint8 (M, 256, 256, 3).
    """

    folder: Path
    sprites: NDArray[np.uint8]
    records: list[SpriteRecord]
    backgrounds: NDArray[np.uint8]
    background_records: list[BackgroundRecord]
    heldout_pairs: dict[str, list[tuple[str, str]]]
    summary: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Collection:
        """Map the arrays and read the records.

        Raises:
            NonetError: `data_missing` where there is no collection, `data_corrupt` where its files disagree.
        """
        folder = Path(folder)
        if not (folder / "records.jsonl").is_file():
            raise NonetError("data_missing", f"No collection in {folder}.", "Run `nonet data build` first.")
        records = _read_records(folder / "records.jsonl", SpriteRecord)
        background_records = _read_records(folder / "backgrounds.jsonl", BackgroundRecord)
        try:
            pairs = json.loads((folder / "heldout_pairs.json").read_text("utf-8"))
            summary = json.loads((folder / "summary.json").read_text("utf-8"))
            heldout = {kind: [(one, two) for one, two in rows] for kind, rows in pairs.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise _corrupt(folder, str(error)) from error
        return cls(
            folder=folder,
            sprites=_map(folder / "sprites.u8", (len(records), SPRITE, SPRITE, 4)),
            records=records,
            backgrounds=_map(folder / "backgrounds.u8", (len(background_records), BACKGROUND, BACKGROUND, 3)),
            background_records=background_records,
            heldout_pairs=heldout,
            summary=summary,
        )

    def __len__(self) -> int:
        return len(self.records)


def _read_records(path: Path, kind: type[Any]) -> list[Any]:
    names = {one.name for one in fields(kind)}
    records = []
    try:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            # A newer build may know more fields; what is missing is an error.
            records.append(kind(**{name: value for name, value in row.items() if name in names}))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _corrupt(path, str(error)) from error
    return records


def _map(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    expected = int(np.prod(shape))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _corrupt(path, str(error)) from error
    if size != expected:
        raise _corrupt(path, f"{size} bytes where the records say {expected}")
    if expected == 0:
        return np.zeros(shape, np.uint8)
    return np.memmap(path, np.uint8, "r", shape=shape)


def _corrupt(path: Path, reason: str) -> NonetError:
    return NonetError("data_corrupt", f"{path}: {reason}.", "Run `nonet data build` again.")
