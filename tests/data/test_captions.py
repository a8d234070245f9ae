from __future__ import annotations

import pytest

from nonet.data.captions import clean_label, concept_of, head_noun, named_colours, unique
from nonet.data.wordnet import WordNet
from tiny_words import tiny_wordnet


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> WordNet:
    return tiny_wordnet(tmp_path_factory.mktemp("wordnet"))


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("A_red-apple_02.svg", "red-apple"),
        ("Ice Cream Cone (2 scoop) (B and W)", "ice cream cone"),
        ("Valle d&amp;#39;Aosta", "valle d'aosta"),
        ("horse#1", "horse"),
        ("clip art of a House, no shadow", "of a house"),
        ("BirthdayCake", "birthday cake"),
        ("crème brûlée", "creme brulee"),
        ("x", ""),
        ("???", ""),
        ("TV", "tv"),
        ("Baby Tux", "baby penguin"),
        ("word " * 30, ""),
        ("a dog with the", "dog"),
    ],
)
def test_clean_label(raw: str, label: str) -> None:
    assert clean_label(raw) == label


@pytest.mark.parametrize(
    ("label", "concept"),
    [
        ("red apple", "apple"),
        ("two green apples", "apple"),
        ("dog face", "dog"),
        ("woman farmer", "farmer"),
        ("apple with a red hat", "apple"),
        ("glass of apple", "apple"),
        ("mice", "mouse"),
        ("red", "red"),
        ("castle", "castle"),
    ],
)
def test_all_styles_of_a_thing_share_its_concept(words: WordNet, label: str, concept: str) -> None:
    assert concept_of(label, words) == concept


def test_the_head_is_the_longest_known_ending(words: WordNet) -> None:
    assert head_noun("big easy chair", words) == "easy chair"
    assert head_noun("apples with a worm", words) == "apple"
    assert head_noun("dog dancing", words) == "dog"
    assert head_noun("blorp", words) == ""


def test_named_colours() -> None:
    assert named_colours("a red and grey armchair") == ("red", "gray")
    assert named_colours("a reddish chair") == ()


def test_unique_keeps_order_and_drops_the_label() -> None:
    assert unique(["Apple", "fruit", "apple ", "fruit", ""], "apple", 5) == ("fruit",)
    assert unique(["a", "b", "c"], "", 2) == ("a", "b")
