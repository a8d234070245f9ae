"""`nonet draw` with a real model and engine: a forged checkpoint of the published format, tiny and random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nonet import drawing
from nonet.cli import main

Output = pytest.CaptureFixture[str]
DATA = Path(__file__).resolve().parent.parent / "data"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the published layout: seq2seq, tokenizer, and the VQGAN beside it."""
    shutil.copytree(DATA / "golden" / "dalle-mini-small", tmp_path / "models")
    shutil.copy(DATA / "bpe" / "tokenizer.json", tmp_path / "models" / "dalle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nonet.drawing._kept", None)
    yield Path("models") / "dalle"
    if drawing._kept is not None:
        drawing._kept[2].close()


def test_a_real_model_draws_a_picture_again_by_its_seed(model: Path, capsys: Output) -> None:
    arguments = ["draw", "a cat", "--model", str(model), "--json", "--quiet"]
    assert main([*arguments, "--count", "2", "--seed", "5", "--out", "two"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [picture["seed"] for picture in result["pictures"]] == [5, 6]
    assert result["model"] == "dalle"
    assert main([*arguments, "--count", "1", "--seed", "6", "--out", "one", "--low-memory"]) == 0
    with (
        Image.open("two/1.png") as first,
        Image.open("two/2.png") as second,
        Image.open("one/1.png") as again,
    ):
        assert first.size == (256, 256)
        assert "CFG scale: 10" in first.info["parameters"], "the model's defaults are written down"
        assert _largest_difference(first, second) > 100
        # The tokens are the same; the codec may round another way where it decodes one picture, not two.
        assert _largest_difference(second, again) <= 1


def _largest_difference(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16)).max())


def test_a_long_prompt_is_cut_and_it_is_said(model: Path, capsys: Output) -> None:
    prompt = "a cat and a dog " * 40
    assert main(["draw", prompt, "--model", str(model), "--count", "1", "--out", "out", "--quiet"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("note: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("file", ["flax_model.msgpack", "config.json"])
def test_cut_weights_are_one_line_and_write_nothing(model: Path, file: str, capsys: Output) -> None:
    whole = (model / file).read_bytes()
    (model / file).write_bytes(whole[: len(whole) // 2])
    assert main(["draw", "a cat", "--model", str(model), "--out", "out"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(("error: weights_corrupt: ", "error: config_invalid: "))
    assert captured.err.count("\n") == 1
    assert not Path("out").exists()


def test_a_folder_without_a_model_is_one_line(model: Path, capsys: Output) -> None:
    assert main(["draw", "a cat", "--model", ".", "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith("error: model_missing: ")
    assert not Path("out").exists()
