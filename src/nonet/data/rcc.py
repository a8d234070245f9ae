"""Reading Qt's binary resource files (.rcc), format versions 1 to 3, without Qt.

A header, then a tree of nodes (a folder: child count and first child; a file: where its data lies), the names in
UTF-16, and the contents, each after its length and zlib-compressed where a flag says so.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_COMPRESSED, _FOLDER, _ZSTD = 1, 2, 4


def read_rcc(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file in the archive as (path inside, content); contents packed with zstd are left out.

    Raises:
        ValueError: the file is no resource file or is damaged.
    """
    content = path.read_bytes()
    try:
        magic, version, tree, data, names = struct.unpack(">4sIIII", content[:20])
        if magic != b"qres" or not 1 <= version <= 3:
            raise ValueError(f"{path.name} is no Qt resource file")
        yield from _walk(content, 0, "", tree, data, names, 22 if version >= 2 else 14)
    except (struct.error, zlib.error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _walk(
    content: bytes, node: int, prefix: str, tree: int, data: int, names: int, size: int
) -> Iterator[tuple[str, bytes]]:
    at = tree + node * size
    name_at, flags = struct.unpack(">IH", content[at : at + 6])
    name = prefix
    if node:
        start = names + name_at
        (length,) = struct.unpack(">H", content[start : start + 2])
        name = f"{prefix}/{content[start + 6 : start + 6 + 2 * length].decode('utf-16-be')}"
    if flags & _FOLDER:
        count, first = struct.unpack(">II", content[at + 6 : at + 14])
        if first <= node and count:
            raise ValueError("a folder holds itself")
        for child in range(first, first + count):
            yield from _walk(content, child, name, tree, data, names, size)
    elif not flags & _ZSTD:
        (offset,) = struct.unpack(">I", content[at + 10 : at + 14])
        start = data + offset
        (length,) = struct.unpack(">I", content[start : start + 4])
        packed = content[start + 4 : start + 4 + length]
        # Qt puts the unpacked length before the zlib stream.
        yield name, zlib.decompress(packed[4:]) if flags & _COMPRESSED else packed
