"""`nonet data` passes on what was typed; the work itself is tested with `nonet.data`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nonet.cli import main
from nonet.cli.progress import progress
from nonet.data.sources import SOURCES
from nonet.errors import NonetError

Output = pytest.CaptureFixture[str]


def recorder(monkeypatch: pytest.MonkeyPatch, target: str, result: Any = None) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def record(*positional: Any, **named: Any) -> Any:
        calls.append((*positional, named))
        return result

    monkeypatch.setattr(target, record)
    return calls


def test_fetch_takes_all_sources(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    calls = recorder(monkeypatch, "nonet.data.fetch.fetch", {"emojibase": Path("file.tgz")})
    assert main(["data", "fetch", "--cache", "here"]) == 0
    chosen, cache, _, _ = calls[0]
    assert [source.name for source in chosen] == [source.name for source in SOURCES]
    assert cache == Path("here")
    assert capsys.readouterr().out == "emojibase\tfile.tgz\n"


def test_fetch_by_name(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    calls = recorder(monkeypatch, "nonet.data.fetch.fetch", {})
    assert main(["data", "fetch", "emojibase"]) == 0
    assert [source.name for source in calls[0][0]] == ["emojibase"]
    assert main(["data", "fetch", "emojibased"]) == 2
    assert capsys.readouterr().err.startswith("error: setting_invalid: No source is called emojibased.")
    assert len(calls) == 1


def test_build_prints_its_summary(monkeypatch: pytest.MonkeyPatch, capsys: Output, tmp_path: Path) -> None:
    calls = recorder(monkeypatch, "nonet.data.build.build", {"sprites": 3})
    assert main(["data", "build", "--out", str(tmp_path), "--workers", "2", "--permissive-only"]) == 0
    out, cache, named = calls[0]
    assert (out, cache, named["workers"], named["permissive_only"]) == (tmp_path, None, 2, True)
    assert json.loads(capsys.readouterr().out) == {"sprites": 3}


@pytest.mark.parametrize("command", ["sheet", "attribution"])
def test_a_missing_collection_is_one_line(command: str, tmp_path: Path, capsys: Output) -> None:
    assert main(["data", command, "--data", str(tmp_path / "none")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: data_missing: ")


def test_attribution_without_a_collection_needs_no_folder(tmp_path: Path, capsys: Output) -> None:
    assert main(["data", "attribution", "--out", str(tmp_path)]) == 2
    assert "setting_invalid" in capsys.readouterr().err


def test_progress_in_a_file_is_a_line_for_each_part(capsys: Output) -> None:
    with progress() as report:
        for name in ("first", "second"):
            for done in range(3):
                report(name, done, 2)
    assert capsys.readouterr().err == "first (2)\nsecond (2)\n"


def test_quiet_progress_says_nothing(capsys: Output) -> None:
    with progress(quiet=True) as report:
        report("part", 1, 2)
    assert capsys.readouterr().err == ""


def test_progress_in_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    with progress() as report:
        report("drawing", 1, 2)
        report("drawing", 2, 2)
    assert "drawing" in capsys.readouterr().err


def test_progress_passes_errors_on() -> None:
    def failing(report: Callable[[str, int, int], None]) -> None:
        report("part", 0, 1)
        raise NonetError("disk_full", "Full.")

    with pytest.raises(NonetError), progress() as report:
        failing(report)
