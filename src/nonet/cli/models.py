"""`nonet models`, `pull` and `convert`: the weights on this computer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from nonet.cli.progress import progress

Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list and nothing else.")] = False,
) -> None:
    """List the models: which are here, their size, licence and origin."""
    from nonet.checkpoints.models import list_models

    found = list_models()
    if as_json:
        typer.echo(json.dumps([asdict(model) for model in found], default=str))
        return
    for model in found:
        place = str(model.folder) if model.folder is not None else "not here"
        typer.echo(f"{model.name}: {model.title}")
        typer.echo(f"    {model.bytes / 1e6:,.1f} MB, {model.licence or 'no licence stated'}, {model.origin}")
        typer.echo(f"    {place}" + (f". {model.note}" if model.note else ""))


def pull(
    name: Annotated[str, typer.Argument(help="mini or mega.", show_default=False)], quiet: Quiet = False
) -> None:
    """Fetch a published model and its codec; a broken-off download goes on where it was."""
    from nonet.checkpoints.pull import pull as pull_model

    with progress(quiet=quiet, in_bytes=True) as report:
        pulled = pull_model(name, report=report)
    typer.echo(bytes(pulled.folder))


def convert(
    source: Annotated[str, typer.Argument(help="A model's name, folder or file.", show_default=False)],
    target: Annotated[Path, typer.Argument(help="A folder that is not there yet.", show_default=False)],
    to: Annotated[str, typer.Option(help="nonet, flax, flax-unscanned or min-dalle.")] = "nonet",
    storage: Annotated[str, typer.Option(help="float32, float16, bfloat16 or int8.")] = "float32",
    codec: Annotated[
        Path | None, typer.Option(help="Where its codec lies, if not with it.", show_default=False)
    ] = None,
) -> None:
    """Write a model in another format, with its codec and tokenizer."""
    from nonet.checkpoints.convert import convert as convert_model

    typer.echo(bytes(convert_model(source, target, to=to, storage=storage, codec=codec)))
