"""One training run: steps, checkpoints, scalars and sheets, in slices that stop and resume without a trace.

A run's folder holds `state.pt` (everything: weights, EMA, optimiser, generators, position), `config.json`,
`scalars.jsonl`, TensorBoard events and `sheets/`. A resumed run continues bit-equal on the CPU.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.training.optim import device_name


class Trainee(Protocol):
    """What a run drives: a network with its optimiser, data and generators."""

    total_steps: int
    device: torch.device

    def step(self) -> dict[str, float]:
        """Do one optimiser step and return the scalars worth plotting."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""

    def sheet(self) -> Image.Image:
        """A picture of how it is doing."""


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state atomically; the old one stays until the new one is complete."""
    with atomic_write(path) as stream:
        torch.save(state, stream)


def load_state(path: Path) -> dict[str, Any]:
    """Read a training state: tensors and plain values only, nothing in it is executed.

    Raises:
        NonetError: `weights_corrupt`.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a broken file
        raise NonetError(
            "weights_corrupt",
            f"The training state {path} cannot be read.",
            "Use --resume never to start again.",
        ) from error
    return state


def read_run_config(state: dict[str, Any]) -> dict[str, Any]:
    """The config with which a state was made."""
    values: dict[str, Any] = json.loads(state["config"])
    return values


class Run:
    """Drives a `Trainee` in a folder.

    Args:
        trainee: what to train.
        folder: where state, scalars and sheets go.
        config: written to `config.json`; a resumed run must have the same one, but for its length.
        resume: "auto" goes on where a state exists, "never" starts again, "must" needs a state.
    """

    def __init__(
        self, trainee: Trainee, folder: Path, config: dict[str, Any], *, resume: str = "auto"
    ) -> None:
        if resume not in ("auto", "never", "must"):
            raise NonetError("setting_invalid", f"--resume is {resume!r}.", "Use auto, never or must.")
        self.trainee = trainee
        self.folder = folder
        self.config = config
        self.steps_done = 0
        self.seconds = 0.0
        self.started_from = ""
        folder.mkdir(parents=True, exist_ok=True)
        if resume != "never" and self.state_path.exists():
            self._resume()
        elif resume == "must":
            raise NonetError("data_missing", f"There is no training state in {folder}.", "Use --resume auto.")
        with atomic_write(folder / "config.json") as stream:
            stream.write(json.dumps(config, indent=2).encode())

    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    def _resume(self) -> None:
        state = load_state(self.state_path)
        before, now = read_run_config(state), json.loads(json.dumps(self.config))
        for part in (before, now):
            for free in FREE_SETTINGS:
                part.get("run", {}).pop(free, None)
        if before != now:
            changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
            raise NonetError(
                "config_invalid",
                f"The run in {self.folder} was made with another config (differs in: {', '.join(changed)}).",
                "Choose another --run folder, or --resume never to start again.",
            )
        self.steps_done = int(state["steps_done"])
        self.seconds = float(state["seconds"])
        self.started_from = str(state.get("started_from", ""))
        self.trainee.load_state_dict(state["trainee"])

    def save(self) -> None:
        """Write the state, now."""
        state = {
            "config": json.dumps(self.config),
            "steps_done": self.steps_done,
            "seconds": self.seconds,
            "device": device_name(self.trainee.device),
            "started_from": self.started_from,
            "trainee": self.trainee.state_dict(),
        }
        save_state(self.state_path, state)

    def train(
        self,
        *,
        max_minutes: float | None = None,
        save_minutes: float = 4.0,
        sheet_minutes: float = 5.0,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> int:
        """Train to the end or until the minutes are over; returns the steps done in all.

        The state is saved every `save_minutes`, at the end and when interrupted.
        """
        started = last_save = last_sheet = time.monotonic()
        with SummaryWriter(str(self.folder / "events")) as board, _flushed_denormals():
            try:
                while self.steps_done < self.trainee.total_steps:
                    before = time.monotonic()
                    if max_minutes is not None and before - started >= max_minutes * 60:
                        break
                    scalars = self.trainee.step()
                    now = time.monotonic()
                    self.steps_done += 1
                    self.seconds += now - before
                    self._note(board, scalars, now - before)
                    if report is not None:
                        report(self.steps_done, scalars)
                    if now - last_save >= save_minutes * 60:
                        self.save()
                        last_save = now
                    if now - last_sheet >= sheet_minutes * 60:
                        self._write_sheet()
                        last_sheet = now
            finally:
                self.save()
        self._write_sheet()
        return self.steps_done

    def _note(self, board: SummaryWriter, scalars: dict[str, float], seconds: float) -> None:
        for name, value in scalars.items():
            board.add_scalar(name, value, self.steps_done)
        line = {"step": self.steps_done, "seconds": round(seconds, 3)}
        line |= {k: round(v, 5) for k, v in scalars.items()}
        with (self.folder / "scalars.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + os.linesep)

    def _write_sheet(self) -> None:
        with atomic_write(self.folder / "sheets" / f"{self.steps_done:07d}.png") as stream:
            self.trainee.sheet().save(stream, "PNG")


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Numbers too small for full precision become 0.

    The optimiser's averages for codes that no longer come fade into that range, where processors compute many
    times slower: after some hundred steps a run took three times as long.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


# Settings of the [run] table that may change between slices of one run.
FREE_SETTINGS = ("total_steps", "freeze_encoder_at")
