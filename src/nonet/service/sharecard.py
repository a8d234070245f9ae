"""Pictures of a whole drawing that people pass on: the sheet with its prompt, the card for links, the small one.

Each of them says "AI-generated, may not be true". The sheet shows the pictures pixel for pixel, so that their
invisible marks stay readable.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from nonet.service import lettering
from nonet.sheet import grid_shape

NOTICE = "AI-generated, may not be true"
CARD_SIZE = (1200, 630)
SMALL_SIDE = 288
COLOURS = ("#ff8ac0", "#ff5f42", "#ff9d2b", "#9a72f7", "#fff1d0", "#ffd234", "#4a83ff", "#1fb8ab", "#58bf5f")
"""The nine pans of the paint box, row by row; static/base.css has the same."""
_INK, _PAPER, _SOFT = "#231a2e", "#fdf5e3", "#6a5e72"
Pictures = Sequence[Image.Image | None]
"""In order; None for one that was withheld."""


def tin(pictures: Pictures, side: int, *, gap: int, rim: int, radius: int, background: str) -> Image.Image:
    """The pictures in the paint box; `side` is that of one picture. A withheld one shows its pan's colour."""
    columns, rows = grid_shape(len(pictures))
    width = columns * (side + gap) - gap + 2 * rim
    height = rows * (side + gap) - gap + 2 * rim
    box = Image.new("RGB", (width, height), background)
    box.paste(_INK, (0, 0), _rounded((width, height), radius + rim // 2))
    corner = _rounded((side, side), radius)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        place = (rim + column * (side + gap), rim + row * (side + gap))
        if picture is None:
            box.paste(COLOURS[index % 9], (*place, place[0] + side, place[1] + side), corner)
            continue
        if picture.size != (side, side):
            picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        box.paste(picture, place, corner)
    return box


def sheet(pictures: Pictures, prompt: str) -> Image.Image:
    """The prompt, the pictures under it at their own size, and the notice: what people post."""
    side = next((picture.width for picture in pictures if picture is not None), 256)
    margin, gap, rim = 24, 10, 14
    box = tin(pictures, side, gap=gap, rim=rim, radius=16, background=_PAPER)
    width = max(box.width, 420) + 2 * margin
    block = lettering.fit(prompt, width - 2 * margin - 8, sizes=(50, 44, 38, 32, 27, 23, 20), most_lines=3)
    height = margin + block.height + 18 + box.height + 58
    image = Image.new("RGB", (width, height), _PAPER)
    lettering.write(image, block, margin + 4, margin - 4, _INK)
    image.paste(box, ((width - box.width) // 2, margin + block.height + 14))
    mark = wordmark(26, _INK)
    image.paste(mark, (margin + 4, height - 43), mark)
    _notice(image, width - margin - 4, height - 30, 19)
    return image


def card(pictures: Pictures, prompt: str) -> Image.Image:
    """1200x630 for previews of links: the pictures on the left, the prompt on the right."""
    width, height = CARD_SIZE
    columns, rows = grid_shape(len(pictures))
    gap, rim = 8, 12
    side = (570 - 2 * rim + gap) // max(columns, rows) - gap
    box = tin(pictures, side, gap=gap, rim=rim, radius=max(3, side // 14), background=_PAPER)
    image = Image.new("RGB", CARD_SIZE, _PAPER)
    image.paste(box, (30 + (570 - box.width) // 2, (height - box.height) // 2))
    left = 640
    block = lettering.fit(prompt, width - left - 36, sizes=(68, 60, 52, 45, 38, 33, 28), most_lines=6)
    lettering.write(image, block, left, max(40, (430 - block.height) // 2 + 20), _INK)
    mark = wordmark(46, _INK)
    image.paste(mark, (left, 492), mark)
    notice = lettering.fit(NOTICE, 520, sizes=(26,), most_lines=1, plain=True)
    lettering.write(image, notice, left, 556, _SOFT, plain=True)
    return image


def small(pictures: Pictures) -> Image.Image:
    """All pictures in a square of `SMALL_SIDE`, for lists."""
    columns, rows = grid_shape(len(pictures))
    side = (SMALL_SIDE + 4) // max(columns, rows) - 4
    image = Image.new("RGB", (SMALL_SIDE, SMALL_SIDE), _INK)
    box = tin(pictures, side, gap=4, rim=0, radius=0, background=_INK)
    image.paste(box, ((SMALL_SIDE - box.width) // 2, (SMALL_SIDE - box.height) // 2))
    return image


def wordmark(height: int, ink: str) -> Image.Image:
    """N, the box with its face, N, E, T: as in templates/wordmark.svg, with transparency around."""
    unit = height * 4 / 33
    image = Image.new("RGBA", (round(174 * unit), round(33 * unit)))
    pen = ImageDraw.Draw(image)

    def letter(x: float, points: Sequence[tuple[float, float]]) -> None:
        pen.polygon([((x + px) * unit, py * unit) for px, py in points], fill=ink)

    n = [(0, 33), (0, 0), (10, 0), (23, 17), (23, 0), (33, 0), (33, 33), (23, 33), (10, 16), (10, 33)]
    letter(0, n)
    letter(74, n)
    e = [(0, 0), (29, 0), (29, 10), (10, 10), (10, 12), (27, 12), (27, 21), (10, 21), (10, 23), (29, 23)]
    letter(111, [*e, (29, 33), (0, 33)])
    letter(143, [(0, 0), (31, 0), (31, 11), (21, 11), (21, 33), (10, 33), (10, 11), (0, 11)])
    cell, step = 9.8, 11.6
    for index, colour in enumerate(COLOURS):
        x, y = 37 + index % 3 * step, index // 3 * step
        pen.rounded_rectangle(
            (x * unit, y * unit, (x + cell) * unit, (y + cell) * unit), radius=2.2 * unit, fill=colour
        )
    for column in (0, 2):
        x, y = 37 + column * step + cell / 2, step + cell / 2
        _dot(pen, x, y, 3.5, unit, "#ffffff")
        _dot(pen, x, y - 1, 1.9, unit, _INK)
    x, y = 37 + step + cell / 2, 2 * step + cell / 2 - 1.4
    pen.arc(
        ((x - 2.8) * unit, (y - 2.6) * unit, (x + 2.8) * unit, (y + 2.6) * unit),
        25,
        155,
        fill=_INK,
        width=max(1, round(1.3 * unit)),
    )
    return image.resize((round(image.width / 4), round(image.height / 4)), Image.Resampling.LANCZOS)


def _dot(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, unit: float, colour: str) -> None:
    pen.ellipse(
        ((x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit), fill=colour
    )


def _notice(image: Image.Image, right: int, middle: int, size: int) -> None:
    """The notice, its end at `right`."""
    block = lettering.fit(NOTICE, image.width // 2 + 40, sizes=(size, 15), most_lines=1, plain=True)
    width = lettering.width_of(block.lines[0], block.size, plain=True)
    lettering.write(image, block, round(right - width), round(middle - block.size * 0.65), _SOFT, plain=True)


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask with soft round corners."""
    mask = Image.new("L", (size[0] * 2, size[1] * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, size[0] * 2 - 1, size[1] * 2 - 1), radius=radius * 2, fill=255
    )
    return mask.resize(size, Image.Resampling.BOX)
