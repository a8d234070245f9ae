"""What a model reads is what its own loaded text side reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import nonet
from nonet.checkpoints.places import DOODLE
from nonet.checkpoints.textside import BartSide, MiniLMSide
from nonet.safety import policy
from nonet.safety.model_reads import model_reader

DATA = Path(__file__).resolve().parent.parent / "data"
PROMPTS = [
    "A Café, #BlueSky & a 🐱!",
    "nu\u200bde\u00ad woman",
    "<p>hi</p> it's 9/11",
    "x " * 200,
    "ﬁne",
    "\ud800",
]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    shutil.copytree(DATA / "golden" / "dalle-mini-small", tmp_path / "models")
    folder = tmp_path / "models" / "dalle"
    shutil.copy(DATA / "bpe" / "tokenizer.json", folder)
    (folder / "enwiki-words-frequency.txt").write_text("blue 9\nsky 8\n", "utf-8")
    return folder


def test_a_published_models_normaliser_and_tokens(published: Path) -> None:
    side = nonet.load(published).text
    assert isinstance(side, BartSide)
    assert side.tokenizer is not None
    assert side.normalizer is not None
    reader = model_reader(str(published))
    assert reader is not None
    for prompt in PROMPTS[:-1]:
        text, read = reader(prompt)
        assert text == side.normalizer(prompt)
        ids = side.tokens([prompt]).ids[0, 1:-1].tolist()
        assert read == side.tokenizer._tokenizer.decode(ids)
    assert "blue sky" in next(iter(reader(PROMPTS[0])))


def test_the_embedded_models_word_pieces() -> None:
    side = nonet.load("doodle").text
    assert isinstance(side, MiniLMSide)
    reader = model_reader("doodle")
    assert reader is not None
    for prompt in PROMPTS[:-1]:
        text, read = reader(prompt)
        row = side.tokenizer.encode([text], side.length).ids[0, 1:-1].tolist()
        assert read == side.tokenizer._tokenizer.decode(row)
    assert list(reader("nu\u200bde wo\u00adman"))[1] == "nude woman"


def test_vocab_and_merges_do_as_well(published: Path) -> None:
    with_json = model_reader(published)
    assert with_json is not None
    expected = list(with_json(PROMPTS[0]))
    (published / "tokenizer.json").unlink()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(DATA / "bpe" / name, published / name)
    other = published.rename(published.with_name("again"))
    reader = model_reader(other)
    assert reader is not None
    assert list(reader(PROMPTS[0])) == expected


def test_a_loaded_model_is_known_by_its_folder() -> None:
    class Model:
        folder = DOODLE

    assert model_reader(Model()) is model_reader("doodle")
    assert model_reader(object()) is None


@pytest.mark.parametrize("name", ["nobody's", "mini"])
def test_a_model_that_is_not_here_reads_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert model_reader(name) is None
    assert model_reader(tmp_path) is None


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json"])
def test_broken_files_are_left_to_loading(published: Path, file: str) -> None:
    (published / file).write_text("{", "utf-8")
    reader = model_reader(published)
    assert (reader is None) == (file == "tokenizer.json")


def test_what_the_tokenizer_makes_of_a_disguise_is_refused() -> None:
    # WordPiece drops control characters; a list alone would see two words.
    reader = model_reader("doodle")
    assert reader is not None
    for hidden in ("\u200b", "\u0001", "\ufffd", "\u2060"):
        prompt = f"a n{hidden}ude wom{hidden}an"
        assert list(reader(prompt))[1] == "a nude woman"
        assert policy.check(prompt, level="strict", views=[reader]) is not None, repr(hidden)
