from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nonet.data.drawing import draw_one, draw_part
from nonet.data.pictures import Picture, Pixels
from nonet.data.store import PictureStore


@dataclass(frozen=True)
class Square:
    """A striped square of a colour."""

    red: int
    side: int = 64

    def draw(self) -> Pixels:
        if self.red < 0:
            raise OSError("broken file")
        pixels = np.zeros((self.side, self.side, 4), np.uint8)
        pixels[:, : self.side // 2] = (self.red, 0, 0, 255)
        pixels[:, self.side // 2 :] = (0, 0, self.red, 255)
        return pixels


def picture(key: str, red: int = 200, side: int = 64, kind: str = "sprite", fit: str = "smooth") -> Picture:
    return Picture(key, "t", "T", "emoji", key, Square(red, side), kind=kind, fit=fit)  # type: ignore[arg-type]


def test_a_drawn_sprite_carries_its_size_and_mark() -> None:
    key, drawn, pixels = draw_one(picture("a"))
    assert key == "a"
    assert drawn.drop == ""
    assert drawn.native == 64
    assert len(drawn.bits) == 32
    assert pixels is not None
    assert pixels.shape == (224, 224, 4)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (picture("a", red=-1), "unreadable"),
        (picture("a", side=20), "tiny"),
        (picture("a", side=20, fit="pixels"), ""),
        (picture("a", side=100, kind="background"), "tiny"),
        (picture("a", side=256, kind="background"), ""),
    ],
)
def test_what_is_not_worth_keeping_is_dropped_with_its_reason(given: Picture, reason: str) -> None:
    _, drawn, pixels = draw_one(given)
    assert drawn.drop == reason
    assert (pixels is None) == bool(reason)


def test_only_what_the_store_lacks_is_drawn(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    assert draw_part([picture("a"), picture("b", red=-1)], store) == 2
    counts: list[int] = []
    again = PictureStore(tmp_path)
    assert draw_part([picture("a"), picture("b", red=-1), picture("c")], again, progress=counts.append) == 1
    assert counts == [1]
    assert "c" in again
