"""What every command has in common: help, errors on one line, exit statuses, a light start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from nonet import __version__
from nonet.cli import app, main
from nonet.errors import NonetError

Output = pytest.CaptureFixture[str]


@pytest.fixture
def failing() -> object:
    """A command `nonet fail` that does what the test says."""
    action: list[Callable[[], None]] = []

    def fail() -> None:
        action[0]()

    app.command("fail", hidden=True)(fail)
    yield action
    app.registered_commands[:] = [command for command in app.registered_commands if command.name != "fail"]


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_help_is_plain_text(capsys: Output) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "draw" in out
    assert "data" in out
    assert main(["draw", "--help"]) == 0
    assert "--negative" in capsys.readouterr().out


def test_version(capsys: Output) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nonet {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["draw"], ["draw", "a cat", "--size", "9"], ["paint"], ["draw", "a cat", "--count", "many"]]
)
def test_wrong_usage_is_one_line_and_two(arguments: list[str], capsys: Output) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: setting_invalid: ")
    assert captured.err.count("\n") == 1


def test_errors_are_one_line_with_message_and_hint(failing: list[Callable[[], None]], capsys: Output) -> None:
    failing.append(raising(NonetError("disk_full", "No space\nis left.", "Free \x1b[31msome.")))
    assert main(["fail"]) == 2
    assert capsys.readouterr().err == "error: disk_full: No space is left. Free ?[31msome.\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), NonetError("cancelled", "Stopped.")])
def test_ctrl_c_is_130(error: BaseException, failing: list[Callable[[], None]], capsys: Output) -> None:
    failing.append(raising(error))
    assert main(["fail"]) == 130
    assert capsys.readouterr().err.startswith("error: cancelled: ")


def test_a_fault_of_ours_is_one_line_too(
    failing: list[Callable[[], None]], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NONET_DEBUG", raising=False)
    failing.append(raising(RuntimeError("shapes differ")))
    assert main(["fail"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: internal: RuntimeError: shapes differ.")
    assert err.count("\n") == 1
    monkeypatch.setenv("NONET_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["fail"])


def test_no_memory_says_what_to_do(failing: list[Callable[[], None]], capsys: Output) -> None:
    failing.append(raising(MemoryError()))
    assert main(["fail"]) == 2
    assert "--low-memory" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from nonet.cli import main; sys.exit(main(['--help']))"],
        stdout=_closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


def _closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_help_costs_little_more_than_importing_typer() -> None:
    def best(arguments: list[str]) -> float:
        """The fewest processor seconds of a few runs: what other programs do at the time hardly counts."""
        costs = []
        for _ in range(4):
            before = os.times()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            after = os.times()
            costs.append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
        return min(costs)

    # Importing torch would add seconds.
    assert best(["-m", "nonet", "draw", "--help"]) - best(["-c", "import typer"]) < 0.4
