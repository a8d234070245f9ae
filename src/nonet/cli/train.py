"""`nonet train`, `export` and `evaluate`: making models and measuring them."""

from __future__ import annotations

import enum
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nonet.cli.data import COLLECTION, Collected, Quiet
from nonet.cli.progress import progress
from nonet.cli.signals import ending_on_sigterm
from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.checkpoints import Model

RUNS = Path("runs") / "doodle"

Runs = Annotated[Path, typer.Option(help="Folder of the model's runs: codec, judge and seq2seq in one.")]


class Kind(enum.StrEnum):
    """What can be trained."""

    CODEC = "codec"
    JUDGE = "judge"
    SEQ2SEQ = "seq2seq"


class Resume(enum.StrEnum):
    """What to do with a run that is there already."""

    AUTO = "auto"
    NEVER = "never"
    MUST = "must"


def train(
    kind: Annotated[
        Kind, typer.Argument(help="seq2seq needs the codec's run beside it.", show_default=False)
    ],
    config: Annotated[Path, typer.Option(help="A TOML file, see configs/.", show_default=False)],
    data: Collected = COLLECTION,
    runs: Runs = RUNS,
    resume: Annotated[
        Resume,
        typer.Option(help="auto goes on with a run that is there, never starts again, must needs one."),
    ] = Resume.AUTO,
    max_minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so long, to go on later. Default: at the end.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A model's name or folder: a fresh run starts from its weights.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train one part of a model; stopped in any way, the same command goes on."""
    if max_minutes is not None and not (math.isfinite(max_minutes) and max_minutes > 0):
        raise NonetError("setting_invalid", f"--max-minutes is {max_minutes}, but must be above 0.")
    if not config.is_file():
        raise NonetError("config_invalid", f"There is no config {config}.", "See configs/doodle.")
    from nonet.training.start import train as start

    steps = None if quiet else StepLine(kind.value)
    with ending_on_sigterm():
        try:
            start(
                kind.value,
                config,
                collection=data,
                runs=runs,
                resume=resume.value,
                max_minutes=max_minutes,
                device=device,
                start_from=start_from,
                report=steps,
            )
        except KeyboardInterrupt:
            raise NonetError(
                "cancelled", "Stopped; what was trained is saved.", "The same command goes on."
            ) from None
        finally:
            if steps is not None:
                steps.end()
    typer.echo(bytes(runs / kind.value))


class StepLine:
    """A line on how far training is: rewritten in a terminal, in a file a new one every half minute."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.terminal = sys.stderr.isatty()
        self.began = time.monotonic()
        self.first: int | None = None
        self.shown_at = -math.inf
        self.line = ""

    def __call__(self, step: int, total: int, scalars: dict[str, float]) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = step, now
        values = " ".join(f"{name} {value:.4g}" for name, value in scalars.items())
        minutes = ""
        if step > self.first:
            left = (now - self.began) / (step - self.first) * (total - step) / 60
            minutes = f", {left:.0f} min left" if left >= 1 else ", under a minute left"
        self.line = f"{self.name}: step {step} of {total}{minutes}: {values}"
        if now - self.shown_at >= (0.2 if self.terminal else 30):
            self.shown_at = now
            self._show()

    def end(self) -> None:
        """Show where it stopped."""
        if self.line:
            self._show()
            if self.terminal:
                typer.echo(err=True)

    def _show(self) -> None:
        if self.terminal:
            typer.echo(f"\r{self.line}\x1b[K", nl=False, err=True)
        else:
            typer.echo(self.line, err=True)


def export(
    out: Annotated[
        Path, typer.Option(help="The model's folder; its files are replaced.", show_default=False)
    ],
    data: Collected = COLLECTION,
    runs: Runs = RUNS,
    name: Annotated[str, typer.Option(help="What the model is called.")] = "doodle",
) -> None:
    """Put finished runs together into a model's folder, with its memory and attribution."""
    from nonet.training.export import export as export_model

    export_model(runs, data, out, name=name)
    typer.echo(bytes(out))


def evaluate(
    model: Annotated[str, typer.Option(help="A model's name or folder.")] = "doodle",
    data: Collected = COLLECTION,
    captions: Annotated[int, typer.Option(min=2, help="Held-out captions to draw.")] = 300,
    candidates: Annotated[
        int, typer.Option(min=0, max=256, help="Pictures of which the judge keeps one; 0 leaves that out.")
    ] = 36,
    candidate_captions: Annotated[int, typer.Option(min=1, help="Captions to draw candidates of.")] = 100,
    out: Annotated[
        Path | None, typer.Option(help="Folder for measures.json and the sheets.", show_default=False)
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the model card into the model's own folder.")
    ] = False,
    runs: Runs = RUNS,
    quiet: Quiet = False,
) -> None:
    """Measure a model on held-out pictures and captions; prints the numbers as JSON."""
    from nonet.checkpoints.places import locate

    locate(model)
    from nonet.checkpoints import load
    from nonet.data.sprites import open_sprites
    from nonet.files import atomic_write
    from nonet.training.evaluate import evaluate as measure

    sprites = open_sprites(data)
    loaded = load(model)
    with progress(quiet=quiet) as report:
        measures, sheets = measure(
            loaded,
            sprites,
            captions=captions,
            candidates=candidates,
            candidate_captions=candidate_captions,
            report=report,
        )
    text = json.dumps(measures.to_dict(), indent=2)
    if out is not None:
        with atomic_write(out / "measures.json") as stream:
            stream.write(text.encode() + b"\n")
        for name, sheet in sheets.items():
            with atomic_write(out / f"{name}.png") as stream:
                sheet.save(stream, "PNG")
    if card:
        from nonet.training.card import write_card

        write_card(
            locate(model),
            loaded.name,
            measures,
            sheets,
            summary=sprites.collection.summary,
            runs=runs if runs.is_dir() else None,
            sizes=_sizes(loaded),
        )
    typer.echo(text)


def _sizes(model: Model) -> dict[str, int]:
    networks = {
        "image decoder": model.decoder,
        "codec": model.vqgan,
        "text encoder": getattr(model.text, "encoder", None),
        "judge": model.judge,
    }
    return {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
        if network is not None
    }
