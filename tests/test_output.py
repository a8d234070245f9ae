from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonet.errors import NonetError
from nonet.output import SLUG_LENGTH, OutputFolder, default_folder, slug


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red apple on a table", "a-red-apple-on-a-table"),
        ("A  Hamster 'Godzilla'!", "a-hamster-godzilla"),
        ("el niño, the cat's hat", "el-nino-the-cats-hat"),
        ("../../etc/passwd", "etc-passwd"),
        ("!!!", "drawing"),
        ("x" * 200, "x" * SLUG_LENGTH),
    ],
)
def test_slugs(prompt: str, name: str) -> None:
    assert slug(prompt) == name


@given(st.text(alphabet=st.characters(), max_size=300))
def test_a_slug_is_always_a_plain_short_file_name(prompt: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(prompt))
    assert len(slug(prompt)) <= SLUG_LENGTH


def test_a_slug_of_bytes_that_are_no_text() -> None:
    assert slug(os.fsdecode(b"cat \xff\xfe hat")) == "cat-hat"


def test_the_default_folder_names_prompt_and_seed() -> None:
    assert default_folder("a cat", 7) == Path("nonet/a-cat-7")


def test_pictures_and_sheet_are_written_and_nothing_else(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "new" / "folder", 2) as folder:
        assert list(folder.path.iterdir()) == [], "the trial leaves nothing behind"
        paths, sheet = folder.write([b"one", b"two"], b"sheet")
    assert [path.name for path in paths] == ["1.png", "2.png"]
    assert [path.read_bytes() for path in [*paths, sheet]] == [b"one", b"two", b"sheet"]
    assert sorted(path.name for path in folder.path.iterdir()) == ["1.png", "2.png", "sheet.png"]


def test_a_drawing_that_fails_leaves_no_empty_folders(tmp_path: Path) -> None:
    def fail() -> None:
        with OutputFolder(tmp_path / "a" / "b", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_drawing_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    def fail() -> None:
        with OutputFolder(tmp_path / "made", 1) as folder:
            (folder.path / "of somebody else").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "made" / "of somebody else").exists()


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(NonetError) as caught, OutputFolder(path, 1):
            pass
        assert caught.value.code == "output_unwritable"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_cannot_be_made_is_an_error() -> None:
    # Even root may not make folders there.
    with pytest.raises(NonetError) as caught, OutputFolder("/proc/nonet", 1):
        pass
    assert caught.value.code == "output_unwritable"


def test_a_full_disk_is_found_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NonetError) as caught, OutputFolder(tmp_path / "a" / "b", 9):
        pass
    assert caught.value.code == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_later_leaves_whole_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    calls: list[Any] = []

    def full_at_the_third(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    with pytest.raises(NonetError) as caught, OutputFolder(tmp_path / "a", 2) as folder:
        folder.write([b"one", b"two"], b"sheet")
    assert caught.value.code == "disk_full"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1.png"]
