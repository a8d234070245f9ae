from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Literal, cast

import pytest

from nonet.data.archives import unpack
from nonet.errors import NonetError


def tar(mode: str, name: str = "package/a.txt") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=cast(Literal["w:gz"], f"w:{mode}")) as file:
        entry = tarfile.TarInfo(name)
        entry.size = 5
        file.addfile(entry, io.BytesIO(b"hello"))
    return stream.getvalue()


def deb(data: bytes, name: str = "data.tar.xz") -> bytes:
    """An ar archive as dpkg makes it: version, control, data."""
    content = b"!<arch>\n"
    for member, body in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (name, data)):
        content += f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode("ascii") + body
        content += b"\n" * (len(body) % 2)
    return content


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("package/a.txt", "hello")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.deb", deb(tar("xz"))), ("a.tgz", tar("gz")), ("a.tar.xz", tar("xz")), ("a.whl", zipped())],
)
def test_every_kind_is_unpacked(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    folder = unpack(tmp_path / name, tmp_path / "out" / "a")
    assert (folder / "package/a.txt").read_text() == "hello"


def test_what_is_unpacked_already_is_taken(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    assert unpack(tmp_path / "missing.tgz", tmp_path / "done") == tmp_path / "done"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.deb", b"not a package"),
        ("a.deb", deb(tar("xz"))[:-40]),
        ("a.deb", deb(b"x", "data.tar.zst")),
        ("a.deb", b"!<arch>\n"),
        ("a.tgz", tar("gz")[:30]),
        ("a.whl", b"PK"),
        ("a.rar", b"Rar!"),
        ("a.tgz", tar("gz", "../outside.txt")),
    ],
)
def test_damaged_archives_leave_nothing_behind(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NonetError) as caught:
        unpack(tmp_path / name, tmp_path / "out" / "a")
    assert caught.value.code == "data_corrupt"
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "outside.txt").exists()


def test_a_link_to_elsewhere_is_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as file:
        link = tarfile.TarInfo("font.ttf")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/share/fonts/font.ttf"
        file.addfile(link)
        entry = tarfile.TarInfo("a.txt")
        file.addfile(entry, io.BytesIO())
    folder = unpack(tmp_path / "a.tgz", tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
