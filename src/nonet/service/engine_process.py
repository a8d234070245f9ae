"""The engine in a process of its own: `python -m nonet.service.engine_process FD`.

The site keeps the other end of the socket FD. What goes over it are msgpack arrays, so that neither side can make the
other run anything. Pictures are finished here (mark, metadata, signature, PNG): that needs torch, which the site's own
process never loads, and keeps the site's event loop free. When the site's end closes, this process ends at once.
"""

from __future__ import annotations

import base64
import importlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Protocol

import msgpack

from nonet.engine.events import Done, Drawn, Event, Failed, Partial, Progress, Started
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.finishing import Finisher

PARTIAL_PIXELS = 128
PROGRESS_SECONDS = 0.2
BEAT_SECONDS = 0.5


class Stream(Protocol):
    """What an engine answers: events, and a way to stop them."""

    def __iter__(self) -> Any:
        """The events."""

    def cancel(self) -> None:
        """Stop."""


class DrawingEngine(Protocol):
    """An engine as this process uses it."""

    @property
    def model(self) -> Any:
        """What it draws with; has a name."""

    def submit(self, request: DrawRequest, *, partials: bool = True) -> Stream:
        """Draw."""


def real_engine(model: str, low_memory: bool, dtype: str) -> DrawingEngine:
    """The engine of a model's name."""
    from nonet.checkpoints import load
    from nonet.drawing import engine_for

    return engine_for(load(model, dtype=dtype), low_memory=low_memory)


class EngineServer:
    """Draws what is asked for over a connection, until it closes."""

    def __init__(self, connection: Connection, config: dict[str, Any]) -> None:
        self._connection = connection
        self._config = config
        self._sending = threading.Lock()
        self._streams: dict[tuple[str, int], Stream] = {}
        self._loaded = threading.Event()
        self._engine: DrawingEngine | None = None
        self._finisher = Finisher(config.get("finishing", {}))

    def load(self) -> None:
        """Make the engine and say so."""
        make = self._factory()
        self._engine = make(*(self._config[name] for name in ("model", "low_memory", "dtype")))
        name = str(getattr(self._engine.model, "name", self._config["model"]))
        # What cannot draw one picture is not ready.
        for event in self._engine.submit(DrawRequest(prompt="an apple", count=1, seed=0), partials=False):
            if isinstance(event, Failed):
                raise NonetError(event.code, event.message, event.hint)
        self._finisher.warm_up()
        self.send("ready", name, os.getpid())
        self._loaded.set()

    def read(self) -> None:
        """Do what the site says, until it is gone."""
        while True:
            try:
                message = msgpack.unpackb(self._connection.recv_bytes())
            except (EOFError, OSError):
                # Nobody is there to draw for, and a thread inside the model would keep an orderly exit waiting.
                os._exit(0)
            match message:
                case ["draw", str(id), int(attempt), dict(request)]:
                    threading.Thread(target=self._draw, args=(id, attempt, request), daemon=True).start()
                case ["cancel", str(id), int(attempt)]:
                    stream = self._streams.get((id, attempt))
                    if stream is not None:
                        stream.cancel()

    def beat(self) -> None:
        """Say how full the batch is, as long as this process lives."""
        while True:
            time.sleep(BEAT_SECONDS)
            rows, most = getattr(self._engine, "rows", (0, 0))
            self.send("beat", int(rows), int(most))

    def send(self, *message: Any) -> None:
        """Tell the site something."""
        data = msgpack.packb(message)
        with self._sending:
            try:
                self._connection.send_bytes(data)
            except OSError:
                os._exit(0)

    def _factory(self) -> Callable[[str, bool, str], DrawingEngine]:
        if not self._config.get("factory"):
            return real_engine
        sys.path[:] = list(dict.fromkeys([*self._config["path"], *sys.path]))
        module, _, name = str(self._config["factory"]).partition(":")
        made: Callable[[str, bool, str], DrawingEngine] = getattr(importlib.import_module(module), name)
        return made

    def _draw(self, id: str, attempt: int, values: dict[str, Any]) -> None:
        self._loaded.wait()
        assert self._engine is not None
        try:
            request = DrawRequest(**values)
            stream = self._streams[id, attempt] = self._engine.submit(request, partials=True)
            telling = _Telling(self, id, attempt, request, self._finisher)
            for event in stream:
                telling.take(event)
        except NonetError as error:
            self.send("failed", id, attempt, error.code, error.message, error.hint)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            self.send("failed", id, attempt, "internal", f"The engine failed: {reason}.", "")
        finally:
            self._streams.pop((id, attempt), None)


class _Telling:
    """Turns the events of one drawing into messages."""

    def __init__(
        self, server: EngineServer, id: str, attempt: int, request: DrawRequest, finisher: Finisher
    ) -> None:
        self._server, self._id, self._attempt = server, id, attempt
        self._request, self._finisher = request, finisher
        self._progress: dict[int, int] = {}
        self._total = 0
        self._told = 0.0

    def take(self, event: Event) -> None:
        """Tell an event."""
        match event:
            case Started():
                self._request = event.request
                self._send("started", [*event.notes, *filter(None, [self._finisher.note])])
            case Progress():
                self._progress[event.picture] = event.tokens_done
                self._total = event.tokens_total
                if time.monotonic() - self._told >= PROGRESS_SECONDS:
                    self._tell_progress()
            case Partial():
                self._tell_progress()
                if not self._finisher.looks:
                    self._send("partial", event.picture, small_webp(event.pixels))
            case Drawn():
                self._tell_progress()
                sources = [dict(source) for source in event.sources]
                png = self._finisher.png(event, self._request, self._id)
                score = None if event.score is None else float(event.score)
                self._send("drawn", event.picture, png, int(event.seed), score, sources)
            case Failed():
                self._send("failed", event.code, event.message, event.hint)
            case Done():
                self._tell_progress()
                self._send("done", float(event.seconds))

    def _tell_progress(self) -> None:
        if self._progress:
            self._told = time.monotonic()
            self._send("progress", [[i, done] for i, done in self._progress.items()], self._total)
            self._progress = {}

    def _send(self, kind: str, *values: Any) -> None:
        self._server.send(kind, self._id, self._attempt, *values)


def small_webp(pixels: Any) -> str:
    """A partial picture as people see it while it comes: small, quick to make, base64."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((PARTIAL_PIXELS, PARTIAL_PIXELS), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    image.save(stream, "webp", quality=70, method=0)
    return base64.b64encode(stream.getvalue()).decode()


def main(arguments: list[str]) -> int:
    """Serve one connection."""
    # Ctrl-C and a stop of the whole group are the site's business: it lets running drawings end first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Engines use all cores for seconds, pages need one for milliseconds: whoever draws lets the site go first. By 5
    # the site would still wait a time slice for its turn now and then, by 10 hardly ever.
    with suppress(OSError):
        os.nice(10)
    connection = Connection(int(arguments[0]))
    server = EngineServer(connection, msgpack.unpackb(connection.recv_bytes()))
    threading.Thread(target=server.read, name="nonet-engine-read", daemon=True).start()
    try:
        server.load()
    except Exception as error:
        code, hint = (error.code, error.hint) if isinstance(error, NonetError) else ("model_failed", "")
        message = (
            error.message if isinstance(error, NonetError) else f"The model cannot be loaded: {error!r}."
        )
        server.send("unloadable", code, message, hint)
        return 3
    server.beat()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
