"""What `nonet models` tells: which models are here, how large they are, their licence and where they came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonet.checkpoints.places import DOODLE, PUBLISHED, hub_cache, locate, locate_codec
from nonet.errors import NonetError


@dataclass(frozen=True)
class ModelInfo:
    """One model, here or not.

    Attributes:
        name: what `nonet.load` takes.
        title: what it is.
        here: whether it can be loaded now.
        bytes: on disk, with its codec; of a model that is not here, what pulling fetches.
        licence: of the weights.
        origin: where they come from.
        folder: where they lie, None of a model that is not here.
        note: what is missing, or how to get it; may be empty.
    """

    name: str
    title: str
    here: bool
    bytes: int
    licence: str
    origin: str
    folder: Path | None = None
    note: str = ""


def list_models() -> list[ModelInfo]:
    """The embedded model, the published ones, and any other in the Hub's cache; nothing is loaded."""
    models = [_doodle(), *(_published(name) for name in PUBLISHED)]
    known = {PUBLISHED[name].repo.id for name in PUBLISHED}
    try:
        folders = sorted(hub_cache().glob("models--*--*"))
    except OSError:
        folders = []
    for folder in folders:
        name = "/".join(folder.name.split("--")[1:3])
        if name not in known and (found := _cached(name)) is not None:
            models.append(found)
    return models


def _doodle() -> ModelInfo:
    values = _config(DOODLE)
    here = bool(values)
    return ModelInfo(
        name="doodle",
        title="Nonet's own small model with a picture memory",
        here=here,
        bytes=_size(DOODLE) if here else 0,
        licence=str(values.get("licence", "")),
        origin=str(values.get("origin", "")) or "part of nonet",
        folder=DOODLE if here else None,
        note="" if here else "Missing from this installation.",
    )


def _published(name: str) -> ModelInfo:
    model = PUBLISHED[name]
    try:
        folder = locate(name)
    except NonetError as error:
        size = model.repo.size + model.codec.size
        return ModelInfo(name, model.title, False, size, model.licence, model.origin, note=error.hint)
    codec = locate_codec(folder)
    note = "" if codec is not None else f"Its codec is missing. Get it with: nonet pull {name}"
    size = _size(folder) + (_size(codec) if codec is not None else 0)
    return ModelInfo(name, model.title, codec is not None, size, model.licence, model.origin, folder, note)


def _cached(name: str) -> ModelInfo | None:
    try:
        folder = locate(name)
    except NonetError:
        return None
    values = _config(folder)
    if "seq2seq" not in values and values.get("model_type") != "dallebart":
        return None
    title = str(values.get("name") or "a model in DALL-E Mini's format")
    licence = str(values.get("licence", "")) or "see its page"
    return ModelInfo(name, title, True, _size(folder), licence, f"https://huggingface.co/{name}", folder)


def _config(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
