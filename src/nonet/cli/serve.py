"""`nonet serve` and `nonet doctor`: the site."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.service.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option(help="Folder for database and pictures. Default: nonet-data.", show_default=False),
]


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. Default: 7777.", show_default=False)
    ] = None,
    data: Data = None,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL. Default: SQLite in DATA.", show_default=False)
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="fsspec URL for pictures. Default: in DATA.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What to draw with. Default: doodle.", show_default=False)
    ] = None,
    safety: Annotated[
        str | None, typer.Option(help="strict, standard or off. Default: strict.", show_default=False)
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every setting as it would be used, and stop.")
    ] = False,
) -> None:
    """Run the site: the page, its APIs and the line of drawings."""
    settings = _settings(
        host=host, port=port, data=data, database=database, store=store, model=model, safety=safety
    )
    if print_config:
        typer.echo(json.dumps(settings.model_dump(mode="json"), indent=2))
        return
    # The policy's text encoder is small: on a busy machine cores that wait for each other at each of its steps take
    # ten times as long as one, and whoever asks waits for it. The model's process is another matter and not meant.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from nonet import drawing
    from nonet.service import logs
    from nonet.service.server import serve as run

    if not settings.engine:
        drawing.check_model(settings.model)
    _more_files()
    logs.set_up(settings.log_level, prompts=settings.log_prompts)
    run(settings, announce=lambda address: typer.echo(f"Nonet is at {address}"))


def _more_files() -> None:
    """Everyone who follows a drawing is an open file: take as many as this process may have."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def doctor(
    data: Data = None,
    database: Annotated[str | None, typer.Option(help="As for nonet serve.", show_default=False)] = None,
    store: Annotated[str | None, typer.Option(help="As for nonet serve.", show_default=False)] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Look for what is wrong with the site's database and pictures; exit status 1 if something is."""
    settings = _settings(data=data, database=database, store=store)
    from nonet.service.doctor import examine

    findings = examine(settings, mend=mend)
    if as_json:
        typer.echo(json.dumps({"findings": [finding.to_dict() for finding in findings]}))
    else:
        for finding in findings:
            typer.echo(finding.line)
        if not findings:
            typer.echo("Nothing is wrong.")
    return 1 if any(not finding.mended for finding in findings) else 0


def _settings(**options: Any) -> Settings:
    try:
        from nonet.service.settings import read_settings
    except ImportError as error:
        raise NonetError(
            "setting_invalid",
            f"The site needs the extra packages of nonet[serve]: {error.name} is missing.",
            'Install them with pip install -c constraints.txt ".[serve]".',
        ) from None
    return read_settings(**options)
