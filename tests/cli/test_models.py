from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nonet.cli import main

TESTS = Path(__file__).resolve().parent.parent
Output = pytest.CaptureFixture[str]


@pytest.fixture
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("_empty_cache")
def test_models_lists_what_is_here_and_how_to_get_the_rest(capsys: Output) -> None:
    assert main(["models", "--json"]) == 0
    found = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert list(found) == ["doodle", "mini", "mega"]
    assert not found["mini"]["here"]
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "mini: DALL-E Mini v1" in out
    assert "Apache-2.0" in out
    assert "nonet pull mini" in out


def test_convert_writes_a_folder_that_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    small = TESTS / "data" / "golden" / "dalle-mini-small" / "dalle"
    assert main(["convert", str(small), "ours", "--storage", "float16"]) == 0
    assert capsys.readouterr().out == "ours\n"
    assert Path("ours", "config.json").is_file()
    assert main(["convert", str(small), "ours"]) == 2
    assert capsys.readouterr().err.startswith("error: output_unwritable: ")
    assert main(["convert", str(small), "theirs", "--to", "pickle"]) == 2
    assert capsys.readouterr().err.startswith("error: setting_invalid: ")
    assert not Path("theirs").exists()


def test_pull_reports_bytes_and_prints_the_folder(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    def pull(name: str, report: Any) -> SimpleNamespace:
        report("flax_model.msgpack", 0, 1_750_000_000)
        report("flax_model.msgpack", 1_750_000_000, 1_750_000_000)
        return SimpleNamespace(folder=Path("cache") / name)

    monkeypatch.setattr("nonet.checkpoints.pull.pull", pull)
    assert main(["pull", "mini"]) == 0
    assert capsys.readouterr() == ("cache/mini\n", "flax_model.msgpack (1,750.0 MB)\n")


def test_pull_knows_the_names(capsys: Output) -> None:
    assert main(["pull", "maxi"]) == 2
    assert capsys.readouterr().err.startswith("error: model_unknown: ")


def test_pull_offline_says_the_way_by_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    # Read when huggingface_hub is imported, which another test may have done already.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["pull", "mini", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: offline: ")
    assert "--local-dir mini" in captured.err
    assert captured.err.count("\n") == 1
