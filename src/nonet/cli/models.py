"""`nonet models`, `pull` and `convert`: the weights on this computer."""

from __future__ import annotations

from typing import Annotated

import typer

from nonet.cli.progress import progress

Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]


def pull(
    name: Annotated[str, typer.Argument(help="mini or mega.", show_default=False)], quiet: Quiet = False
) -> None:
    """Fetch a published model and its codec; a broken-off download goes on where it was."""
    from nonet.checkpoints.pull import pull as pull_model

    with progress(quiet=quiet, in_bytes=True) as report:
        pulled = pull_model(name, report=report)
    typer.echo(bytes(pulled.folder))
