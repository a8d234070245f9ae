"""The app put together: no route keeps the event loop waiting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nonet.service

ROUTES = sorted((Path(nonet.service.__file__).parent / "routes").glob("*.py"))
# Methods that reach a disk, a database or a child process, or encode pictures: never called on the loop.
BLOCKING = {"accept", "visible", "picture_of", "picture_bytes", "sheet_bytes", "submit", "alike", "admit"}


def problems(source: str) -> Iterator[str]:
    """Async routes that never await, and calls in async functions that keep the loop waiting."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        inside = list(_own(function))
        routed = any("router." in ast.unparse(decorator) for decorator in function.decorator_list)
        if routed and not any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in inside):
            yield f"{function.name} never awaits: make it a plain def, which runs in a thread"
        for node in inside:
            called = node.func if isinstance(node, ast.Call) else None
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in BLOCKING:
                yield f"{function.name} calls {name} on the event loop"


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what stands in it, but not in functions that it defines."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own(child)


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.name)
def test_async_routes_await_and_block_nobody(path: Path) -> None:
    assert not list(problems(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("@router.get('/')\nasync def show():\n    return 1\n", "never awaits"),
        ("@router.get('/')\nasync def show():\n    async def inner():\n        await x\n", "never awaits"),
        ("async def show():\n    job = visible(services, id)\n    await x\n", "calls visible"),
        ("async def show():\n    await x(services.picture_bytes(job, 0, 'png'))\n", "calls picture_bytes"),
        ("@router.get('/')\nasync def show():\n    await run_sync(lambda: accept(x))\n", ""),
        ("@router.get('/')\ndef show():\n    return visible(services, id)\n", ""),
    ],
)
def test_the_rule_finds_what_it_is_for(source: str, found: str) -> None:
    assert [problem for problem in problems(source) if found in problem] or not found
    assert bool(list(problems(source))) == bool(found)
