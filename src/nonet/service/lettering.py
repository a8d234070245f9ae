"""Prompts as letters on pictures, in whatever fonts the server has: no letter is ever an empty box.

A letter that the first font lacks comes from the next one that has it; an emoji that none has becomes its name, any
other letter what it sounds like in Latin ones.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import emoji
from PIL import Image, ImageDraw, ImageFont
from unidecode import unidecode

# Soft slab serifs like the page's own, then what most systems have, then fonts of many scripts.
_NAMES = (
    "URWBookman-Demi.otf",
    "BOOKOSB.TTF",
    "Rockwell-Bold.ttf",
    "rockb.ttf",
    "DejaVuSerif-Bold.ttf",
    "NotoSerif-Bold.ttf",
    "georgiab.ttf",
    "LiberationSerif-Bold.ttf",
    "DejaVuSans-Bold.ttf",
    "NotoSansCJK-Bold.ttc",
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "NotoSans-Bold.ttf",
    "Arial Unicode.ttf",
    "arialuni.ttf",
)
_PLAIN_NAMES = (
    "LiberationSans-Regular.ttf",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
)
# More than any sheet or card has room for; measuring what is left out anyway would take its time.
_MOST_LETTERS = 800
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=256)
def _open(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=64)
def fonts(size: int, plain: bool = False) -> tuple[Font, ...]:
    """The fonts that are here, the wanted one first; at least Pillow's own."""
    wanted = (*_PLAIN_NAMES, *_NAMES) if plain else _NAMES
    found = [font for name in wanted if (font := _open(name, size)) is not None]
    return (*found, ImageFont.load_default(size))


@lru_cache(maxsize=64)
def _missing(font: Font) -> bytes:
    # A code point that is no character: what it looks like is what every missing letter looks like.
    return bytes(font.getmask("\uffff"))


@lru_cache(maxsize=8192)
def _font_for(letter: str, size: int, plain: bool) -> int | None:
    """Which of `fonts` has the letter."""
    for index, font in enumerate(fonts(size, plain)):
        mask = font.getmask(letter)
        if letter.isspace() or (mask.size[0] and mask.size[1] and bytes(mask) != _missing(font)):
            return index
    return None


def writable(text: str, size: int = 32, *, plain: bool = False) -> str:
    """`text` on one line, in letters that some font here has."""
    written = []
    for letter in unicodedata.normalize("NFC", " ".join(text.split())):
        kind = unicodedata.category(letter)
        if kind in ("Cc", "Cf", "Cs", "Co", "Cn") or "VARIATION SELECTOR" in unicodedata.name(letter, ""):
            continue
        if _font_for(letter, size, plain) is not None:
            written.append(letter)
        elif emoji.is_emoji(letter):
            written.append(f" {emoji.demojize(letter, delimiters=('', '')).replace('_', ' ')} ")
        else:
            written.append(unidecode(letter))
    return " ".join("".join(written).split())


@dataclass(frozen=True)
class Block:
    """Text that was fitted: its lines and their size in pixels."""

    lines: tuple[str, ...]
    size: int
    leading: int

    @property
    def height(self) -> int:
        """Of all lines."""
        return self.leading * len(self.lines)


def width_of(text: str, size: int, *, plain: bool = False) -> float:
    """Pixels that a line needs."""
    return sum(fonts(size, plain)[index].getlength(run) for index, run in _runs(text, size, plain))


def fit(text: str, width: int, *, sizes: tuple[int, ...], most_lines: int, plain: bool = False) -> Block:
    """Break `text` into lines of at most `width` pixels, in the first of `sizes` that needs no more than
    `most_lines`; in the last one the end is left out where even that is too large."""
    text = writable(text[:_MOST_LETTERS], sizes[-1], plain=plain)[:_MOST_LETTERS]
    lines: list[str] = []
    for size in sizes:
        lines = _wrap(text, width, size, plain)
        if len(lines) <= most_lines:
            break
    if len(lines) > most_lines:
        lines = lines[:most_lines]
        while lines[-1] and width_of(lines[-1] + "…", size, plain=plain) > width:
            lines[-1] = lines[-1][:-1].rstrip()
        lines[-1] += "…"
    return Block(tuple(lines), size, round(size * 1.22))


def _wrap(text: str, width: int, size: int, plain: bool) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if width_of(longer, size, plain=plain) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        # A word wider than the line is cut where it ends.
        line = ""
        for letter in word:
            if line and width_of(line + letter, size, plain=plain) > width:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line] if line else lines


def write(image: Image.Image, block: Block, left: int, top: int, colour: str, *, plain: bool = False) -> None:
    """Put a block of text on a picture."""
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(block.lines):
        x = float(left)
        baseline = top + block.leading * number + round(block.size * 0.95)
        for index, run in _runs(line, block.size, plain):
            font = fonts(block.size, plain)[index]
            pen.text((x, baseline), run, fill=colour, font=font, anchor="ls")
            x += font.getlength(run)


def _runs(text: str, size: int, plain: bool) -> list[tuple[int, str]]:
    """Pieces of a line by the font that has their letters; a space stays with the word before it."""
    runs: list[tuple[int, str]] = []
    for letter in text:
        index = runs[-1][0] if runs and letter == " " else _font_for(letter, size, plain) or 0
        if runs and runs[-1][0] == index:
            runs[-1] = (index, runs[-1][1] + letter)
        else:
            runs.append((index, letter))
    return runs
