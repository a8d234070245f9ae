"""Watches the engine's process: starts it, hands it drawings, replaces it when it dies, hangs or fails.

One thread owns the process. What happens is told by calls from that thread, in order; they must return soon.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import msgpack

from nonet.service.finishing import finishing_of
from nonet.service.line import Held
from nonet.service.records import Job
from nonet.service.rows import request_values
from nonet.service.settings import Settings

WAITS = (0.0, 0.2, 1.0, 3.0, 10.0, 30.0)
"""Seconds before the next start after so many starts in a row that led to nothing."""
DAMAGING = ("model_failed", "internal")
"""Failures after which a process may be damaged: a new one is safer, once its other drawings have ended."""
_STILL_FACTOR = 4
"""A single drawing may be silent for so many times `hang_seconds` while others advance."""
_TURN_SECONDS = 1.0
_WAKE = object()


@dataclass(frozen=True)
class Loss:
    """Drawings that were being drawn when the process ended.

    Attributes:
        held: which.
        reason: died, hung or stopped.
        blamed: the one that made it end, if that can be told.
    """

    held: Sequence[Held]
    reason: str
    blamed: Held | None = None


class Listener(Protocol):
    """Who is told what the engine does."""

    def engine_said(self, held: Held, kind: str, values: Sequence[Any]) -> None:
        """A message about a drawing: started, progress, partial, drawn, done or failed."""

    def engine_lost(self, loss: Loss) -> None:
        """The process ended in the middle of drawings."""

    def engine_changed(self) -> None:
        """It became ready, or no longer is."""


@dataclass
class _Flight:
    job: Job
    heard: float
    spoke: bool = False


class Supervisor:
    """The engine's process as the rest of the site sees it; thread-safe.

    Args:
        cores: how many the process uses; 0 for all.

    Attributes:
        model: the name of the loaded model, empty before the first one is.
        problem: code, message and hint of why the last process could not load its model; None when it could.
        rows: rows in the engine's batch, and the most there may be.
        starts, ends: how many processes were started; why they ended, counted.
    """

    def __init__(self, settings: Settings, listener: Listener, cores: int = 0) -> None:
        self._settings = settings
        self._cores = cores
        self._listener = listener
        self.model = ""
        self.problem: tuple[str, str, str] | None = None
        self.rows = (0, 0)
        self.starts = 0
        self.ends: dict[str, int] = {}
        self._lock = threading.Lock()
        self._flights: dict[Held, _Flight] = {}
        self._outbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        # What the thread wakes up for: a message of a process, its end (None), or just a look around (_WAKE).
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopping = False
        self._ready = False
        self._retiring = False
        self._futile = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="nonet-supervisor", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether a drawing handed over now would be drawn at once."""
        return self._ready and not self._retiring and not self._stopping

    @property
    def state(self) -> str:
        """loading, ready, retiring, failed or stopped."""
        if self._stopping:
            return "stopped"
        if self._ready:
            return "retiring" if self._retiring else "ready"
        return "failed" if self.problem is not None else "loading"

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        process = self._process
        return process.pid if process is not None else None

    def flying(self) -> list[Held]:
        """What is being drawn."""
        with self._lock:
            return list(self._flights)

    def pictures_flying(self) -> int:
        """How many pictures are being drawn."""
        with self._lock:
            return sum(flight.job.request.pictures for flight in self._flights.values())

    def start(self) -> None:
        """Start the thread, which starts the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the process and the thread; drawings that are not done are lost to this process."""
        self._stopping = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()

    def draw(self, job: Job) -> bool:
        """Hand a drawing over; False if the engine is not ready."""
        held = Held(job.id, job.attempt)
        with self._lock:
            if not self.ready:
                return False
            self._flights[held] = _Flight(job, time.monotonic())
        self._outbox.put(("draw", job.id, job.attempt, request_values(job.request)))
        self._wake()
        return True

    def cancel(self, held: Held) -> None:
        """Draw it no further."""
        with self._lock:
            if self._flights.pop(held, None) is None:
                return
        self._outbox.put(("cancel", held.id, held.attempt))
        self._wake()

    def retire(self) -> None:
        """Let what is being drawn end, then replace the process."""
        self._retiring = True
        self._listener.engine_changed()
        self._wake()

    def _wake(self) -> None:
        self._inbox.put(_WAKE)

    def _run(self) -> None:
        while not self._stopping:
            pause = WAITS[min(self._futile, len(WAITS) - 1)]
            self._sleep(pause)
            if self._stopping:
                break
            reason = self._one_life()
            self.ends[reason] = self.ends.get(reason, 0) + 1
        self._listener.engine_changed()

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self._inbox.get(timeout=left)

    def _one_life(self) -> str:
        """Run one process to its end and return why it ended."""
        _empty(self._outbox)
        _empty(self._inbox)
        self._retiring = False
        self._futile += 1
        self.starts += 1
        connection, process = self._spawn()
        self._process = process
        reader = threading.Thread(
            target=_read, args=(connection, self._inbox), name="nonet-engine-messages", daemon=True
        )
        reader.start()
        try:
            reason, blamed = self._watch(connection)
        finally:
            self._process = None
            process.kill()
            process.wait()
            # Its end of the socket is closed now, which ends the reader.
            reader.join()
            connection.close()
        with self._lock:
            self._ready = False
            held = list(self._flights)
            self._flights.clear()
        self.rows = (0, self.rows[1])
        self._listener.engine_changed()
        if held:
            self._listener.engine_lost(Loss(held, reason, blamed))
        return reason

    def _spawn(self) -> tuple[Connection, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair()
        # What torch begins with: an engine that shares the machine with others does not share out its own work.
        environment = {**os.environ, **({"OMP_NUM_THREADS": str(self._cores)} if self._cores else {})}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "nonet.service.engine_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        connection = Connection(ours.detach())
        config = {
            "model": self._settings.model,
            "low_memory": self._settings.low_memory,
            "dtype": self._settings.dtype,
            "factory": self._settings.engine,
            "path": [entry for entry in sys.path if entry] if self._settings.engine else [],
            "finishing": finishing_of(self._settings),
        }
        # If it is dead already, that is seen in a moment.
        with suppress(OSError):
            connection.send_bytes(msgpack.packb(config))
        return connection, process

    def _watch(self, connection: Connection) -> tuple[str, Held | None]:
        load_until = time.monotonic() + self._settings.load_seconds
        while True:
            ended = not self._take_all()
            if self._stopping:
                return "stopped", None
            if not ended:
                try:
                    self._post(connection)
                except OSError:
                    ended = True
            if ended:
                return ("unloadable" if self.problem is not None else "died"), None
            clock = time.monotonic()
            if not self._ready:
                if clock > load_until:
                    return "hung", None
                continue
            hung, blamed = self._silent(clock)
            if hung:
                return "hung", blamed
            if self._retiring and not self.flying():
                return "retired", None

    def _take_all(self) -> bool:
        """Take every message that is there, before anything is judged to be silent. False at the process's end."""
        wait = _TURN_SECONDS
        while True:
            try:
                message = self._inbox.get(timeout=wait)
            except queue.Empty:
                return True
            if message is None:
                return False
            wait = 0
            if message is not _WAKE:
                self._take(message)

    def _post(self, connection: Connection) -> None:
        while True:
            try:
                message = self._outbox.get_nowait()
            except queue.Empty:
                return
            connection.send_bytes(msgpack.packb(message))

    def _take(self, message: Any) -> None:
        match message:
            case ["beat", int(rows), int(most)]:
                self.rows = (rows, most)
            case ["ready", str(model), int()]:
                self.model, self.problem = model, None
                self._ready = True
                # It can load, so the next one need not wait long; only drawings that end make it a good one.
                self._futile = min(self._futile, 2)
                self._listener.engine_changed()
            case ["unloadable", str(code), str(text), str(hint)]:
                self.problem = (code, text, hint)
                self._listener.engine_changed()
            case [str(kind), str(id), int(attempt), *values]:
                self._take_word(Held(id, attempt), kind, values)

    def _take_word(self, held: Held, kind: str, values: list[Any]) -> None:
        with self._lock:
            flight = self._flights.get(held)
            if flight is None:
                return  # cancelled, or taken from us
            flight.heard, flight.spoke = time.monotonic(), True
            if kind in ("done", "failed"):
                del self._flights[held]
        if kind == "done":
            self._futile = 0
        if kind == "failed" and values[0] in DAMAGING:
            self.retire()
        self._listener.engine_said(held, kind, values)

    def _silent(self, clock: float) -> tuple[bool, Held | None]:
        """Whether the engine hangs, and whose drawing it hangs in if that is plain."""
        limit = self._settings.hang_seconds
        with self._lock:
            if not self._flights:
                return False, None
            heard = {held: clock - flight.heard for held, flight in self._flights.items()}
            # One that never got a word may have met an engine that hung before, in a drawing that was cancelled.
            spoke = [held for held, flight in self._flights.items() if flight.spoke]
        if min(heard.values()) > limit:
            return True, spoke[0] if len(heard) == 1 and spoke else None
        still = [held for held, seconds in heard.items() if seconds > _STILL_FACTOR * limit]
        return bool(still), still[0] if len(still) == 1 else None


def _read(connection: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    """Read a process's messages to its end.

    In a thread of its own: a process that stops in the middle of a message would keep whoever reads it waiting, and
    the one who watches the process must not wait for it.
    """
    while True:
        try:
            inbox.put(msgpack.unpackb(connection.recv_bytes()))
        except (EOFError, OSError, ValueError):
            inbox.put(None)
            return


def _empty(box: queue.SimpleQueue[Any]) -> None:
    with suppress(queue.Empty):
        while True:
            box.get_nowait()
