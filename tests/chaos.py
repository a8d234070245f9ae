"""Killing a site while people use it, and looking afterwards whether anything was lost, doubled or left over."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from nonet.service.database import Database
from nonet.service.doctor import examine
from nonet.service.settings import Settings
from nonet.service.store import Store
from nonet.service.tables import DrawingRow, PictureRow
from site_process import SiteProcess

COUNT = 3


@dataclass
class Findings:
    """What the detectors found; a list of drawings each.

    Attributes:
        accepted: drawings that were acknowledged.
        kills: how often something was killed.
        lost: acknowledged, and unknown afterwards.
        unended: neither drawn nor ended in another way.
        doubled: more than one drawing for one key, or not exactly as many pictures as asked for.
        changed: something else was told of it after its end than at its end.
        orphans: bytes without a picture, pictures without bytes, leftovers.
        failed: ended without being drawn.
    """

    accepted: int = 0
    kills: int = 0
    lost: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no detector found anything."""
        return not (self.lost or self.unended or self.doubled or self.changed or self.orphans or self.failed)

    def __str__(self) -> str:
        return json.dumps(
            {name: value[:5] if isinstance(value, list) else value for name, value in asdict(self).items()}
        )


@dataclass
class Asked:
    """What somebody asked for: the acknowledged id of each key, and what was told at each end."""

    keys: dict[str, str] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)


class Client(threading.Thread):
    """Somebody who asks for drawings one after the other, waits for each, and is not put off by a dead server."""

    def __init__(self, url: str, number: int, stop: threading.Event, prompt: str) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.url, self.number, self.stopping, self.prompt = url, number, stop, prompt
        self.asked = Asked()
        self._client = httpx.Client(timeout=20)

    def run(self) -> None:
        """Ask until told to stop."""
        with self._client:
            while not self.stopping.is_set():
                key = f"{self.number}-{len(self.asked.keys)}"
                id = self._ask(key)
                if id is None:
                    return
                self.asked.keys[key] = id
                self._wait(id)

    def _ask(self, key: str) -> str | None:
        body = {"prompt": f"{self.prompt} {key}", "count": COUNT}
        while not self.stopping.is_set():
            with suppress(httpx.TransportError, ValueError, KeyError):
                answer = self._client.post(
                    f"{self.url}/api/drawings", json=body, headers={"Idempotency-Key": key}
                )
                # 200 is what is said of a key that was used before.
                if answer.status_code in (200, 202):
                    return str(answer.json()["id"])
            self.stopping.wait(0.2)
        return None

    def _wait(self, id: str) -> None:
        while not self.stopping.is_set():
            with suppress(httpx.TransportError, ValueError, KeyError):
                told = told_of(self._client.get(f"{self.url}/api/drawings/{id}").json())
                if told["state"] not in ("queued", "drawing"):
                    self.asked.ends[id] = told
                    return
            self.stopping.wait(0.2)


def told_of(answer: dict[str, Any]) -> dict[str, Any]:
    """What must never change after a drawing's end."""
    return {name: answer[name] for name in ("state", "ended", "pictures", "seconds")}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def engines_of(site: SiteProcess) -> list[int]:
    """The processes of a site's engines."""
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{site.process.pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return children


@contextmanager
def crowd(url: str, clients: int, prompt: str) -> Iterator[list[Client]]:
    """Many who use the site at once."""
    stop = threading.Event()
    people = [Client(url, number, stop, prompt) for number in range(clients)]
    for one in people:
        one.start()
    try:
        yield people
    finally:
        stop.set()
        for one in people:
            one.join(30)


def rampage(
    folder: Path,
    *,
    seconds: float,
    clients: int = 40,
    victims: tuple[str, ...] = ("engine", "server"),
    script: str = "",
    pauses: tuple[float, float] = (2.0, 5.0),
    patience: float = 60.0,
    kills_least: int = 1,
    seed: int = 0,
    **settings: Any,
) -> Findings:
    """Kill engine or server every few seconds under a crowd, then look.

    Args:
        script: Python that breaks the site.
        pauses: shortest and longest time between two kills.
        kills_least: go on until so many were killed, however slow the machine is.
        patience: so long everything that was accepted has to end after the last kill.
    """
    dice = random.Random(seed)
    values = {"port": free_port(), "attempts": 1000, "queue_max": 1000, **settings}
    site = SiteProcess(folder, script=script, **values)
    site.start()
    kills = 0
    until = time.monotonic() + seconds
    with crowd(site.url, clients, "pause=0.05 a cat") as people:
        while time.monotonic() < until or kills < kills_least:
            time.sleep(dice.uniform(*pauses))
            victim = dice.choice(victims)
            engines = engines_of(site)
            if victim == "engine" and engines:
                with suppress(ProcessLookupError):
                    os.kill(dice.choice(engines), signal.SIGKILL)
                    kills += 1
            elif victim == "server":
                site.kill()
                kills += 1
                site = SiteProcess(folder, script=script, wait=False, **values)
                site.start()
    found = Findings(kills=kills)
    with suppress(AssertionError):
        # What is only late is waited for.
        _all_over(site, [one.asked for one in people], patience)
    look(site, [one.asked for one in people], found)
    return found


def one_kill(folder: Path, *, script: str = "", patience: float = 20.0) -> Findings:
    """One SIGKILL at a bad moment: some drawings are drawn and seen, some are being drawn, each was asked for twice."""
    gate = folder / "gate"
    site = SiteProcess(folder, script=script, port=free_port(), attempts=5)
    site.start()
    asked = Asked()
    client = site.client

    def ask(prompt: str, key: str) -> None:
        for _ in range(2):
            answer = client.post(
                f"{site.url}/api/drawings",
                json={"prompt": f"{prompt} {key}", "count": COUNT},
                headers={"Idempotency-Key": key},
            )
            asked.keys[key] = answer.json()["id"]

    for number in range(2):
        ask("a cat", f"drawn-{number}")
    deadline = time.monotonic() + patience
    for id in asked.keys.values():
        while (now := site.state(id)).get("state") in ("queued", "drawing") and time.monotonic() < deadline:
            time.sleep(0.05)
        if now["status"] == 200:
            asked.ends[id] = told_of(now)
    for number in range(2):
        ask(f"gate={gate} a cat", f"cut-{number}")
    time.sleep(0.3)
    site.kill()
    gate.touch()
    again = SiteProcess(folder, script=script, **site.settings)
    again.start()
    with suppress(AssertionError):
        _all_over(again, [asked], patience)
    found = Findings(kills=1)
    look(again, [asked], found)
    return found


def _all_over(site: SiteProcess, people: list[Asked], patience: float) -> None:
    deadline = time.monotonic() + patience
    waiting = {id for one in people for id in one.keys.values()}
    while waiting:
        assert time.monotonic() < deadline
        waiting = {id for id in waiting if site.state(id).get("state") in ("queued", "drawing")}
        time.sleep(0.2)


def look(site: SiteProcess, people: list[Asked], found: Findings, *, keyed: bool = True) -> None:
    """Run every detector; the site is ended for it.

    Args:
        keyed: every drawing was asked for with a key, so none is there twice.
    """
    for one in people:
        found.accepted += len(one.keys)
        for id in one.keys.values():
            now = site.state(id)
            if now["status"] == 404:
                found.lost.append(id)
            elif now["state"] in ("queued", "drawing"):
                found.unended.append(id)
            elif now["state"] != "drawn":
                found.failed.append(id)
            elif len(now["pictures"]) != COUNT:
                found.doubled.append(id)
            if id in one.ends and now["status"] == 200 and told_of(now) != one.ends[id]:
                found.changed.append(id)
    site.terminate()
    site.wait(60)
    # Once more, in good health: what was thrown away is swept at the start.
    with SiteProcess(site.folder, **site.settings):
        pass
    settings = Settings(data=site.folder / "site")
    found.orphans += [finding.line for finding in examine(settings)]
    database, store = Database(settings.database_url), Store(settings.store_url)
    with database.read() as session:
        keys = set(session.scalars(select(PictureRow.key)))
        prompts = session.scalars(select(DrawingRow.prompt)).all()
    database.close()
    found.orphans += sorted(keys ^ set(store.keys()))
    if keyed and len(prompts) != len(set(prompts)):
        found.doubled.append(f"{len(prompts)} drawings, {len(set(prompts))} asked for")


KILL_AT = """
import os, signal
from nonet.service import points
def hook(point, left=[{times}]):
    if point == {point!r}:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
points.set_hook(hook)
"""

LOSES = """
from sqlalchemy import delete
from nonet.service.line import Line
from nonet.service.tables import DrawingRow
start = Line.register
def forgetful(self):
    # A line that is kept in memory is empty after a restart.
    with self._database.write() as session:
        session.execute(delete(DrawingRow).where(DrawingRow.state.in_(("queued", "drawing"))))
    return start(self)
Line.register = forgetful
"""
NEVER_ENDS = """
from nonet.service.line import Line
Line._bury = lambda self, session, worker: []
"""
DOUBLES = """
from nonet.service.jobs import Jobs
submit = Jobs.submit
Jobs.submit = lambda self, request, *, caller, api, key=None: submit(self, request, caller=caller, api=api)
"""
CHANGES = """
from sqlalchemy import update
from nonet.service.line import Line
from nonet.service.tables import DrawingRow
register = Line.register
def again(self):
    # Who cannot tell what was done does it once more.
    with self._database.write() as session:
        session.execute(update(DrawingRow).where(DrawingRow.state == "drawn").values(state="queued"))
    return register(self)
Line.register = again
"""
LITTERS = """
from nonet.service.dispatcher import Dispatcher
drawn = Dispatcher._drawn
def twice(self, held, picture, png):
    self._store.put(png + b"again", ".png")
    drawn(self, held, picture, png)
Dispatcher._drawn = twice
"""
GIVES_UP = """
from nonet.service.line import Line
back = Line._back
Line._back = lambda self, session, row, *, lost: self._end(session, row, "failed", ("internal", "Lost.", ""))
"""
BROKEN: dict[tuple[str, ...], str] = {
    ("lost", "orphans"): LOSES + LITTERS,
    ("doubled", "unended"): DOUBLES + NEVER_ENDS,
    ("changed", "failed"): CHANGES + GIVES_UP,
}
"""Builds that are broken so that these detectors, all there are, must find something."""
