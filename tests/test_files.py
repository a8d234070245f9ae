from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nonet.errors import NonetError
from nonet.files import atomic_write, write_error


def test_a_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    with atomic_write(target) as stream:
        stream.write(b"half")
        assert not target.exists()
        stream.write(b"whole")
    assert target.read_bytes() == b"halfwhole"
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_a_new_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with atomic_write(tmp_path / "ours") as stream:
        stream.write(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_content(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")

    def failing() -> None:
        with atomic_write(target) as stream:
            stream.write(b"new")
            raise error

    with pytest.raises(type(error)):
        failing()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_a_full_disk_has_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NonetError) as caught, atomic_write(tmp_path / "file.bin") as stream:
        stream.write(b"new")
    assert caught.value.code == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NonetError) as caught, atomic_write(tmp_path / "file" / "below") as stream:
        stream.write(b"new")
    assert caught.value.code == "output_unwritable"
    assert "Not a directory" in write_error(Path("x"), NotADirectoryError(20, "Not a directory")).message
