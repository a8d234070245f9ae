"""Rules that hold for the whole tree: which room may import which, sizes of files, what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "nonet"
MODULES = sorted(path for path in SOURCE.rglob("*.py"))

# A room imports itself and the rooms before it. `terminal`, `output` and `drawing` are the library's face:
# they put rooms together for `cli` and `service`, and no room before those may lean on them.
ROOMS = ["model", "checkpoints", "safety", "engine", "data", "training", "terminal", "output", "drawing"]
ROOMS += ["service", "cli"]
FOR_ALL = {"errors", "files", "heap", "sheet", "threads"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of our own, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            module = node.module or ""
            names = [f"nonet.{alias.name}" for alias in node.names] if module == "nonet" else [module]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "nonet" and len(parts) > 1 and parts[1] != "__version__":
                yield node.lineno, parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_rooms_before_it(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    for line, imported in imported_rooms(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        if imported in FOR_ALL:
            continue
        assert room not in FOR_ALL, f"{where}: {room} is for all rooms and may not import {imported}"
        assert imported in ROOMS, f"{where}: no room is called {imported}"
        assert room in ROOMS, f"{where}: name the place of {room} in ROOMS"
        assert ROOMS.index(imported) <= ROOMS.index(room), f"{where}: {room} may not import {imported}"


def test_the_import_rule_sees_every_form_of_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import nonet.cli\nfrom nonet import drawing\nimport nonet\nfrom nonet import __version__\n"
        "def late():\n    from nonet.service.app import run\n",
        encoding="utf-8",
    )
    assert list(imported_rooms(module)) == [(1, "cli"), (2, "drawing"), (6, "service")]


def tracked_text() -> list[Path]:
    """The repository's own text files; without git , all but hidden folders and results."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        skipped = {"build", "dist", "nonet", "runs"}
        tops = [path for path in ROOT.iterdir() if path.name not in skipped and not path.name.startswith(".")]
        tops.append(ROOT / ".ci")
        paths = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*"))]
    suffixes = {".py", ".md", ".toml", ".txt", ".json", ".yaml", ".yml", ".sh", ""}
    return [path for path in paths if path.is_file() and path.suffix in suffixes]


def test_files_are_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("src", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_tests_mirror_the_source_tree() -> None:
    tests = ROOT / "tests"
    about_everything = {
        f"test_{name}.py" for name in ("benchmarks", "docs", "docs_api", "docs_training", "house_rules")
    }
    for path in tests.rglob("test_*.py"):
        name = path.relative_to(tests)
        if name.as_posix() in about_everything:
            continue
        source = SOURCE / name.with_name(name.name.removeprefix("test_"))
        if len(name.parts) == 1:
            assert source.is_file(), f"tests/{name} mirrors no file: {source.relative_to(ROOT)}"
        # In a room there may be tests of several files at once, for example against golden numbers.
        assert source.parent.is_dir(), f"tests/{name} mirrors no folder: {source.parent.relative_to(ROOT)}"


def test_the_library_never_prints() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            prints = isinstance(called, ast.Name) and called.id in {"print", "pprint", "breakpoint"}
            assert not prints, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} prints"


def test_no_file_names_a_machine_or_a_registry() -> None:
    # Written in pieces, so that this file does not hold what it forbids.
    forbidden = re.compile(
        "|".join(
            [
                "/wo" + "rk/",
                "/ro" + "ot/",
                r"/home/\w",
                "py" + r"pi\.org",
                "npm" + r"js\.org",
                "pytorch" + r"\.org/whl",
            ]
        )
        + r"|deb\.deb"
        + "ian"
    )
    for path in tracked_text():
        if path.stat().st_size > 2_000_000:
            continue
        found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(ROOT)} holds {found and found.group()!r}"


def test_importing_the_package_and_the_command_is_light() -> None:
    code = (
        "import sys, nonet, nonet.cli, nonet.terminal;"
        "heavy = {'torch', 'numpy', 'tokenizers', 'huggingface_hub', 'rich.console'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
