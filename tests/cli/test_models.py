from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nonet.cli import main

Output = pytest.CaptureFixture[str]


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
