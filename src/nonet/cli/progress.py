"""A progress bar for long work in named parts: on stderr, in a terminal; elsewhere a line for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

Report = Callable[[str, int, int], None]
"""Called with a part's name, how much of it is done, and how much there is."""


@contextmanager
def progress(*, quiet: bool = False, in_bytes: bool = False) -> Iterator[Report]:
    """Give the function that long work reports to; `in_bytes` where it counts bytes."""
    if quiet:
        yield lambda name, done, total: None
    elif sys.stderr.isatty():
        yield from _bar(in_bytes=in_bytes)
    else:
        named: set[str] = set()

        def line(name: str, done: int, total: int) -> None:
            if name and name not in named:
                named.add(name)
                typer.echo(f"{name} ({total / 1e6:,.1f} MB)" if in_bytes else f"{name} ({total})", err=True)

        yield line


def _bar(*, in_bytes: bool) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    counter = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), counter, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        current = ""

        def show(name: str, done: int, total: int) -> None:
            nonlocal current, task
            if name != current:
                # A new bar rather than the old one renamed: its estimate must not come from another part.
                bar.remove_task(task)
                task = bar.add_task(name, total=total)
                current = name
            bar.update(task, completed=done, total=total)

        yield show
