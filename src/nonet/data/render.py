"""From SVG text, files and bytes to the square RGBA sprites that the collection holds."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from nonet.data.pictures import Pixels

SPRITE = 224
BACKGROUND = 256
# Alpha below this is a shadow's edge or an antialiasing trace: no reason to make the box larger.
_VISIBLE = 10
_FIRST_RENDER = 300
_LARGEST_RENDER = 2000

_NAMESPACES = {
    "xlink": "http://www.w3.org/1999/xlink",
    "sodipodi": "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd",
    "inkscape": "http://www.inkscape.org/namespaces/inkscape",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "cc": "http://web.resource.org/cc/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "svg": "http://www.w3.org/2000/svg",
}


def repair_svg(text: str) -> str:
    """Add what old files lack (the SVG namespace, declarations of used prefixes), drop what no renderer needs."""
    text = re.sub(r"<metadata.*?</metadata>", "", text, flags=re.S)
    found = re.search(r"<svg\b[^>]*>", text, flags=re.S)
    if found is None:
        return text
    tag = found.group(0)
    added = ""
    if not re.search(r"\sxmlns\s*=", tag) and not tag.startswith("<svg:"):
        added += ' xmlns="http://www.w3.org/2000/svg"'
    for prefix in sorted(set(re.findall(r"[<\s/]([A-Za-z][\w.-]*):[A-Za-z]", text))):
        if f"xmlns:{prefix}=" not in text and prefix not in ("xml", "xmlns"):
            added += f' xmlns:{prefix}="{_NAMESPACES.get(prefix, "urn:nonet:" + prefix)}"'
    if added:
        text = text.replace(tag, "<svg" + added + tag[4:], 1)
    return text


def render_svg(text: str, longest: int) -> Pixels:
    """Draw an SVG so that its page's longest side has `longest` pixels; RGBA, straight alpha.

    Raises:
        ValueError: the text is no SVG that can be drawn.
    """
    import resvg_py

    has_text = "<text" in text
    width, height = _page(text)
    png = resvg_py.svg_to_bytes(
        svg_string=text,
        dpi=90,
        skip_system_fonts=not has_text,
        width=longest if width >= height else None,
        height=longest if height > width else None,
    )
    return decode(bytes(png))


def _page(text: str) -> tuple[float, float]:
    tag = re.search(r"<(?:svg:)?svg\b[^>]*>", text, flags=re.S)
    head = tag.group(0) if tag else ""
    box = re.search(
        r"viewBox\s*=\s*[\"']\s*([-\d.eE]+)[\s,]+([-\d.eE]+)[\s,]+([-\d.eE]+)[\s,]+([-\d.eE]+)", head
    )
    if box:
        return float(box.group(3)), float(box.group(4))
    sides = [re.search(rf"\s{side}\s*=\s*[\"']\s*([\d.]+)", head) for side in ("width", "height")]
    width, height = (float(side.group(1)) if side else 1.0 for side in sides)
    return width, height


def decode(content: bytes) -> Pixels:
    """Decode a PNG, WebP, JPEG or GIF (its first frame) to RGBA.

    Raises:
        ValueError: no picture that Pillow reads.
    """
    try:
        with warnings.catch_warnings():
            # Old palette files carry transparency as bytes; Pillow converts them well and says so.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                return np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"unreadable picture: {error}") from error


def alpha_box(pixels_HW4: Pixels) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right) of what is visible, or None when nothing is."""
    visible = pixels_HW4[..., 3] > _VISIBLE
    rows = np.flatnonzero(visible.any(axis=1))
    columns = np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def crop(pixels_HW4: Pixels) -> Pixels:
    """Cut to the visible box.

    Raises:
        ValueError: nothing is visible.
    """
    box = alpha_box(pixels_HW4)
    if box is None:
        raise ValueError("blank")
    return pixels_HW4[box[0] : box[1], box[2] : box[3]]


def resize(pixels_HW4: Pixels, width: int, height: int, nearest: bool = False) -> Pixels:
    """Scale RGBA with premultiplied alpha, so that hidden colours do not bleed into the edges."""
    if nearest:
        return np.asarray(Image.fromarray(pixels_HW4).resize((width, height), Image.Resampling.NEAREST))
    # Pillow's "RGBa" is premultiplied RGBA; the way there and back is exact enough at 8 bits.
    image = Image.fromarray(pixels_HW4).convert("RGBa")
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS).convert("RGBA"))


def fit_square(pixels_HW4: Pixels, side: int = SPRITE, fit: Literal["smooth", "pixels"] = "smooth") -> Pixels:
    """Crop to the visible box and centre it, aspect kept, in a (side, side, 4) square it touches on two sides."""
    content = crop(pixels_HW4)
    height, width = content.shape[:2]
    if fit == "pixels" and max(width, height) <= side:
        factor = side // max(width, height)
        content = resize(content, width * factor, height * factor, nearest=True)
    else:
        scale = side / max(width, height)
        content = resize(content, max(1, round(width * scale)), max(1, round(height * scale)))
    height, width = content.shape[:2]
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = content
    # Invisible pixels must not carry colour: it would show after interpolation, and compresses badly.
    square[square[..., 3] == 0] = 0
    return square


def fill_background(pixels_HW4: Pixels, side: int = BACKGROUND) -> Pixels:
    """The largest centred square of an opaque picture, as (side, side, 3)."""
    height, width = pixels_HW4.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    image = Image.fromarray(pixels_HW4[top : top + edge, left : left + edge, :3].copy())
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


@dataclass(frozen=True, slots=True)
class SvgText:
    """An SVG document as text."""

    text: str

    def draw(self) -> Pixels:
        text = repair_svg(self.text)
        pixels = render_svg(text, _FIRST_RENDER)
        box = alpha_box(pixels)
        if box is None:
            raise ValueError("blank")
        content = max(box[1] - box[0], box[3] - box[2])
        if content < SPRITE:
            # Small on a large page: draw again so that the part that matters has the pixels it needs.
            longest = min(_LARGEST_RENDER, int(_FIRST_RENDER * SPRITE / content * 1.08) + 2)
            pixels = render_svg(text, longest)
        return pixels


@dataclass(frozen=True, slots=True)
class SvgFile:
    """An SVG document in a file (UTF-8, or Latin-1 where it is not)."""

    path: str

    def draw(self) -> Pixels:
        content = Path(self.path).read_bytes()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = re.sub(r"^<\?xml[^>]*\?>", "", content.decode("latin-1"))
        return SvgText(text).draw()


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """An encoded raster picture."""

    content: bytes

    def draw(self) -> Pixels:
        return decode(self.content)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A raster picture in a file, optionally only the box (left, top, right, bottom) of it."""

    path: str
    box: tuple[int, int, int, int] | None = None

    def draw(self) -> Pixels:
        pixels = decode(Path(self.path).read_bytes())
        if self.box:
            left, top, right, bottom = self.box
            pixels = pixels[top:bottom, left:right]
        return pixels
