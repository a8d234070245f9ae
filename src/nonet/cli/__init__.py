"""The `nonet` command: a thin face on the library.

Nothing heavy is imported before arguments are known to be good: help and wrong options answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from nonet import __version__
from nonet.cli import data, draw, models, serve, train, verify
from nonet.errors import NonetError

FAILED, INTERRUPTED = 2, 130

app = typer.Typer(
    name="nonet",
    help="Nine pictures from one line of text, offline, on any computer.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("draw")(draw.draw)
app.add_typer(data.app, name="data")
app.command("models")(models.models)
app.command("pull")(models.pull)
app.command("convert")(models.convert)
app.command("train")(train.train)
app.command("export")(train.export)
app.command("evaluate")(train.evaluate)
app.command("serve")(serve.serve)
app.command("doctor")(serve.doctor)
app.command("verify")(verify.verify)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nonet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """What stands before the subcommand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's own) and return its exit status.

    0 for success, 2 for every failure, 130 for Ctrl-C. A failure is one line on stderr.
    """
    try:
        status = app(arguments, prog_name="nonet", standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except NonetError as error:
        _say(error)
        return INTERRUPTED if error.code == "cancelled" else FAILED
    except KeyboardInterrupt:
        _say(NonetError("cancelled", "Stopped."))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`nonet models | head`); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        _say(_as_nonet_error(error))
        return FAILED


def _as_nonet_error(error: Exception) -> NonetError:
    # typer has its own copy of click's exceptions or uses click's, by version; both describe themselves.
    describe = getattr(error, "format_message", None)
    if describe is not None:
        return NonetError("setting_invalid", str(describe()), "See nonet --help.")
    if os.environ.get("NONET_DEBUG"):
        raise error
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        return NonetError(
            "model_failed", "There is not enough memory.", "Try --low-memory or a smaller --count."
        )
    return NonetError(
        "internal",
        f"{kind}: {error}.",
        "This is a fault of nonet: please report it with NONET_DEBUG=1's output.",
    )


def _say(error: NonetError) -> None:
    text = " ".join(f"error: {error}".split())
    typer.echo("".join(character if character.isprintable() else "?" for character in text), err=True)
