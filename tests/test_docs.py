"""What the documents show is what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

import documents
import fakes
from nonet.cli import app, main
from nonet.errors import CODES

ROOT = documents.ROOT
SHELL = documents.blocks("sh")
PYTHON = documents.blocks("python")
# README's first two blocks install things: .ci/run runs them, in an environment of their own. Training is run in
# order, in test_docs_training.py, and what asks a site in test_docs_api.py.
ELSEWHERE = {"README.md", "docs/training.md", "docs/api.md"}


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The (sub)command that `words` name, and the words after it."""
    found: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in found.commands, f"there is no command {rest[0]!r}"
        found = found.commands[rest.pop(0)]
    return found, rest


def options(found: Any) -> set[str]:
    """Every option of a command, as it is typed."""
    typed = {name for parameter in found.params for name in parameter.opts + parameter.secondary_opts}
    return {name for name in typed if name.startswith("-")} | {"--help"}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_documented_commands_and_options_exist(block: documents.Block) -> None:
    for words in block.commands():
        found, rest = command(words)
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert used <= options(found), f"{block}: {sorted(used - options(found))}"


def test_inline_options_exist() -> None:
    every: set[str] = set()

    def collect(found: Any) -> None:
        every.update(options(found))
        for child in getattr(found, "commands", {}).values():
            collect(child)

    collect(typer.main.get_command(app))
    # Options of other programs that our documents speak of.
    every |= {"--check", "--show"}
    for path in documents.documents():
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for code in re.findall(r"`([^`\n]+)`", prose):
            for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", code):
                assert option in every | _of_script(code), f"{path.relative_to(ROOT)}: {option}"


def _of_script(code: str) -> set[str]:
    """The options that the benchmark of a shown command has."""
    named = re.match(r"python (benchmarks/\w+\.py)", code)
    if named is None:
        return set()
    return set(re.findall(r"[\"'](--[a-z][a-z-]*)[\"']", (ROOT / named[1]).read_text(encoding="utf-8")))


def test_every_option_of_draw_is_in_its_table_and_no_other() -> None:
    found, _ = command(["draw"])
    documented = {
        re.findall(r"--[a-z-]+", row[0])[0] for row in documents.table("docs/draw.md", "## Options")
    }
    assert documented == options(found) - {"--help"}


def test_the_error_table_is_the_set_of_codes() -> None:
    rows = documents.table("docs/draw.md", "## Errors")
    documented = [row[0].strip("`") for row in rows]
    assert sorted(documented) == sorted(CODES)
    assert all(all(row) for row in rows), "a code without an explanation"


@pytest.mark.parametrize(
    ("path", "target"),
    [pytest.param(path, target, id=f"{path.name}-{target}") for path, target in documents.links()],
)
def test_links_lead_somewhere(path: Path, target: str) -> None:
    name, _, fragment = target.partition("#")
    there = (path.parent / name).resolve() if name else path
    assert there.exists(), f"{path.name} links to {target}"
    if fragment:
        assert fragment in documents.anchors(there)


def test_the_readme_begins_with_drawing_and_then_testing() -> None:
    first, second = [block.text for block in SHELL if block.document == "README.md"][:2]
    assert first.rstrip().endswith('nonet draw "a red apple on a table"')
    assert "pip install -c constraints.txt ." in first
    assert second.rstrip().endswith("pytest")
    assert 'pip install -c constraints.txt -e ".[test]"' in second


def test_ci_runs_the_readmes_own_commands() -> None:
    shown = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "--show"], capture_output=True, text=True, check=True
    ).stdout
    first, second = [block.text for block in SHELL if block.document == "README.md"][:2]
    assert shown == first + second


def test_what_is_not_run_says_why() -> None:
    for block in SHELL + PYTHON:
        assert not block.reason or len(block.reason.split()) >= 3, f"{block} does not say why it is not run"


def test_a_change_of_version_is_in_the_changelog() -> None:
    from nonet import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {__version__}" in text or "## Unreleased" in text
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def runnable(found: list[documents.Block]) -> list[documents.Block]:
    return [block for block in found if not block.reason]


@pytest.mark.parametrize(
    "block", [block for block in runnable(SHELL) if block.document not in ELSEWHERE], ids=str
)
def test_documented_commands_run(
    block: documents.Block,
    fake_engine: fakes.FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = block.commands()
    assert commands, f"{block} has no command; is it a block that is not run?"
    for words in commands:
        assert main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    "block", [block for block in runnable(PYTHON) if block.document != "docs/api.md"], ids=str
)
def test_documented_python_runs(
    block: documents.Block,
    fake_engine: fakes.FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nonet.load", lambda name: name, raising=False)
    exec(compile(block.text, str(block), "exec"), {})
