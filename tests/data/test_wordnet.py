from __future__ import annotations

from pathlib import Path

import pytest

from nonet.data.wordnet import WordNet
from nonet.errors import NonetError
from tiny_words import tiny_wordnet


@pytest.fixture
def words(tmp_path: Path) -> WordNet:
    return tiny_wordnet(tmp_path)


@pytest.mark.parametrize(
    ("word", "base"),
    [("mice", "mouse"), ("dogs", "dog"), ("dog", "dog"), ("glass", "glass"), ("xyzs", "xyzs")],
)
def test_singular_finds_the_known_base_form(words: WordNet, word: str, base: str) -> None:
    assert words.singular(word) == base


def test_things_are_picturable_and_ideas_are_not(words: WordNet) -> None:
    assert words.picturable("Apple")
    assert words.picturable("dogs")
    assert not words.picturable("idea")
    assert not words.picturable("zorch")


def test_other_names_are_those_that_mean_this_first(words: WordNet) -> None:
    assert words.other_names("taxi") == ("cab",)
    assert "domestic dog" in words.other_names("dog")


def test_kinds_go_up_several_levels(words: WordNet) -> None:
    assert {"chair", "object", "easy chair"} <= words.kinds("armchair")
    assert "animal" not in words.kinds("armchair")


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        WordNet.load(tmp_path)
    assert caught.value.code == "data_missing"
