from __future__ import annotations

import io
import os

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nonet.errors import NonetError
from nonet.terminal import (
    LiveGrid,
    ProgressLine,
    Silent,
    colour_depth,
    display_for,
    half_blocks,
    nearest_256,
    one_line,
    picture_pixels,
)

RED, BLUE = Image.new("RGB", (256, 256), (250, 0, 0)), Image.new("RGB", (256, 256), (0, 0, 250))
SIZE = os.terminal_size((80, 24))


class Terminal(io.StringIO):
    """A stream that says it is a terminal; `screen` is what a person would see."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> pyte.Screen:
        screen = pyte.Screen(SIZE.columns, SIZE.lines)
        pyte.Stream(screen).feed(self.getvalue().replace("\n", "\r\n"))
        return screen


@pytest.fixture(autouse=True)
def _every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.terminal.FRAME_SECONDS", 0.0)


def grid(stream: io.StringIO, *, true_colour: bool = True, count: int = 9) -> LiveGrid:
    return LiveGrid(stream, "a red apple", count, true_colour=true_colour, size=lambda: SIZE)


def test_the_grid_fills_in_place_and_its_last_frame_stays() -> None:
    terminal = Terminal()
    with grid(terminal) as display:
        display.picture(0, BLUE, finished=False)
        display.picture(0, RED, finished=True)
        display.picture(8, BLUE, finished=True)
        display.progress(0.5)
    screen = terminal.screen()
    pixels = picture_pixels(SIZE, 9)
    assert pixels == 14
    first, last = screen.buffer[0][0], screen.buffer[20][2 * (pixels + 1)]
    assert (first.data, first.fg, first.bg) == ("▀", "fa0000", "fa0000")
    assert (last.data, last.fg) == ("▀", "0000fa")
    assert screen.buffer[0][pixels].data == " ", "pictures stand apart"
    assert screen.buffer[0][pixels + 1].fg == "48484e", "a picture not begun is a reserved square"
    status = screen.display[22]
    assert status.startswith("2 of 9 drawn, 50%")
    assert "a red apple" in status
    assert screen.cursor.y == 23
    assert not screen.cursor.hidden


def test_the_cursor_comes_back_after_ctrl_c() -> None:
    terminal = Terminal()

    def interrupted() -> None:
        with grid(terminal) as display:
            display.picture(0, RED, finished=True)
            assert terminal.screen().cursor.hidden
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not terminal.screen().cursor.hidden


def test_a_grid_that_never_began_leaves_no_empty_squares() -> None:
    terminal = Terminal()

    def failing() -> None:
        with grid(terminal):
            assert terminal.screen().display[0].startswith("▀")
            raise NonetError("weights_corrupt", "Broken.")

    with pytest.raises(NonetError):
        failing()
    assert "".join(terminal.screen().display).strip() == ""
    assert terminal.screen().cursor.y == 0


def test_unchanged_lines_are_not_sent_again() -> None:
    terminal = Terminal()
    with grid(terminal) as display:
        display.picture(0, RED, finished=True)
        before = len(terminal.getvalue())
        display.progress(0.2)
        assert len(terminal.getvalue()) - before < 300
    assert terminal.screen().buffer[0][0].fg == "fa0000"


def test_a_smaller_window_gets_a_smaller_grid() -> None:
    sizes = [SIZE]
    terminal = Terminal()
    with LiveGrid(terminal, "p", 9, true_colour=True, size=lambda: sizes[-1]) as display:
        display.picture(0, RED, finished=True)
        sizes.append(os.terminal_size((40, 16)))
        display.picture(1, RED, finished=True)
        assert len(display.lines) <= 15
    assert terminal.screen().display[len(display.lines)].strip() == "", "nothing of the larger grid is left"


def test_256_colours_where_the_terminal_has_no_more() -> None:
    (line,) = half_blocks(Image.new("RGB", (1, 2), (255, 0, 0)), true_colour=False)
    assert line == "\x1b[38;5;196;48;5;196m▀\x1b[0m"


def test_transparent_pixels_keep_the_background() -> None:
    picture = Image.new("RGBA", (1, 2))
    picture.putpixel((0, 1), (1, 2, 3, 255))
    assert half_blocks(picture, true_colour=True) == ["\x1b[38;2;1;2;3;49m▄\x1b[0m"]
    assert half_blocks(Image.new("RGBA", (2, 2)), true_colour=True) == ["\x1b[0m  \x1b[0m"]


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_the_nearest_of_256_colours_is_never_far(red: int, green: int, blue: int) -> None:
    colour = nearest_256(red, green, blue)
    if colour >= 232:
        shown = (8 + 10 * (colour - 232),) * 3
    else:
        levels = (0, 95, 135, 175, 215, 255)
        cube = colour - 16
        shown = (levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6])
    assert all(abs(a - b) <= 48 for a, b in zip(shown, (red, green, blue), strict=True))


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 1 << 24),
        ({"TERM": "xterm-direct"}, 1 << 24),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, 0),
        ({}, 0),
    ],
)
def test_colours_are_read_from_the_environment(environ: dict[str, str], colours: int) -> None:
    assert colour_depth(environ) == colours


def test_the_display_suits_the_stream() -> None:
    colourful = {"TERM": "xterm", "COLORTERM": "truecolor"}

    def chosen(stream: io.StringIO, count: int = 9, environ: dict[str, str] = colourful) -> object:
        return display_for(stream, "p", count, environ=environ, size=lambda: SIZE)

    assert isinstance(chosen(Terminal()), LiveGrid)
    assert isinstance(chosen(Terminal(), environ={"TERM": "dumb"}), ProgressLine)
    assert isinstance(chosen(Terminal(), count=64), ProgressLine), "64 pictures would be 4 pixels each"
    assert isinstance(chosen(io.StringIO()), ProgressLine)
    assert isinstance(display_for(Terminal(), "p", 9, quiet=True), Silent)


def test_a_file_gets_few_whole_lines_and_no_escapes() -> None:
    stream = io.StringIO()
    with ProgressLine(stream, "a\x1b[31m cat", 9, redraw=False) as display:
        for step in range(101):
            display.progress(step / 100)
            if step % 11 == 10:
                display.picture(step // 11, RED, finished=True)
    lines = stream.getvalue().splitlines()
    assert 4 <= len(lines) <= 6
    assert not {"\x1b", "\r"} & set(stream.getvalue())
    assert "100%" in lines[-1]


def test_a_plain_terminal_gets_one_line_rewritten() -> None:
    terminal = Terminal()
    with ProgressLine(terminal, "a cat", 2, redraw=True) as display:
        display.progress(0.5)
        display.picture(0, RED, finished=True)
        display.picture(1, RED, finished=True)
    screen = terminal.screen()
    assert screen.display[0].startswith("2 of 2 drawn")
    assert screen.display[1].strip() == ""


@given(st.text(), st.integers(1, 40))
def test_one_line_never_breaks_or_passes_its_width(text: str, width: int) -> None:
    from rich.cells import cell_len

    shown = one_line(text, width)
    assert cell_len(shown) <= width
    assert all(character.isprintable() for character in shown)
