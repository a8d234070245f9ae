"""`nonet data`: the pictures that models are trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import nonet
from nonet.cli.progress import progress
from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.data.sources import Source

app = typer.Typer(
    help="Get, build and look at the pictures that models are trained on.", no_args_is_help=True
)

COLLECTION = Path("runs") / "collection"

Collected = Annotated[Path, typer.Option("--data", help="The collection's folder.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="Where downloads live. Default: $NONET_CACHE, else the user's cache.", show_default=False
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Names of sources. Default: all.", show_default=False),
    ] = None,
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Download the picture sources, with checksums; what is there already stays."""
    from nonet.data.fetch import fetch as fetch_sources

    chosen = _sources(sources)
    with progress(quiet=quiet) as report:
        # The sources are the parts of one bar here.
        files = fetch_sources(chosen, cache, lambda name, done, total: report("fetching", done, total))
    for name, path in files.items():
        typer.echo(f"{name}\t{path}")


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder of the collection.")] = COLLECTION,
    cache: Cache = None,
    workers: Annotated[int, typer.Option(min=1, max=2, help="Processes that draw pictures.")] = 1,
    permissive_only: Annotated[
        bool,
        typer.Option("--permissive-only", help="Leave out pictures that may not be in a shipped memory."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Render, clean, filter and de-duplicate what was fetched; a stopped build goes on where it was."""
    from nonet.data.build import build as build_collection

    with progress(quiet=quiet) as report:
        summary = build_collection(
            out, cache, workers=workers, permissive_only=permissive_only, progress=report
        )
    typer.echo(json.dumps(summary, indent=2, ensure_ascii=True))


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("contact-sheet.png"),
    data: Collected = COLLECTION,
    count: Annotated[int, typer.Option(min=1, max=2000)] = 120,
    columns: Annotated[int, typer.Option(min=1, max=40)] = 12,
    seed: Annotated[int, typer.Option(help="Another seed, other pictures.")] = 0,
    words: Annotated[str, typer.Option(help="Only captions with these words.", show_default=False)] = "",
    source: Annotated[str, typer.Option(help="Only this source or set.", show_default=False)] = "",
    style: Annotated[str, typer.Option(help="Only this style.", show_default=False)] = "",
    split: Annotated[str, typer.Option(help="Only train or heldout.", show_default=False)] = "",
    backgrounds: Annotated[bool, typer.Option("--backgrounds", help="Backgrounds, not things.")] = False,
) -> None:
    """Write a contact sheet of random pictures of the collection with their captions."""
    from nonet.data.collection import Collection
    from nonet.data.contact_sheet import contact_sheet

    contact_sheet(
        Collection.open(data),
        out,
        count,
        seed=seed,
        words=words,
        source=source,
        style=style,
        split=split,
        backgrounds=backgrounds,
        columns=columns,
    )
    typer.echo(bytes(out))


@app.command()
def attribution(
    data: Annotated[
        Path | None,
        typer.Option(
            help="A collection's folder. Default: what the embedded model was made from.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for ATTRIBUTION.md and attribution.jsonl. Default: print the page.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Name everybody whose pictures were used."""
    if data is None:
        if out is not None:
            raise NonetError(
                "setting_invalid", "--out needs --data.", "The embedded model has its files already."
            )
        typer.echo(_embedded_attribution())
        return
    from nonet.data.attribution import Record, attribution_page, write_attribution
    from nonet.data.collection import Collection

    collection = Collection.open(data)
    records: list[Record] = [*collection.records, *collection.background_records]
    if out is None:
        typer.echo(attribution_page(records))
    else:
        write_attribution(records, out)
        typer.echo(bytes(out / "ATTRIBUTION.md"))


def _embedded_attribution() -> str:
    path = Path(nonet.__file__).parent / "weights" / "doodle" / "ATTRIBUTION.md"
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise NonetError(
            "data_missing", "This installation has no embedded model.", "Name a collection with --data."
        ) from error


def _sources(names: list[str] | None) -> Sequence[Source]:
    from nonet.data.sources import SOURCES

    if not names:
        return SOURCES
    by_name = {source.name: source for source in SOURCES}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise NonetError(
            "setting_invalid", f"No source is called {unknown[0]}.", f"There are {', '.join(by_name)}."
        )
    return [by_name[name] for name in names]
