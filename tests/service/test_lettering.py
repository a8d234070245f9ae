"""Prompts as letters on pictures."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nonet.service import lettering


def test_no_letter_is_an_empty_box() -> None:
    # No font draws the emoji in one colour; its name stands in its place. The others depend on the fonts here.
    assert "hamster" in lettering.writable("a 🐹 dances")
    text = lettering.writable("漢字 \u202e\u200b кот \x07\ud83d")
    assert text
    for letter in text:
        assert lettering._font_for(letter, 32, False) is not None


def test_lines_are_as_wide_as_they_may_be_and_the_end_is_left_out() -> None:
    block = lettering.fit("a red apple on a table " * 40, 400, sizes=(40, 20), most_lines=3)
    assert block.size == 20
    assert len(block.lines) == 3
    assert block.lines[-1].endswith("…")
    assert all(lettering.width_of(line, block.size) <= 400 for line in block.lines)


def test_a_short_line_is_large_and_one_long_word_is_cut() -> None:
    assert lettering.fit("a cat", 400, sizes=(40, 20), most_lines=2).size == 40
    block = lettering.fit("x" * 200, 200, sizes=(20,), most_lines=3)
    assert len(block.lines) == 3
    assert all(lettering.width_of(line, 20) <= 200 for line in block.lines)


def test_words_are_seen_on_the_picture() -> None:
    image = Image.new("RGB", (300, 60), "white")
    lettering.write(image, lettering.fit("a cat", 300, sizes=(30,), most_lines=1), 5, 5, "black")
    darkest, _ = image.convert("L").getextrema()
    assert isinstance(darkest, int)
    assert darkest < 60


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_written(text: str) -> None:
    image = Image.new("RGB", (200, 80), "white")
    lettering.write(image, lettering.fit(text, 200, sizes=(20, 14), most_lines=2), 0, 0, "black")


def test_the_longest_prompt_takes_no_long_time() -> None:
    began = time.process_time()
    lettering.fit("w" * 2000, 500, sizes=(50, 40, 30, 20), most_lines=3)
    lettering.fit("a\u0301" * 1000, 500, sizes=(50, 40, 30, 20), most_lines=3)
    assert time.process_time() - began < 5
