"""`nonet draw`: nine pictures and their sheet."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nonet.cli.signals import ending_on_sigterm

if TYPE_CHECKING:
    from nonet.checkpoints import Model
    from nonet.drawing import Drawing


def draw(
    prompt: Annotated[str, typer.Argument(help="What to draw, in one line.", show_default=False)],
    model: Annotated[
        str, typer.Option(help="A model's name (see nonet models), a folder, or a Hub id.")
    ] = "doodle",
    count: Annotated[int, typer.Option(help="How many pictures, 1 to 64.")] = 9,
    seed: Annotated[
        int | None, typer.Option(help="Draws the same pictures again. Default: any.", show_default=False)
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(help="How hard to follow the prompt. Default: the model's.", show_default=False),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="How freely to choose; 0 is not at all. Default: the model's.", show_default=False),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            help="Choose among this many likeliest tokens. Default: the model's.", show_default=False
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="Choose among tokens of this much probability. Default: the model's.", show_default=False
        ),
    ] = None,
    negative: Annotated[str, typer.Option(help="What to stay away from.", show_default=False)] = "",
    candidates: Annotated[
        int | None,
        typer.Option(help="Draw this many and keep the best COUNT. Default: COUNT.", show_default=False),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="CLIP weights that choose among candidates. Default: the model's own judge.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to. Default: nonet/<prompt>-<seed>.", show_default=False),
    ] = None,
    safety: Annotated[str, typer.Option(help="How careful to be: strict, standard or off.")] = "standard",
    provenance: Annotated[
        str, typer.Option(help="What pictures say of their origin: full, mark or metadata.")
    ] = "full",
    label: Annotated[
        str, typer.Option(help="Small text in the corner of each picture.", show_default=False)
    ] = "",
    sign_prompt: Annotated[
        bool, typer.Option("--sign-prompt", help="Put the prompt into the signed manifest, too.")
    ] = False,
    dtype: Annotated[
        str,
        typer.Option(help="How numbers are rounded: auto, float32, float16, bfloat16 or int8."),
    ] = "auto",
    low_memory: Annotated[
        bool, typer.Option("--low-memory", help="Turn tokens into pixels one picture at a time.")
    ] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Print which remembered pictures each was drawn after.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but notes and errors.")] = False,
) -> None:
    """Draw pictures of PROMPT and their sheet."""
    from nonet import drawing
    from nonet.engine.request import DrawRequest, random_seed
    from nonet.output import OutputFolder, default_folder
    from nonet.safety.provenance.finish import provenance_of
    from nonet.terminal import display_for

    request = DrawRequest(
        prompt=prompt,
        negative_prompt=negative,
        count=count,
        seed=random_seed() if seed is None else seed,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        candidates=candidates,
    )
    drawing.admit(request, safety, model)
    drawing.check_model(model)
    carried = provenance_of(provenance, label=label, prompt_in_manifest=sign_prompt)
    folder = OutputFolder(out or default_folder(request.prompt, request.seed), request.count)
    display = display_for(sys.stderr, request.prompt, request.count, quiet=quiet)
    with ending_on_sigterm(), folder:
        with display:
            chosen: str | Model = model
            if judge is not None or dtype != "auto":
                from nonet.checkpoints import load

                chosen = load(model, judge=judge, dtype=dtype)
            drawn = drawing.run(chosen, request, display=display, low_memory=low_memory)
        paths, sheet = folder.write(*drawing.encode(drawn, carried))
    for note in (*drawn.notes, *carried.notes):
        typer.echo(f"note: {note}", err=True)
    for number, picture in enumerate(drawn.pictures, start=1):
        if picture.withheld:
            typer.echo(f"note: {number}.png: {picture.withheld}", err=True)
    if as_json:
        typer.echo(json.dumps(_result(drawn, paths, sheet)))
    elif not quiet:
        typer.echo(bytes(sheet))
        if sources:
            _print_sources(drawn, paths)


def _result(drawn: Drawing, paths: list[Path], sheet: Path) -> dict[str, object]:
    return {
        "prompt": drawn.request.prompt,
        "model": drawn.model,
        "seed": drawn.request.seed,
        "seconds": round(drawn.seconds, 3),
        "sheet": str(sheet),
        "pictures": [
            {
                "path": str(path),
                "seed": picture.seed,
                "score": picture.score,
                "sources": [dict(source) for source in picture.sources],
                **({"withheld": picture.withheld} if picture.withheld else {}),
            }
            for path, picture in zip(paths, drawn.pictures, strict=True)
        ],
    }


def _print_sources(drawn: Drawing, paths: list[Path]) -> None:
    for path, picture in zip(paths, drawn.pictures, strict=True):
        after = "; ".join(", ".join(filter(None, source.values())) for source in picture.sources)
        typer.echo(f"{path.name}: {after or 'nothing remembered'}")
