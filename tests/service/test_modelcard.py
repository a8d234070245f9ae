"""What the About page takes from a model's card."""

from __future__ import annotations

from pathlib import Path

from nonet.service.modelcard import parse, read_card

CARD = """---
licence: apache-2.0
---
# small

It draws **apples** and [pears](https://example.org/pears).
It draws them badly.

![sheet](sheet.jpg)

No people.

## Measured

`nonet evaluate` makes this table.

| what | value |
|---|---|
| codec | `24` dB |

## Data

| set | pictures |
|---|---|
| none | 0 |
"""


def test_limits_and_measures_are_taken_as_plain_text() -> None:
    card = parse(CARD)
    assert card.name == "small"
    assert card.limits == ("It draws apples and pears. It draws them badly.", "No people.")
    assert card.measured == (("what", "value"), ("codec", "24 dB"))


def test_the_embedded_model_states_its_limits() -> None:
    card = read_card("doodle")
    assert card is not None
    assert card.name == "doodle"
    assert any("does not draw photographs" in paragraph for paragraph in card.limits)
    assert len(card.measured) > 3


def test_a_model_without_a_card_or_without_files_has_none(tmp_path: Path) -> None:
    assert read_card(str(tmp_path)) is None
    assert read_card("no-such-model") is None


def test_any_text_gives_a_card() -> None:
    for text in ("", "#", "| |", "# a", "\n\n## Measured\n\n|---|", "---\n", "\x00"):
        parse(text)
