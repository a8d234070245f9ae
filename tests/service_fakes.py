"""A site for tests: real database, real engine process, a fake engine that draws plain pictures."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import fakes
from nonet.engine.events import Done, Drawn, Event, Failed, Partial, Progress, Started
from nonet.engine.request import DrawRequest
from nonet.safety.policy import Policy
from nonet.service.settings import Settings
from nonet.service.site import Site

ENGINE = "service_fakes:engine"
SIDE = 64


class PromptedStream:
    """The events of one request; the prompt says what goes wrong.

    `raise`: an error in the engine; `nan`: what the real engine says of NaN; `hang`: nothing more ever comes; `die`:
    the process is killed; `slow`: a second for each picture; `pause=0.5`: so long for each; `gate=/path`: not before
    that file is there; `note`: a note.
    """

    def __init__(self, request: DrawRequest) -> None:
        self.request = request
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop at the next event."""
        self._cancelled.set()

    def __iter__(self) -> Iterator[Event]:
        words = self.request.prompt.split()
        pause = next((float(word[6:]) for word in words if word.startswith("pause=")), 0.0)
        pause = 1.0 if "slow" in words else pause
        began = time.monotonic()
        yield Started(self.request, ("a note",) if "note" in words else ())
        for index in range(self.request.count):
            yield Progress(index, 16, 256)
            yield Partial(index, self._pixels(index) // 2)
        if "raise" in words:
            raise RuntimeError("the model raised")
        if "nan" in words:
            yield Failed("model_failed", "The model gave numbers that are not finite.", "")
            return
        if "hang" in words:
            time.sleep(3600)
        if "die" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        for gate in [Path(word[5:]) for word in words if word.startswith("gate=")]:
            while not gate.exists() and not self._cancelled.wait(0.02):
                pass
        for index in range(self.request.count):
            if self._cancelled.wait(pause):
                yield Failed("cancelled", "The drawing was cancelled.")
                return
            yield Progress(index, 256, 256)
            source = {"title": f"picture {index}", "set": "Fake Set", "licence": "CC0-1.0"}
            yield Drawn(index, self._pixels(index), self.request.seed + index, 0.5, (source,))
        yield Done(time.monotonic() - began)

    def _pixels(self, index: int) -> Any:
        return np.ascontiguousarray(fakes.pixels(self.request.seed + index)[:SIDE, :SIDE])


class PromptedEngine:
    """Draws plain pictures of 64 pixels at once; see `PromptedStream`."""

    model = SimpleNamespace(name="fake")
    rows = (0, 288)

    def submit(self, request: DrawRequest, *, partials: bool = True) -> PromptedStream:
        """Draw."""
        return PromptedStream(request)


def engine(model: str, low_memory: bool, dtype: str) -> PromptedEngine:
    """What the engine's process calls."""
    if model == "unloadable":
        raise RuntimeError("no such weights")
    return PromptedEngine()


def settings(folder: Path, **values: Any) -> Settings:
    """Settings for a test: its own folder, the fake engine, no waiting."""
    given = {
        "data": folder / "site",
        "engine": ENGINE,
        "sign": "never",
        "invisible_mark": False,
        "rate_anonymous": "10000/minute",
        "caller_queue_max": 1000,
        "heartbeat_seconds": 0.5,
        "hang_seconds": 5.0,
        "drain_seconds": 5.0,
        **values,
    }
    return Settings(**given)


def policy() -> Policy:
    """The shipped lists without the text encoder."""
    return Policy()


@contextmanager
def running(folder: Path, *, wait: bool = True, **values: Any) -> Iterator[Site]:
    """A running site; it is ready when this begins unless `wait` is False."""
    site = Site(settings(folder, **values), policy=policy())
    site.start()
    try:
        if wait:
            until(lambda: site.services.ready)
        yield site
    finally:
        site.stop()


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something to become true and return it."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return value


def environment() -> dict[str, str]:
    """The environment of a `nonet serve` of its own that shall find the fake engine."""
    folder = str(Path(__file__).parent)
    paths = [folder, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]
    keep = {name: value for name, value in os.environ.items() if not name.startswith("NONET_")}
    return {**keep, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


PYTHON = sys.executable
