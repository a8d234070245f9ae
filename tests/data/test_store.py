from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nonet.data.store import Drawn, PictureStore
from nonet.errors import NonetError


def drawn(kind: str = "sprite", drop: str = "") -> Drawn:
    return Drawn(kind, -1, drop, 99, b"\x01\x02", b"\x03")


def sprite(value: int) -> np.ndarray:
    return np.full((224, 224, 4), value, np.uint8)


def keep(folder: Path, **pictures: int) -> PictureStore:
    """A store with sprites of one value each."""
    store = PictureStore(folder)
    with store.writing():
        for key, value in pictures.items():
            store.append(key, drawn(), sprite(value))
    return store


def test_what_was_appended_is_there_when_opened_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    with store.writing():
        store.append("a", drawn(), sprite(1))
        store.append("b", drawn(drop="blank"), None)
        store.append("c", drawn("background"), np.full((256, 256, 3), 7, np.uint8))
        store.append("d", drawn(), sprite(2))
    again = PictureStore(tmp_path)
    assert "a" in again
    assert "z" not in again
    assert again["b"].drop == "blank"
    assert again["b"].at == -1
    assert again["a"].bits == b"\x01\x02"
    assert again.pixels("sprite")[again["d"].at].max() == 2
    assert again.pixels("background")[again["c"].at].max() == 7


def test_a_line_cut_off_in_writing_is_forgotten_with_its_pixels(tmp_path: Path) -> None:
    keep(tmp_path, a=1, b=2)
    index = tmp_path / "index.jsonl"
    index.write_bytes(index.read_bytes()[:-9])
    assert "b" not in PictureStore(tmp_path)
    keep(tmp_path, c=3)
    third = PictureStore(tmp_path)
    assert len(third.pixels("sprite")) == 2
    assert third.pixels("sprite")[third["c"].at].max() == 3


def test_pixels_without_a_line_are_cut_off_before_the_next(tmp_path: Path) -> None:
    keep(tmp_path, a=1)
    with (tmp_path / "sprites.u8").open("ab") as stream:
        stream.write(b"half a picture")
    again = keep(tmp_path, b=2)
    assert (tmp_path / "sprites.u8").stat().st_size == 2 * 224 * 224 * 4
    assert again.pixels("sprite")[1].min() == 2


def test_only_one_writes_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    one, two = PictureStore(tmp_path), PictureStore(tmp_path)
    with one.writing():
        with pytest.raises(NonetError) as caught, two.writing():
            pass
        one.append("a", drawn(), sprite(1))
    assert caught.value.code == "output_unwritable"
    # The second sees what the first appended after both were opened.
    with two.writing():
        assert "a" in two
        two.append("b", drawn(), sprite(2))
    assert PictureStore(tmp_path).pixels("sprite")[:, 0, 0, 0].tolist() == [1, 2]


def test_lost_pixels_are_told(tmp_path: Path) -> None:
    keep(tmp_path, a=1)
    (tmp_path / "sprites.u8").write_bytes(b"")
    with pytest.raises(NonetError) as caught:
        PictureStore(tmp_path)
    assert caught.value.code == "data_corrupt"
