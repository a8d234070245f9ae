from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nonet.data.render import (
    SvgFile,
    SvgText,
    alpha_box,
    decode,
    fill_background,
    fit_square,
    render_svg,
    repair_svg,
    resize,
)

RED_DOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297">'
    '<circle cx="100" cy="100" r="20" fill="#ff0000"/></svg>'
)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_a_drawing_without_namespaces_is_repaired() -> None:
    text = '<svg width="10" height="10"><g inkscape:label="x"><rect width="10" height="10" fill="blue"/></g></svg>'
    pixels = render_svg(repair_svg(text), 20)
    assert pixels.shape == (20, 20, 4)
    assert tuple(pixels[10, 10]) == (0, 0, 255, 255)


def test_repair_leaves_sound_text_alone() -> None:
    assert repair_svg(RED_DOT) == RED_DOT


def test_a_small_drawing_on_a_large_page_is_drawn_sharp() -> None:
    box = alpha_box(SvgText(RED_DOT).draw())
    assert box is not None
    assert box[1] - box[0] >= 224


def test_a_blank_drawing_is_told() -> None:
    with pytest.raises(ValueError, match="blank"):
        SvgText('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>').draw()


def test_a_latin_1_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    text = RED_DOT.replace("<circle", "<title>caf\u00e9</title><circle")
    path.write_bytes(b'<?xml version="1.0" encoding="iso-8859-1"?>' + text.encode("latin-1"))
    assert SvgFile(str(path)).draw().shape[2] == 4


def test_the_sprite_touches_two_sides_and_is_centred() -> None:
    pixels = np.zeros((50, 80, 4), np.uint8)
    pixels[10:20, 5:45] = (10, 200, 30, 255)
    sprite = fit_square(pixels)
    box = alpha_box(sprite)
    assert sprite.shape == (224, 224, 4)
    assert box is not None
    assert box[2:] == (0, 224)
    assert box[0] == 224 - box[1]
    assert box[1] - box[0] == 56


def test_pixel_art_keeps_hard_pixels() -> None:
    tile = np.zeros((32, 32, 4), np.uint8)
    tile[::2, ::2] = (255, 0, 0, 255)
    tile[31, 31] = (0, 0, 255, 255)
    sprite = fit_square(tile, fit="pixels")
    assert set(map(tuple, sprite.reshape(-1, 4).tolist())) == {
        (0, 0, 0, 0),
        (255, 0, 0, 255),
        (0, 0, 255, 255),
    }


def test_hidden_colours_do_not_bleed_when_scaled() -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:] = (0, 255, 0, 0)
    pixels[:, :20] = (255, 0, 0, 255)
    small = resize(pixels, 9, 9)
    seen = small[small[..., 3] > 0]
    assert (seen[:, 0] >= 250).all()
    assert (seen[:, 1] <= 5).all()


def test_nothing_invisible_carries_colour() -> None:
    pixels = np.full((30, 20, 4), 200, np.uint8)
    pixels[:, 10:, 3] = 0
    sprite = fit_square(pixels)
    assert not sprite[sprite[..., 3] == 0].any()


def test_a_background_is_the_middle_square() -> None:
    pixels = np.zeros((100, 300, 4), np.uint8)
    pixels[:, 100:200] = (9, 99, 199, 255)
    filled = fill_background(pixels)
    assert filled.shape == (256, 256, 3)
    assert np.abs(filled.astype(int) - (9, 99, 199)).max() <= 1


def test_decode_says_what_it_cannot_read() -> None:
    assert decode(png(np.full((3, 3, 3), 7, np.uint8))).shape == (3, 3, 4)
    with pytest.raises(ValueError, match="unreadable"):
        decode(b"no picture")
