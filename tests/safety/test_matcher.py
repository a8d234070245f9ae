"""Phrases are found in one pass, and only whole."""

from __future__ import annotations

import time

from nonet.safety.matcher import Hit, Matcher, Rule


def matcher() -> Matcher:
    rules = [
        Rule("first", "red + ball", ("red", "ball")),
        Rule("second", "big dog", ("big dog",)),
        Rule("third", "big", ("big",)),
    ]
    phrases: dict[str, list[tuple[str, ...]]] = {
        "red": [("red",)],
        "ball": [("ball",)],
        "big dog": [("big", "dog")],
        "big": [("big",)],
    }
    return Matcher(rules, phrases, [("big", "apple")])


def test_nothing_is_found_in_nothing() -> None:
    assert matcher().first([]) is None
    assert matcher().first(["a", "dog"]) is None


def test_the_first_rule_wins() -> None:
    assert matcher().first(["a", "big", "dog"]) == Hit("second", "big dog", 1, 3)
    assert matcher().first(["a", "ball", "big", "dog", "red"]) == Hit("first", "red + ball", 4, 5)


def test_a_rule_needs_all_its_parts() -> None:
    assert matcher().first(["red"]) is None


def test_what_is_allowed_is_no_hit_and_parts_others() -> None:
    assert matcher().first(["the", "big", "apple"]) is None
    assert matcher().first(["the", "big", "apple", "big"]) == Hit("third", "big", 3, 4)


def test_a_hit_that_does_not_count_is_none_unless_another_part_counts() -> None:
    words = ["red", "ball"]
    assert matcher().first(words, lambda start, end: False) is None
    assert matcher().first(words, lambda start, end: start == 1) == Hit("first", "red + ball", 0, 1)


def test_folded_rules_meet_folded_words() -> None:
    assert matcher().folded(str.upper).first(["BIG"]) == Hit("third", "big", 0, 1)


def test_time_grows_with_the_words_only() -> None:
    found = matcher()
    words = ["big", "red"] * 20_000
    start = time.thread_time()
    found.first(words)
    assert time.thread_time() - start < 2
