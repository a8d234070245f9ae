from __future__ import annotations

from pathlib import Path

import pytest

from nonet.data.emoji_words import EmojiWords, slug
from nonet.errors import NonetError
from tiny_words import tiny_emoji, tiny_wordnet


@pytest.fixture
def emoji(tmp_path: Path) -> EmojiWords:
    return tiny_emoji(tmp_path)


def test_an_emoji_is_found_by_code_points_with_or_without_variation_selector(emoji: EmojiWords) -> None:
    for code in ("1f34e", "1F34E-FE0F"):
        found = emoji.by_code(code)
        assert found is not None
        assert found.label == "red apple"


@pytest.mark.parametrize("name", ["dog-face", "dogface", "dog-face-2", "doggy", "Dog Face"])
def test_an_emoji_is_found_by_the_names_sets_give(emoji: EmojiWords, name: str) -> None:
    found = emoji.by_name(name)
    assert found is not None
    assert found.label == "dog face"


def test_labels_are_put_in_plain_words(emoji: EmojiWords) -> None:
    found = emoji.by_name("automobile")
    assert found is not None
    assert found.label == "car"
    assert "automobile" in found.names


@pytest.mark.parametrize("code", ["1f3f4-e0067", "1f550", "1f468-1f3ff-200d-1f33e", "1f999"])
def test_flags_clock_faces_skin_tones_and_strangers_are_left_out(emoji: EmojiWords, code: str) -> None:
    assert emoji.by_code(code) is None


def test_names_stand_for_the_thing_and_keywords_only_go_with_it(emoji: EmojiWords) -> None:
    found = emoji.by_code("1f34e")
    assert found is not None
    assert "apple" in found.names
    assert "fruit" in found.names
    assert "ripe" not in found.names
    assert "ripe" in found.keywords
    assert "school" in found.keywords


def test_slang_is_no_keyword(emoji: EmojiWords) -> None:
    found = emoji.by_code("1f34e")
    assert found is not None
    assert "ass" not in found.keywords


def test_faces_weigh_less_than_things(emoji: EmojiWords) -> None:
    face, apple = emoji.by_code("1f600"), emoji.by_code("1f34e")
    assert face is not None
    assert apple is not None
    assert face.weight < apple.weight


def test_labels_hold_names_too(emoji: EmojiWords) -> None:
    assert {"red apple", "apple", "car", "automobile", "red circle"} <= emoji.labels()


def test_slug() -> None:
    assert slug("Woman’s Hat & Piñata") == "womans-hat-pinata"


def test_missing_tables_are_told(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        EmojiWords(tmp_path / "no", tmp_path / "no.json", tiny_wordnet(tmp_path / "w"))
    assert caught.value.code == "data_missing"
