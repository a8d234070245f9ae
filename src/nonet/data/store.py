"""Drawn pictures of one part of a build, appended one by one, so that a stopped build goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nonet.data.pictures import Pixels
from nonet.data.render import BACKGROUND, SPRITE
from nonet.errors import NonetError
from nonet.files import write_error

_SHAPES = {"sprite": (SPRITE, SPRITE, 4), "background": (BACKGROUND, BACKGROUND, 3)}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known of a drawn picture: where its pixels lie, or why it was dropped.

    `native` is the longest side of its content in the source, `bits` and `thumb` are its fingerprint.
    """

    kind: str
    at: int
    drop: str
    native: int
    bits: bytes
    thumb: bytes


class PictureStore:
    """A folder with one index line per picture and the raw pixels of those that were kept.

    Pixels are written before their line: after a crash the index never points at missing pixels, and what the
    index does not know is cut off before the next is appended.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drawn: dict[str, Drawn] = {}
        self._counts = dict.fromkeys(_SHAPES, 0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._read_index()
            for kind, count in self._counts.items():
                path = folder / f"{kind}s.u8"
                if count and (not path.is_file() or path.stat().st_size < count * _size(kind)):
                    raise NonetError(
                        "data_corrupt", f"{folder} has lost pixels.", f"Delete {folder} and build again."
                    )
        except OSError as error:
            raise write_error(folder, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store for appending: one process at a time.

        What another process appended since the store was opened is read first; what a stopped one left half
        written is cut off.

        Raises:
            NonetError: `output_unwritable` where another build is drawing into the store.
        """
        try:
            handle = (self._folder / "lock").open("wb")
        except OSError as error:
            raise write_error(self._folder, error) from error
        with handle:
            if not _lock(handle):
                raise NonetError(
                    "output_unwritable",
                    f"Another build is drawing into {self._folder}.",
                    "Wait until it has finished.",
                )
            try:
                length = self._read_index()
                with (self._folder / "index.jsonl").open("ab") as stream:
                    stream.truncate(length)
                for kind, count in self._counts.items():
                    with (self._folder / f"{kind}s.u8").open("ab") as stream:
                        stream.truncate(count * _size(kind))
            except OSError as error:
                raise write_error(self._folder, error) from error
            yield

    def __contains__(self, key: str) -> bool:
        return key in self._drawn

    def __getitem__(self, key: str) -> Drawn:
        return self._drawn[key]

    def append(self, key: str, drawn: Drawn, pixels: Pixels | None) -> None:
        """Keep a picture (or, without pixels, the reason why it was dropped); only while `writing`."""
        at = -1
        try:
            if pixels is not None:
                at = self._counts[drawn.kind]
                with (self._folder / f"{drawn.kind}s.u8").open("ab") as stream:
                    stream.write(np.ascontiguousarray(pixels).tobytes())
            row = {
                "key": key, "kind": drawn.kind, "at": at, "drop": drawn.drop, "native": drawn.native,
                "bits": drawn.bits.hex(), "thumb": drawn.thumb.hex(),
            }  # fmt: skip
            with (self._folder / "index.jsonl").open("ab") as stream:
                stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._take(row)

    def pixels(self, kind: str) -> NDArray[np.uint8]:
        """All kept pictures of a kind, memory-mapped: (count, height, width, channels)."""
        shape = (self._counts[kind], *_SHAPES[kind])
        if self._counts[kind] == 0:
            return np.zeros(shape, np.uint8)
        return np.memmap(self._folder / f"{kind}s.u8", np.uint8, "r", shape=shape)

    def _read_index(self) -> int:
        """Take every whole line; returns the length of the sound part of the file in bytes."""
        path = self._folder / "index.jsonl"
        content = path.read_bytes() if path.is_file() else b""
        length = 0
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                break
            length += len(line)
        return length

    def _take(self, row: dict[str, Any]) -> None:
        drawn = Drawn(
            kind=row["kind"],
            at=row["at"],
            drop=row["drop"],
            native=row["native"],
            bits=bytes.fromhex(row["bits"]),
            thumb=bytes.fromhex(row["thumb"]),
        )
        self._drawn[row["key"]] = drawn
        if drawn.at >= 0:
            self._counts[drawn.kind] = max(self._counts[drawn.kind], drawn.at + 1)


def _lock(handle: BinaryIO) -> bool:
    """Take the lock, which closing the file gives back; where the system has none, nobody else is thought to write."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _size(kind: str) -> int:
    return int(np.prod(_SHAPES[kind]))
