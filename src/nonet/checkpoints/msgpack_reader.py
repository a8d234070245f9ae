"""A reader of the msgpack container in which Flax keeps arrays.

The library `msgpack` would copy every array twice to hand it over, gigabytes for the large models. Here only
the structure is walked, in memory-mapped pages, and of an array just its type, shape and place are kept.
Nothing that a file says is trusted: lengths are checked against the file's end before they are used, and
nesting is bounded.
"""

from __future__ import annotations

import mmap
import reprlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from nonet.checkpoints.tensors import DTYPES, Chunk, Entry, corrupt, foreign, unreadable

_DEEPEST = 32
_ARRAY = 1
_CHUNKED = "__msgpack_chunked_array__"
# Far above what any model has; what lies beyond is damage, or a file made to exhaust the memory.
_LONGEST_TEXT = 4096
_MOST_VALUES = 100_000
_MOST_AXES = 8

Tree = dict[str, Any]


def read_flax(path: Path) -> dict[str, Entry]:
    """The arrays of a Flax msgpack file by their dotted names ("model.encoder.final_ln.bias").

    Raises:
        NonetError: `weights_corrupt` for anything that is no such file, saying where; `file_unreadable`.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if reason := foreign(data[:32]):
                raise corrupt(path, reason)
            walker = _Walker(data, path)
            tree = walker.value(0)
            if walker.at != len(data):
                raise corrupt(path, f"{len(data) - walker.at} bytes are left over at byte {walker.at}")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # mmap refuses empty files
        raise corrupt(path, "it is empty") from error
    if not isinstance(tree, dict):
        raise corrupt(path, "it is no map of arrays")
    # Some tools keep the parameters of a module one level down.
    if set(tree) == {"params"} and isinstance(tree["params"], dict):
        tree = tree["params"]
    entries: dict[str, Entry] = {}
    _flatten(tree, "", entries, path)
    if not entries:
        raise corrupt(path, "it holds no array")
    return entries


def _flatten(tree: Mapping[str, Any], prefix: str, entries: dict[str, Entry], path: Path) -> None:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Entry):
            if name in entries:
                raise corrupt(path, f"two arrays have the name {name}")
            entries[name] = value
        elif not isinstance(value, dict):
            raise corrupt(path, f"{name} is {_said(value)}, where an array was expected")
        elif _CHUNKED in value:
            entries[name] = _join(value, name, path)
        else:
            _flatten(value, f"{name}.", entries, path)


def _join(value: Mapping[str, Any], name: str, path: Path) -> Entry:
    """An array that Flax cut because it is larger than a gigabyte."""
    shape, chunks = value.get("shape"), value.get("chunks")
    if not isinstance(shape, dict) or not isinstance(chunks, dict) or not chunks:
        raise corrupt(path, f"the chunked array {name} has no shape or no chunks")
    sizes = [shape.get(str(index)) for index in range(len(shape))]
    if not _is_shape(sizes):
        raise corrupt(path, f"the chunked array {name} has the shape {_said(list(shape.values()))}")
    found = [chunks.get(str(index)) for index in range(len(chunks))]
    parts = [part for part in found if isinstance(part, Entry)]
    if len(parts) < len(found) or len({part.dtype for part in parts}) > 1:
        raise corrupt(path, f"a chunk of the array {name} is missing or of another type")
    try:
        return Entry(parts[0].dtype, tuple(sizes), tuple(c for part in parts for c in part.chunks))
    except ValueError as error:
        raise corrupt(path, f"the chunked array {name} does not fit: {error}") from None


def _is_shape(value: Any) -> TypeGuard[list[int]]:
    if not isinstance(value, list) or len(value) > _MOST_AXES:
        return False
    return all(type(size) is int and size >= 0 for size in value)


def _said(value: Any) -> str:
    return reprlib.repr(value)


class _Walker:
    """Walks one msgpack value after another; `at` is the next byte."""

    def __init__(self, data: mmap.mmap, path: Path, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.path = path
        self.at = at
        self.end = len(data) if end is None else end
        self.values = 0

    def value(self, depth: int) -> Any:
        """The next value: maps as dicts, arrays of numbers as `Entry`, everything else plain."""
        if depth > _DEEPEST:
            raise corrupt(self.path, f"its maps are nested too deeply at byte {self.at}")
        self.values += 1
        if self.values > _MOST_VALUES:
            raise corrupt(self.path, f"it has more than {_MOST_VALUES} values")
        start = self.at
        code = self._take(1)[0]
        if code <= 0x7F:
            return code
        if code <= 0x8F:
            return self._map(code & 0x0F, depth)
        if code <= 0x9F:
            return [self.value(depth + 1) for _ in range(code & 0x0F)]
        if code <= 0xBF:
            return self._text(code & 0x1F)
        if code >= 0xE0:
            return code - 0x100
        if code in _PLAIN:
            return _PLAIN[code]
        if code in _NUMBERS:
            return self._number(_NUMBERS[code])
        if code in _SIZED:
            kind, size_format = _SIZED[code]
            size = self._number(size_format)
            if kind == "map":
                return self._map(size, depth)
            if kind == "list":
                return [self.value(depth + 1) for _ in range(size)]
            if kind == "text":
                return self._text(size)
            if kind == "bytes":
                return self._skip(size)
            return self._extension(size, depth)
        if code in _FIXED_EXTENSIONS:
            return self._extension(_FIXED_EXTENSIONS[code], depth)
        raise corrupt(self.path, f"byte {start} is {code:#04x}, which no msgpack value begins with")

    def _map(self, count: int, depth: int) -> Tree:
        tree: Tree = {}
        for _ in range(count):
            start = self.at
            key = self.value(_DEEPEST)
            if isinstance(key, Chunk):
                if key.length > _LONGEST_TEXT:
                    raise corrupt(self.path, f"the name at byte {start} is {key.length} bytes long")
                key = self.data[key.start : key.start + key.length].decode("utf-8", "replace")
            if not isinstance(key, str):
                raise corrupt(
                    self.path, f"the map at byte {start} has the name {_said(key)}, which is no text"
                )
            if not key.isprintable():
                raise corrupt(self.path, f"the name at byte {start} is {_said(key)}")
            if key in tree:
                raise corrupt(self.path, f"the name {_said(key)} comes twice, at byte {start}")
            tree[key] = self.value(depth + 1)
        return tree

    def _extension(self, size: int, depth: int) -> Entry:
        kind = self._number("b")
        start = self.at
        self._check(size)
        if kind != _ARRAY:
            raise corrupt(
                self.path, f"byte {start - 1} has the extension type {kind}, but arrays have type 1"
            )
        inner = _Walker(self.data, self.path, start, start + size)
        # One level less than what is allowed: an array's fields are no trees.
        fields = inner.value(_DEEPEST - 2)
        self.values += inner.values
        self.at = start + size
        if inner.at != self.at or not isinstance(fields, list) or len(fields) != 3:
            raise corrupt(self.path, f"the array at byte {start} is not made of shape, type and values")
        shape, dtype, values = fields
        if isinstance(dtype, Chunk) and dtype.length <= _LONGEST_TEXT:
            dtype = self.data[dtype.start : dtype.start + dtype.length].decode("ascii", "replace")
        if not _is_shape(shape) or not isinstance(values, Chunk):
            raise corrupt(self.path, f"the array at byte {start} is not made of shape, type and values")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise corrupt(
                self.path, f"the array at byte {start} has the type {_said(dtype)}, which is not read"
            )
        try:
            return Entry(DTYPES[dtype], tuple(shape), (values,))
        except ValueError as error:
            raise corrupt(self.path, f"the array at byte {start} does not fit: {error}") from None

    def _text(self, size: int) -> str:
        start = self.at
        if size > _LONGEST_TEXT:
            raise corrupt(self.path, f"the text at byte {start} is {size} bytes long")
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise corrupt(self.path, f"the text at byte {start} is no UTF-8") from None

    def _number(self, code: str) -> Any:
        return struct.unpack(f">{code}", self._take(struct.calcsize(code)))[0]

    def _skip(self, size: int) -> Chunk:
        self._check(size)
        chunk = Chunk(self.path, self.at, size)
        self.at += size
        return chunk

    def _take(self, size: int) -> bytes:
        self._check(size)
        taken: bytes = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def _check(self, size: int) -> None:
        if size > self.end - self.at:
            where = f"at byte {self.at}, {size} more are needed and {self.end - self.at} are there"
            raise corrupt(self.path, f"it is cut off or damaged ({where})")


_PLAIN: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q"}
_NUMBERS |= {0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
_SIZED = {
    **{0xC4: ("bytes", "B"), 0xC5: ("bytes", "H"), 0xC6: ("bytes", "I")},
    **{0xC7: ("extension", "B"), 0xC8: ("extension", "H"), 0xC9: ("extension", "I")},
    **{0xD9: ("text", "B"), 0xDA: ("text", "H"), 0xDB: ("text", "I")},
    **{0xDC: ("list", "H"), 0xDD: ("list", "I"), 0xDE: ("map", "H"), 0xDF: ("map", "I")},
}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
