from __future__ import annotations

import numpy as np
import pytest

from nonet.data.clean import find_duplicates, fingerprint, reason_to_drop


def disc(colour: tuple[int, int, int], centre: tuple[int, int] = (112, 112), radius: int = 100) -> np.ndarray:
    """A disc with a darker band, so that it has gradients."""
    rows, columns = np.mgrid[:224, :224]
    pixels = np.zeros((224, 224, 4), np.uint8)
    inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
    pixels[inside, :3] = colour
    pixels[inside & (columns % 56 < 20), :3] = np.array(colour) // 3
    pixels[inside, 3] = 255
    return pixels


def repeats(*pictures: np.ndarray) -> list[int]:
    marks = [fingerprint(picture) for picture in pictures]
    found = find_duplicates(
        np.stack([mark.bits_4 for mark in marks]), np.stack([mark.thumb for mark in marks])
    )
    return [int(one) for one in found]


def test_the_same_picture_with_other_noise_is_a_duplicate() -> None:
    noisy = disc((200, 60, 60))
    noisy[..., :3] = np.clip(noisy[..., :3].astype(int) + np.arange(224)[:, None, None] % 3, 0, 255)
    assert repeats(disc((200, 60, 60)), noisy) == [-1, 0]


def test_another_colour_or_its_mirror_picture_is_no_duplicate() -> None:
    picture = disc((200, 60, 60))
    assert repeats(picture, disc((60, 60, 200))) == [-1, -1]
    assert repeats(picture, np.ascontiguousarray(picture[:, ::-1])) == [-1, -1]


def test_repeats_point_at_a_kept_picture() -> None:
    picture = disc((200, 60, 60))
    assert repeats(picture, picture, picture) == [-1, 0, 0]


def test_duplicates_are_found_across_chunks() -> None:
    marks = [fingerprint(disc((20 * i, 60, 255 - 20 * i))) for i in range(10)]
    marks.append(marks[0])
    found = find_duplicates(
        np.stack([mark.bits_4 for mark in marks]), np.stack([mark.thumb for mark in marks]), chunk=3
    )
    assert found[-1] == 0


@pytest.mark.parametrize(
    ("picture", "native", "reason"),
    [
        (np.zeros((224, 224, 4), np.uint8), 224, "blank"),
        (disc((200, 60, 60)), 20, "tiny"),
        (np.full((224, 224, 4), 255, np.uint8), 224, "one tone"),
        (disc((200, 60, 60)), 224, None),
    ],
)
def test_reasons_to_drop(picture: np.ndarray, native: int, reason: str | None) -> None:
    assert reason_to_drop(picture, native) == reason


def test_a_thin_line_is_dropped_but_a_silhouette_is_kept() -> None:
    line = np.zeros((224, 224, 4), np.uint8)
    line[110:118] = 255
    assert reason_to_drop(line, 224) == "sliver"
    silhouette = disc((0, 0, 0))
    assert reason_to_drop(silhouette, 224) is None
