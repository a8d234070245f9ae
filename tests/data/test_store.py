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


def test_what_was_appended_is_there_when_opened_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
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
    store = PictureStore(tmp_path)
    store.append("a", drawn(), sprite(1))
    store.append("b", drawn(), sprite(2))
    index = tmp_path / "index.jsonl"
    index.write_bytes(index.read_bytes()[:-9])
    again = PictureStore(tmp_path)
    assert "b" not in again
    again.append("c", drawn(), sprite(3))
    third = PictureStore(tmp_path)
    assert len(third.pixels("sprite")) == 2
    assert third.pixels("sprite")[third["c"].at].max() == 3


def test_pixels_without_a_line_are_cut_off(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    store.append("a", drawn(), sprite(1))
    with (tmp_path / "sprites.u8").open("ab") as stream:
        stream.write(b"half a picture")
    assert len(PictureStore(tmp_path).pixels("sprite")) == 1


def test_lost_pixels_are_told(tmp_path: Path) -> None:
    PictureStore(tmp_path).append("a", drawn(), sprite(1))
    (tmp_path / "sprites.u8").write_bytes(b"")
    with pytest.raises(NonetError) as caught:
        PictureStore(tmp_path)
    assert caught.value.code == "data_corrupt"
