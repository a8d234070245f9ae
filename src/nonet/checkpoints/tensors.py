"""Tensors that lie in files: where each one starts, and reading one, or one layer of one, at a time.

Every format is read into a `TensorFiles` first, which knows names, types, shapes and places but holds no
values. Filling a network then goes tensor by tensor, so that loading needs the memory of the weights and of
one tensor more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import torch
from torch import Tensor

from nonet.checkpoints.quantise import SCALE
from nonet.errors import NonetError

DTYPES: dict[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


@dataclass(frozen=True)
class Chunk:
    """Bytes in a file."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True)
class Entry:
    """One tensor: its type, its shape, and its values in C order, little-endian, over one or more chunks.

    `value` is the tensor itself where a format gives no places.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    value: Tensor | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.value is not None:
            return
        held = sum(chunk.length for chunk in self.chunks)
        if held != self.nbytes:
            raise ValueError(f"shape {list(self.shape)} needs {self.nbytes} bytes, but {held} are stored")

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


class TensorFiles(Mapping[str, Entry]):
    """The tensors of one or more files by name; a context manager that closes the files.

    Args:
        entries: what the files hold.
        scaled: int8 matrices with a `.scale` beside them are read as the floats that they stand for, and the
            scales have no name of their own.
    """

    def __init__(self, entries: Mapping[str, Entry], *, scaled: bool = False) -> None:
        self._all = dict(entries)
        self.scaled = {
            name
            for name, entry in entries.items()
            if scaled and entry.dtype == torch.int8 and name + SCALE in entries
        }
        self._names = [name for name in entries if name.removesuffix(SCALE) not in self.scaled - {name}]
        self._open: dict[Path, BinaryIO] = {}

    def __getitem__(self, name: str) -> Entry:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __enter__(self) -> TensorFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._open.values():
            stream.close()
        self._open.clear()

    def prefixed(self, prefix: str) -> dict[str, Entry]:
        """The entries under longer names, for putting files together."""
        return {prefix + name: entry for name, entry in self._all.items()}

    def read(self, name: str, index: int | None = None) -> Tensor:
        """A tensor in its stored type, or the part of it at `index` of the first axis.

        Raises:
            NonetError: `file_unreadable` where the file cannot be read any more.
        """
        values = self._read(self._all[name], index)
        if name not in self.scaled:
            return values
        scale_R = self._read(self._all[name + SCALE], None).float()
        if index is not None:
            return values.float() * scale_R[index]
        return values.float().mul_(scale_R.view(-1, *(1,) * (values.dim() - 1)))

    def _read(self, entry: Entry, index: int | None) -> Tensor:
        if entry.value is not None:
            return entry.value if index is None else entry.value[index]
        shape, start = entry.shape, 0
        if index is not None:
            shape = shape[1:]
            start = index * math.prod(shape) * entry.dtype.itemsize
        values = torch.empty(shape, dtype=entry.dtype)
        if values.numel() == 0:
            return values
        buffer = memoryview(values.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
        end, at = start + len(buffer), 0
        for chunk in entry.chunks:
            first, last = max(start, at), min(end, at + chunk.length)
            if first < last:
                self._fill(buffer[first - start : last - start], chunk.path, chunk.start + first - at)
            at += chunk.length
        return values

    def _fill(self, buffer: memoryview, path: Path, start: int) -> None:
        try:
            stream = self._open.get(path)
            if stream is None:
                stream = self._open[path] = path.open("rb", buffering=0)
            stream.seek(start)
            while buffer:
                # One call gives at most 2 GiB on Linux.
                count = stream.readinto(buffer)  # type: ignore[attr-defined]
                if not count:
                    raise NonetError("weights_corrupt", f"{path} ended while it was read.", AGAIN)
                buffer = buffer[count:]
        except OSError as error:
            raise unreadable(path, error) from error


AGAIN = "Get the file again: pull or copy it once more."


def unreadable(path: Path, error: OSError) -> NonetError:
    """Say in a `NonetError` why a file of weights could not be read."""
    if isinstance(error, FileNotFoundError):
        return NonetError("model_missing", f"{path} does not exist.", "Check the folder's name.")
    return NonetError(
        "file_unreadable", f"Cannot read {path}: {error.strerror or error}.", "Check its rights."
    )


_KINDS = (
    (b"version https://git-lfs", "it is a pointer of Git LFS, the file itself was not fetched"),
    (b"PK\x03\x04", "it is a torch file or another zip archive"),
    (b"\x80\x02", "it is a pickle"),
    (b"\x80\x03", "it is a pickle"),
    (b"\x80\x04", "it is a pickle"),
    (b"\x80\x05", "it is a pickle"),
    (b"<", "it is a page of a website"),
    (b"{", "it is JSON"),
)


def foreign(head: bytes) -> str:
    """What a file is, by its first bytes, that is put in the place of weights surprisingly often; else ""."""
    return next((reason for start, reason in _KINDS if head.startswith(start)), "")


def corrupt(path: Path, reason: str) -> NonetError:
    """Say that a file of weights is damaged or not what its name says."""
    return NonetError("weights_corrupt", f"The weights in {path} cannot be used: {reason}.", AGAIN)
