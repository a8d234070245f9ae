"""Showing a drawing while it is made: a live grid of half blocks in a terminal, else a line of progress.

A character cell is about twice as high as wide, so an upper half block (U+2580) with its own foreground and
background colour shows two square pixels, one above the other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Protocol, Self, TextIO

from PIL import Image

from nonet.sheet import grid_shape

FRAME_SECONDS = 0.15
"""Shortest time between frames: the processor is needed for drawing, and faster looks no smoother."""
SMALLEST_PICTURE = 6
"""Below this many pixels a picture says nothing, and the progress line says more."""
WAITING = (72, 72, 78, 255)

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# Terminals that know synchronised output paint a frame at once; the others ignore the two sequences.
_BEGIN_FRAME, _END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
_CLEAR_TO_END_OF_LINE, _CLEAR_BELOW, _PLAIN = "\x1b[K", "\x1b[J", "\x1b[0m"

Size = Callable[[], os.terminal_size]


class Display(Protocol):
    """What a drawing is shown on. Use it as a context: leaving it gives the terminal back as it was."""

    @property
    def shows_pictures(self) -> bool:
        """Whether partial pictures are worth making."""

    def picture(self, index: int, image: Image.Image, *, finished: bool) -> None:
        """Show `image`, partial or `finished`, as picture `index` (from 0)."""

    def progress(self, fraction: float) -> None:
        """Say how much of the whole drawing is done, from 0 to 1."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display_for(
    stream: TextIO,
    prompt: str,
    count: int,
    *,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
    size: Size | None = None,
) -> Display:
    """Choose how to show `count` pictures on `stream`: live grid, progress line, or nothing when `quiet`."""
    if quiet:
        return Silent()
    if not stream.isatty():
        return ProgressLine(stream, prompt, count, redraw=False)
    if size is None:
        # Asked of the stream itself: standard output may be a pipe while this one is the terminal.
        descriptor = stream.fileno()

        def size() -> os.terminal_size:
            try:
                return os.get_terminal_size(descriptor)
            except OSError:
                return os.terminal_size((80, 24))

    colours = colour_depth(environ)
    if colours == 0 or picture_pixels(size(), count) < SMALLEST_PICTURE:
        return ProgressLine(stream, prompt, count, redraw=True)
    return LiveGrid(stream, prompt, count, true_colour=colours > 256, size=size)


def colour_depth(environ: Mapping[str, str]) -> int:
    """How many colours the terminal shows: 0 (none wanted or none known), 256, or 2**24."""
    terminal = environ.get("TERM", "")
    if environ.get("NO_COLOR") or terminal == "dumb":
        return 0
    true_colour = environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}
    if true_colour or terminal.endswith("-direct") or "WT_SESSION" in environ:
        return 1 << 24
    return 256 if terminal else 0


def picture_pixels(size: os.terminal_size, count: int) -> int:
    """Side of one picture, in half-block pixels, so that the grid and a status line fit on the screen."""
    columns, rows = grid_shape(count)
    # Two lines are kept: the status line and the one on which the cursor rests.
    return min((size.columns - (columns - 1)) // columns, ((size.lines - 2) * 2 - (rows - 1)) // rows)


def half_blocks(canvas: Image.Image, *, true_colour: bool) -> list[str]:
    """Render an RGBA picture as lines of half blocks; transparent pixels keep the terminal's background."""
    canvas = canvas.convert("RGBA")
    width, height = canvas.size
    data = canvas.tobytes()
    stride = 4 * width
    # A last odd row stands above a transparent one.
    data += bytes(stride * (height % 2))
    cell = _true_colour_cell if true_colour else _cell_256
    lines = []
    for top in range(0, len(data), 2 * stride):
        parts: list[str] = []
        before = b""
        for upper_at in range(top, top + stride, 4):
            lower_at = upper_at + stride
            pair = data[upper_at : upper_at + 4] + data[lower_at : lower_at + 4]
            style, glyph = cell(pair)
            parts.append(glyph if pair == before else style + glyph)
            before = pair
        lines.append("".join(parts) + _PLAIN)
    return lines


@lru_cache(maxsize=65536)
def _true_colour_cell(pair: bytes) -> tuple[str, str]:
    return _cell(pair, lambda red, green, blue: f"2;{red};{green};{blue}")


@lru_cache(maxsize=65536)
def _cell_256(pair: bytes) -> tuple[str, str]:
    return _cell(pair, lambda red, green, blue: f"5;{nearest_256(red, green, blue)}")


def _cell(pair: bytes, colour: Callable[[int, int, int], str]) -> tuple[str, str]:
    """Style sequence and glyph of one cell from the RGBA bytes of its upper and its lower pixel."""
    if pair[3]:
        lower = f"48;{colour(*pair[4:7])}" if pair[7] else "49"
        return f"\x1b[38;{colour(*pair[:3])};{lower}m", "▀"
    if pair[7]:
        return f"\x1b[38;{colour(*pair[4:7])};49m", "▄"
    return _PLAIN, " "


def nearest_256(red: int, green: int, blue: int) -> int:
    """The nearest of xterm's fixed colours: the 6x6x6 cube (16-231) or the grey ramp (232-255)."""
    levels = (0, 95, 135, 175, 215, 255)
    cube = [min(range(6), key=lambda step: abs(levels[step] - value)) for value in (red, green, blue)]
    grey = min(23, max(0, round((red + green + blue) / 30 - 0.8)))

    def distance(colour: tuple[int, int, int]) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, (red, green, blue), strict=True))

    in_cube = distance((levels[cube[0]], levels[cube[1]], levels[cube[2]]))
    in_ramp = distance((8 + 10 * grey,) * 3)
    return 232 + grey if in_ramp < in_cube else 16 + 36 * cube[0] + 6 * cube[1] + cube[2]


def one_line(text: str, width: int) -> str:
    """`text` without control characters, cut to `width` terminal columns with an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    visible = "".join(character if character.isprintable() else " " for character in text)
    if cell_len(visible) <= width:
        return visible
    return set_cell_size(visible, max(width - 1, 0)).rstrip() + "…"[: max(width, 0)]


class _Plain:
    """What all displays share: counting, and a context that does nothing."""

    shows_pictures = False

    def __init__(self, prompt: str, count: int) -> None:
        self.prompt = prompt
        self.count = count
        self.done: set[int] = set()
        self.fraction = 0.0
        self.began = time.monotonic()

    def picture(self, index: int, image: Image.Image, *, finished: bool) -> None:
        if finished:
            self.done.add(index)

    def progress(self, fraction: float) -> None:
        self.fraction = max(self.fraction, min(fraction, 1.0))

    def status(self) -> str:
        """For example "4 of 9 drawn, 63%, 2.1 s"."""
        seconds = time.monotonic() - self.began
        return f"{len(self.done)} of {self.count} drawn, {self.fraction:.0%}, {seconds:.1f} s"

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class Silent(_Plain):
    """Shows nothing."""

    def __init__(self) -> None:
        super().__init__("", 0)


class ProgressLine(_Plain):
    """One line of progress: rewritten in place (`redraw`), or in a file a new line at every quarter."""

    def __init__(self, stream: TextIO, prompt: str, count: int, *, redraw: bool) -> None:
        super().__init__(prompt, count)
        self.stream = stream
        self.redraw = redraw
        self.shown = -1
        self.drawn_at = 0.0

    def picture(self, index: int, image: Image.Image, *, finished: bool) -> None:
        super().picture(index, image, finished=finished)
        if finished:
            self._show()

    def progress(self, fraction: float) -> None:
        super().progress(fraction)
        self._show()

    def _show(self, *, last: bool = False) -> None:
        if self.redraw:
            if not last and time.monotonic() - self.drawn_at < FRAME_SECONDS:
                return
            self.drawn_at = time.monotonic()
            text = one_line(f"{self.status()}: {self.prompt}", 78)
            self.stream.write(f"\r{text:<78}")
        else:
            # The last line waits for the last picture, which comes after the last token.
            quarter = 4 if last else min(int(self.fraction * 4), 3)
            if quarter <= self.shown:
                return
            self.shown = quarter
            self.stream.write(one_line(f"nonet: {self.status()}: {self.prompt}", 200) + "\n")
        self.stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._show(last=True)
        elif self.redraw and not self.fraction:
            self.stream.write(f"\r{_CLEAR_TO_END_OF_LINE}")
            self.stream.flush()
            return
        if self.redraw:
            self.stream.write("\n")
            self.stream.flush()


class LiveGrid(_Plain):
    """The grid of pictures, painted over itself while they fill in; the last frame stays.

    It shows its empty squares at once, while the model is still loading.
    """

    shows_pictures = True

    def __init__(self, stream: TextIO, prompt: str, count: int, *, true_colour: bool, size: Size) -> None:
        super().__init__(prompt, count)
        self.stream = stream
        self.true_colour = true_colour
        self.size = size
        self.pictures: dict[int, Image.Image] = {}
        self.small: dict[int, Image.Image] = {}
        self.lines: list[str] = []
        self.drawn_at = 0.0

    def picture(self, index: int, image: Image.Image, *, finished: bool) -> None:
        super().picture(index, image, finished=finished)
        self.pictures[index] = image
        self.small.pop(index, None)
        self._frame()

    def progress(self, fraction: float) -> None:
        super().progress(fraction)
        self._frame()

    def __enter__(self) -> Self:
        super().__enter__()
        self.stream.write(_HIDE_CURSOR)
        self._frame(now=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None and not self.pictures:
                # It failed before anything was drawn: empty squares would only push the error down.
                self.stream.write(f"\r\x1b[{len(self.lines)}A{_CLEAR_BELOW}")
            else:
                self._frame(now=True)
        finally:
            self.stream.write(_PLAIN + _SHOW_CURSOR)
            self.stream.flush()

    def canvas(self, pixels: int) -> Image.Image:
        """The grid at `pixels` a picture with gaps of one transparent pixel, ready for `half_blocks`."""
        columns, rows = grid_shape(self.count)
        canvas = Image.new("RGBA", (columns * (pixels + 1) - 1, rows * (pixels + 1) - 1))
        for index in range(self.count):
            row, column = divmod(index, columns)
            corner = (column * (pixels + 1), row * (pixels + 1))
            picture = self.pictures.get(index)
            if picture is None:
                canvas.paste(WAITING, (*corner, corner[0] + pixels, corner[1] + pixels))
            else:
                small = self.small.get(index)
                if small is None or small.width != pixels:
                    small = picture.convert("RGB").resize((pixels, pixels), Image.Resampling.BOX)
                    self.small[index] = small
                canvas.paste(small, corner)
        return canvas

    def _frame(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and moment - self.drawn_at < FRAME_SECONDS:
            return
        self.drawn_at = moment
        size = self.size()
        pixels = picture_pixels(size, self.count)
        lines = half_blocks(self.canvas(pixels), true_colour=self.true_colour) if pixels > 0 else []
        lines.append(one_line(f"{self.status()}: {self.prompt}", size.columns - 1))
        out = [_BEGIN_FRAME]
        if self.lines:
            out.append(f"\r\x1b[{len(self.lines)}A")
        resized = len(lines) != len(self.lines)
        if resized:
            out.append(_CLEAR_BELOW)
        for index, line in enumerate(lines):
            # An unchanged line is stepped over: a remote terminal is slow.
            unchanged = not resized and self.lines[index] == line
            out.append("\n" if unchanged else line + _CLEAR_TO_END_OF_LINE + "\n")
        out.append(_END_FRAME)
        self.lines = lines
        self.stream.write("".join(out))
        self.stream.flush()
