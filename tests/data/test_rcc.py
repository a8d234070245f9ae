from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from nonet.data.rcc import read_rcc


def name(text: str) -> bytes:
    return struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")


def archive(version: int = 3) -> bytes:
    """Two files, /pictures/cat.txt (compressed) and /pictures/dog.txt."""
    names = name("pictures") + name("cat.txt") + name("dog.txt")
    cat_at, dog_at = len(name("pictures")), len(name("pictures") + name("cat.txt"))
    packed = struct.pack(">I", 3) + zlib.compress(b"cat")
    data = struct.pack(">I", len(packed)) + packed
    dog_data_at = len(data)
    data += struct.pack(">I", 3) + b"dog"
    tail = b"\0" * (8 if version >= 2 else 0)
    tree = struct.pack(">IHII", 0, 2, 1, 1) + tail
    tree += struct.pack(">IHII", 0, 2, 2, 2) + tail
    tree += struct.pack(">IHHHI", cat_at, 1, 0, 0, 0) + tail
    tree += struct.pack(">IHHHI", dog_at, 0, 0, 0, dog_data_at) + tail
    start = 20
    return (
        struct.pack(">4sIIII", b"qres", version, start, start + len(tree), start + len(tree) + len(data))
        + tree
        + data
        + names
    )


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_are_read_with_their_paths(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.rcc"
    path.write_bytes(archive(version))
    assert dict(read_rcc(path)) == {"/pictures/cat.txt": b"cat", "/pictures/dog.txt": b"dog"}


@pytest.mark.parametrize("content", [b"", b"qres", archive()[:60], archive(9), b"x" + archive()])
def test_damaged_files_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.rcc"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.rcc"):
        list(read_rcc(path))
