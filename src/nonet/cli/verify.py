"""`nonet verify`: where pictures come from, as far as it can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.safety.provenance.verify import Report

_VERDICTS = {
    "nonet": "made by Nonet",
    "generated": "says of itself that a model made it",
    "unknown": "cannot tell where it comes from",
}


def verify(
    files: Annotated[
        list[Path], typer.Argument(help="PNG, JPEG or WebP pictures.", metavar="FILE...", show_default=False)
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Look for the invisible mark at likely sizes only.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array and nothing else.")] = False,
) -> None:
    """Say where pictures come from: invisible mark, signature and metadata."""
    answers: list[dict[str, Any]] = []
    failed = False
    for file in files:
        try:
            report = _look_at(file, thorough=not quick)
        except NonetError as error:
            failed = True
            about = {"code": error.code, "message": error.message, "hint": error.hint}
            answers.append({"file": str(file), "error": about})
            typer.echo(
                _printable(f"error: {error.code}: {file}: {error.message} {error.hint}".rstrip()), err=True
            )
            continue
        answers.append({"file": str(file), **report.to_dict()})
        if not as_json:
            typer.echo(_printable(f"{file}: {_VERDICTS[report.verdict]}"))
            for finding in report.findings:
                typer.echo(_printable(f"  {finding}"))
    if as_json:
        typer.echo(json.dumps(answers))
    if failed:
        raise typer.Exit(2)


def _look_at(file: Path, *, thorough: bool) -> Report:
    from nonet.safety.provenance.decoding import MAX_BYTES
    from nonet.safety.provenance.verify import verify as verify_bytes

    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise NonetError("file_unreadable", f"It cannot be read: {error.strerror or error}.") from error
    return verify_bytes(data, thorough=thorough)


def _printable(text: str) -> str:
    # A stranger's picture chose some of these words; none of them shall speak to the terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in text)
