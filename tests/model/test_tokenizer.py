"""The tokenizers against ids that transformers' BartTokenizerFast gives for the same files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from nonet.errors import NonetError
from nonet.model.tokenizer import TextTokenizer

BPE = Path(__file__).parent.parent / "data" / "bpe"
EXPECTED = json.loads((BPE / "expected.json").read_text(encoding="utf-8"))


def merges() -> list[tuple[str, str]]:
    lines = (BPE / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    return [(first, second) for first, second in (line.split(" ") for line in lines)]


def vocab() -> dict[str, int]:
    loaded: dict[str, int] = json.loads((BPE / "vocab.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("source", ["tokenizer.json", "vocab.json and merges.txt"])
def test_ids_are_those_of_the_original_tokenizer(source: str) -> None:
    if source == "tokenizer.json":
        tokenizer = TextTokenizer.bart(Tokenizer.from_file(str(BPE / "tokenizer.json")), 320)
    else:
        tokenizer = TextTokenizer.bart_from_merges(vocab(), merges(), 320)
    got = tokenizer.encode(EXPECTED["prompts"], 64, pad_to=64)
    assert got.ids.tolist() == EXPECTED["ids"]
    assert got.mask.int().tolist() == EXPECTED["mask"]


def test_truncation_keeps_the_last_token_and_says_how_many_were_cut() -> None:
    tokenizer = TextTokenizer.bart_from_merges(vocab(), merges())
    whole = tokenizer.encode([" a red apple on the moon"], 64)
    size = int(whole.mask.sum())
    assert whole.cut == [0]
    short = tokenizer.encode([" a red apple on the moon", ""], 4)
    assert short.cut == [size - 4, 0]
    assert short.ids[0].tolist() == [*whole.ids[0, :3].tolist(), 2]
    assert short.ids[1].tolist() == [0, 2, 1, 1]
    assert short.mask.dtype == torch.bool


def test_rows_are_as_long_as_the_longest_without_a_wish() -> None:
    tokenizer = TextTokenizer.bart_from_merges(vocab(), merges())
    assert tokenizer.encode(["", ""], 64).ids.shape == (2, 2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"<mask>": 319, "zz": 4}, "<mask>"),
        ({"<pad>": 900}, "<pad>"),
    ],
)
def test_a_foreign_vocabulary_is_refused(change: dict[str, int], told: str) -> None:
    with pytest.raises(NonetError, match=told) as caught:
        TextTokenizer.bart_from_merges(vocab() | change, merges())
    assert caught.value.code == "weights_corrupt"
    assert caught.value.hint


def test_a_vocabulary_larger_than_the_embedding_is_refused() -> None:
    with pytest.raises(NonetError, match="for the 100 rows"):
        TextTokenizer.bart_from_merges(vocab(), merges(), 100)


def test_merges_of_another_vocabulary_are_refused() -> None:
    with pytest.raises(NonetError, match=r"merges\.txt do not fit"):
        TextTokenizer.bart_from_merges(vocab(), [("no", "such")])


def test_wordpiece_rows() -> None:
    pieces = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "red": 4, "apple": 5}
    tokenizer = Tokenizer(models.WordPiece(vocab=pieces, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    # Settings that a published tokenizer.json carries must not reach the rows.
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=128)
    got = TextTokenizer.bert(tokenizer, 6).encode(["red apple", "", "red sky apple"], 5)
    assert got.ids.tolist() == [[2, 4, 5, 3, 0], [2, 3, 0, 0, 0], [2, 4, 1, 5, 3]]
    assert got.cut == [0, 0, 0]


def test_a_tokenizer_without_the_special_tokens_is_refused() -> None:
    tokenizer = Tokenizer(models.WordPiece(vocab={"[UNK]": 0, "red": 1}, unk_token="[UNK]"))
    with pytest.raises(NonetError, match=r"\[CLS\]"):
        TextTokenizer.bert(tokenizer)
