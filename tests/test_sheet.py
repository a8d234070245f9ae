from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nonet.sheet import compose_sheet, grid_shape


@given(st.integers(1, 64))
def test_a_grid_holds_the_count_and_is_as_square_as_can_be(count: int) -> None:
    columns, rows = grid_shape(count)
    assert columns * rows >= count
    assert (columns - 1) * rows < count or columns - rows <= 1
    assert columns * (rows - 1) < count, "no row is empty"
    assert 0 <= columns - rows <= 1


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (2, 1)), (3, (2, 2)), (5, (3, 2)), (9, (3, 3)), (64, (8, 8))]
)
def test_known_grids(count: int, shape: tuple[int, int]) -> None:
    assert grid_shape(count) == shape


def test_nine_pictures_stand_row_by_row_with_white_gaps() -> None:
    pictures = [Image.new("RGB", (256, 256), (20 * index, 0, 0)) for index in range(9)]
    sheet = compose_sheet(pictures)
    assert sheet.size == (800, 800)
    for index in range(9):
        row, column = divmod(index, 3)
        x, y = 8 + column * 264, 8 + row * 264
        assert sheet.getpixel((x, y)) == sheet.getpixel((x + 255, y + 255)) == (20 * index, 0, 0)
        assert sheet.getpixel((x - 1, y)) == sheet.getpixel((x, y - 1)) == (255, 255, 255)


def test_cells_without_a_picture_stay_white() -> None:
    sheet = compose_sheet([Image.new("RGB", (10, 10), "red")] * 3, gap=0)
    assert sheet.size == (20, 20)
    assert sheet.getpixel((15, 15)) == (255, 255, 255)


def test_nothing_and_mixed_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compose_sheet([])
    with pytest.raises(ValueError, match="one size"):
        compose_sheet([Image.new("RGB", (2, 2)), Image.new("RGB", (3, 2))])
