"""The sheet with its prompt, the card and the small picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nonet.service import sharecard

COLOURS = [(200, 20 * index, 255 - 20 * index) for index in range(9)]


def pictures(count: int = 9, side: int = 256) -> list[Image.Image | None]:
    return [Image.new("RGB", (side, side), COLOURS[index % 9]) for index in range(count)]


def number(colour: tuple[int, ...]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def colours_of(image: Image.Image) -> set[int]:
    pixels = np.asarray(image).astype(np.uint32)
    return set(np.unique(pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]).tolist())


def test_the_sheet_shows_all_pictures_pixel_for_pixel() -> None:
    rng = np.random.default_rng(1)
    drawn = [Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)) for _ in range(9)]
    sheet = np.asarray(sharecard.sheet(drawn, "a cat"))
    # The middle of each picture, wherever it lies: marks inside survive only if nothing was resized.
    first = np.asarray(drawn[0])[60:70, 60:70]
    places = np.argwhere((sheet == first[0, 0]).all(2))
    place = next((y, x) for y, x in places if (sheet[y : y + 10, x : x + 10] == first).all())
    top, left = place[0] - 60, place[1] - 60
    for index, picture in enumerate(drawn):
        y, x = top + index // 3 * 266 + 40, left + index % 3 * 266 + 40
        assert (sheet[y : y + 100, x : x + 100] == np.asarray(picture)[40:140, 40:140]).all()


def test_a_longer_prompt_makes_the_sheet_higher_not_wider() -> None:
    short, long = (
        sharecard.sheet(pictures(), text) for text in ("a cat", "a very small cat with a guitar on the moon")
    )
    assert short.width == long.width
    assert short.height < long.height


def test_every_number_of_pictures_has_a_sheet_a_card_and_a_small_one() -> None:
    for count in (1, 2, 5, 9, 10, 64):
        shown = pictures(count)
        assert set(map(number, COLOURS[:count])) <= colours_of(sharecard.sheet(shown, "x"))
        assert sharecard.card(shown, "x").size == (1200, 630)
        assert sharecard.small(shown).size == (288, 288)


def test_a_withheld_picture_is_not_shown() -> None:
    shown = pictures()
    shown[4] = None
    for image in (sharecard.sheet(shown, "x"), sharecard.card(shown, "x"), sharecard.small(shown)):
        assert number(COLOURS[4]) not in colours_of(image)
        assert number(COLOURS[5]) in colours_of(image)


def test_the_card_says_that_it_is_generated() -> None:
    with_notice = np.asarray(sharecard.card(pictures(), "x"))
    # The notice is the only thing in the lower right besides the paper.
    corner = with_notice[550:600, 640:1100]
    assert (corner != corner[0, 0]).any(2).mean() > 0.03


def test_any_prompt_fits() -> None:
    for prompt in ("", " ", "x" * 2000, "🐹" * 300, "<b>&amp;</b>", "a\u202eb\u0000c", "漢" * 500):
        assert sharecard.card(pictures(), prompt).size == (1200, 630)
        assert sharecard.sheet(pictures(), prompt).width == 864
