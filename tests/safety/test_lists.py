"""The lists can be read, say what they should, and refuse what an operator cannot have meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from nonet.errors import NonetError
from nonet.safety.lists import (
    POLICY_CATEGORIES,
    TRAINING_CATEGORIES,
    category_of,
    common_words,
    default_lists,
    hit_of,
    load_lists,
    parse,
    spellings,
)


def test_every_category_has_entries() -> None:
    found = {entry.category for entry in default_lists().entries}
    assert found == {*POLICY_CATEGORIES, *TRAINING_CATEGORIES}


def test_every_tragedy_has_a_date_and_a_reason() -> None:
    tragedies = [entry for entry in default_lists().entries if entry.category == "tragedies"]
    assert len(tragedies) > 150
    for entry in tragedies:
        assert entry.date[:4].isdigit(), entry.text
        assert len(entry.reason) > 8, entry.text


def test_no_entry_stands_twice_in_a_section() -> None:
    seen: set[tuple[str, str, str]] = set()
    for entry in default_lists().entries:
        key = (entry.category, entry.section, entry.text)
        assert key not in seen, key
        seen.add(key)


def test_common_words_hold_nothing_refused() -> None:
    matcher = default_lists().matcher("strict")
    refused = [word for word in sorted(common_words()) if matcher.first([word])]
    assert refused == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("=tits", {("tits",)}),
        ("a (b/c) ddd", {("a", "b", "ddd"), ("a", "b", "ddds"), ("a", "c", "ddd"), ("a", "c", "ddds")}),
        ("{2-3} x", {("2", "x"), ("3", "x"), ("two", "x"), ("three", "x")}),
        ("9/11", {("9", "11")}),
    ],
)
def test_spellings(phrase: str, expected: set[tuple[str, ...]]) -> None:
    assert set(spellings(phrase)) == expected


@pytest.mark.parametrize(
    ("caption", "category"),
    [
        ("a red apple", None),
        ("a pistol", "weapons"),
        ("two glasses of wine", "drugs-alcohol-tobacco"),
        ("slot machine", "gambling"),
        ("a woman in a bikini", "nudity"),
        ("reversed hand with middle finger extended", "rude"),
        ("nude man", "sexual"),
        ("a naked child", "minors"),
        ("suicide", "self-harm"),
        ("swastika", "hate"),
        ("severed head", "gore"),
        ("the twin towers burning", "tragedies"),
        ("naked mole rat", None),
        ("no smoking sign", None),
        ("swordfish", None),
    ],
)
def test_captions(caption: str, category: str | None) -> None:
    assert category_of(caption) == category


def test_keywords_are_phrases_of_their_own() -> None:
    assert category_of(["mole", "naked eye"]) is None
    assert category_of(["school", "shooting star"]) is None
    assert category_of(["school shooting"]) == "tragedies"
    assert category_of(["school", "shooting"]) != "tragedies"


def test_parts_of_a_rule_are_found_in_any_order() -> None:
    hit = hit_of("an airliner and the world trade center")
    assert hit is not None
    assert hit.rule == "@towers + @plane"


def test_a_level_counts_only_its_sections() -> None:
    assert category_of("lingerie", level="standard") is None
    assert category_of("lingerie", level="strict") == "sexual"
    assert category_of("pistol", level="strict") is None
    assert category_of("porn", level="off") is None
    assert category_of("child porn", level="off") == "minors"


def operator(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.txt"
    path.write_text(text, "utf-8")
    return path


def test_an_operator_adds_and_removes(tmp_path: Path) -> None:
    lists = load_lists(
        operator(tmp_path, "[category house]\nour mascot\n[strict]\nteal\n- porn\n[allow]\nteal tea\n")
    )
    assert category_of("Our Mascots!", lists, level="standard") == "house"
    assert category_of("a teal door", lists, level="standard") is None
    assert category_of("a teal door", lists, level="strict") == "house"
    assert category_of("a cup of teal tea", lists, level="strict") is None
    assert category_of("porn", lists, level="standard") is None
    assert category_of("porn", default_lists(), level="standard") == "sexual"


def test_what_counts_at_every_level_cannot_be_opened(tmp_path: Path) -> None:
    lists = load_lists(operator(tmp_path, "- porn\n- child\n[allow]\nnaked child\nchild\n"))
    assert category_of("child porn video", lists, level="standard") == "minors"
    assert category_of("porn", lists, level="standard") is None
    assert category_of("a naked child", lists, level="off") == "minors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a word", "line 1: an entry stands before"),
        ("[category x]\n[oops", "line 2: '\\[oops' is not a section"),
        ("[nonsense]", "line 1: '\\[nonsense\\]' is not a section"),
        ("[category x]\n\n(a/b", "line 3: a bracket is not closed"),
        ("[category x]\n...", "line 2: '...' holds no word"),
        ("[category x]\n{9-3} y", "line 2: a number range"),
        ("[category x]\n{1-999999} y", "line 2: a number range"),
        ("[category x]\n" + "(a/b/c)" * 9, "line 2: the choices"),
        ("[category x]\n@nobody + cat", "unknown group @nobody"),
        ("[category tragedies]\nsomething", "needs ' \\| date \\| reason'"),
        ("- no such entry", "there is no entry 'no such entry'"),
        ("- @minor + @explicit", "cannot be removed"),
    ],
)
def test_bad_syntax_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NonetError, match=message) as caught:
        load_lists(operator(tmp_path, text))
    assert caught.value.code == "config_invalid"


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NonetError, match="Cannot read the policy") as caught:
        load_lists(tmp_path / "missing.txt")
    assert caught.value.code == "file_unreadable"
    path = tmp_path / "latin.txt"
    path.write_bytes(b"[category x]\ncaf\xe9")
    with pytest.raises(NonetError, match="Cannot read the policy"):
        load_lists(path)


def test_parsing_adds_to_compiled_lists() -> None:
    lists = parse("one thing", category="x")
    assert category_of("one thing", lists) == "x"
    parse("another", category="y", into=lists)
    assert category_of("another", lists) == "y"


def test_the_documents_example_of_an_operators_file_works(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "safety.md").read_text("utf-8")
    example = text[text.index("[category house]") :].partition("```")[0]
    lists = load_lists(operator(tmp_path, example))
    assert category_of("our mascots on a hill", lists, level="standard") == "house"
    assert category_of("a rocket above a hospital", lists, level="standard") == "house"
    assert category_of("guro", lists, level="standard") is None
