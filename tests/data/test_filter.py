from __future__ import annotations

from pathlib import Path

import pytest

from nonet.data.filter import WordFilter, default_filter


@pytest.fixture
def lists(tmp_path: Path) -> WordFilter:
    (tmp_path / "weapons.txt").write_text(
        "# comment\ngun\nmachine gun  # with a comment\nbullet\n!bullet train\n", "utf-8"
    )
    (tmp_path / "rude.txt").write_text("ass\n", "utf-8")
    (tmp_path / "empty.txt").write_text("# nothing\n", "utf-8")
    return WordFilter.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("a Gun", "weapons"),
        ("two guns", "weapons"),
        ("machine_gun", "weapons"),
        ("gunpowder tea", None),
        ("glass", None),
        ("bullet train", None),
        ("a bullet in a bullet train", "weapons"),
        (["apple", "ass"], "rude"),
        ([], None),
        ("", None),
    ],
)
def test_words_and_their_plurals_fall_into_categories(
    lists: WordFilter, words: str | list[str], category: str | None
) -> None:
    assert lists.is_allowed(words) == category


def test_the_judge_is_asked_once_per_word_and_last(tmp_path: Path) -> None:
    (tmp_path / "weapons.txt").write_text("gun\n!crossed swords\n", "utf-8")
    asked: list[str] = []

    def judge(texts: list[str]) -> str | None:
        asked.extend(texts)
        return "judged" if "sword" in texts[0] else None

    lists = WordFilter.from_folder(tmp_path, judge)
    assert lists.is_allowed("gun") == "weapons"
    assert lists.is_allowed("a sword") == "judged"
    assert lists.is_allowed("a sword") == "judged"
    assert lists.is_allowed("crossed swords") is None
    assert asked == ["a sword"]


@pytest.mark.parametrize(
    "word", ["pistol", "naked woman", "cannabis leaf", "cigarette", "bomb", "corpse", "swastika", "poker"]
)
def test_the_shipped_lists_drop_what_must_not_be_trained_on(word: str) -> None:
    assert default_filter().is_allowed(word) is not None


@pytest.mark.parametrize(
    "word",
    [
        "red apple",
        "castle",
        "knight with a sword",
        "bullet train",
        "penguin",
        "water tank",
        "grapes",
        "robot",
    ],
)
def test_the_shipped_lists_let_harmless_things_through(word: str) -> None:
    assert default_filter().is_allowed(word) is None
