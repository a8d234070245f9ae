"""`nonet serve` and `nonet doctor` as commands; what they start is tested in tests/service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nonet.cli import main


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--port", "99999"], "config_invalid"),
        (["--safety", "careless"], "config_invalid"),
        (["--model", "nosuchmodel"], "model_unknown"),
        (["--database", "no url"], "config_invalid"),
        (["--store", "nosuch://x"], "config_invalid"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    options: list[str],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nonet.service.logs.set_up", lambda *_, **__: None)
    assert main(["serve", "--data", str(tmp_path / "site"), "--port", "0", *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {code}: ")


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert main(["doctor", "--data", str(tmp_path / "file" / "site")]) == 2
    assert "no site" in capsys.readouterr().err


def test_a_site_takes_as_many_open_files_as_it_may_have() -> None:
    code = (
        "import resource; from nonet.cli.serve import _more_files\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, most)); _more_files()\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_its_packages_it_says_which(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pydantic_settings'] = None\n"
        "from nonet.cli import main; sys.exit(main(['serve', '--print-config']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert "nonet[serve]" in done.stderr
