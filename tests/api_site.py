"""A running site behind a real server, with an engine that shows how its pictures come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import service_fakes
from live_server import served
from nonet.engine.events import Event, Partial, Progress
from nonet.engine.request import DrawRequest
from nonet.service.app import create_app
from nonet.service.site import Site

ENGINE = "api_site:engine"


class _Stream(service_fakes.PromptedStream):
    """Its pictures come a quarter at a time, if the prompt says `quarters`."""

    def __iter__(self) -> Iterator[Event]:
        for event in super().__iter__():
            if isinstance(event, Progress) and event.tokens_done == 16 and "quarters" in self.request.prompt:
                continue
            yield event
            if isinstance(event, Partial) and "quarters" in self.request.prompt:
                for quarter in range(1, 4):
                    yield Progress(event.picture, 64 * quarter, 256)
                    yield Partial(event.picture, event.pixels)


class _Engine(service_fakes.PromptedEngine):
    def submit(self, request: DrawRequest, *, partials: bool = True) -> _Stream:
        return _Stream(request)


def engine(model: str, low_memory: bool, dtype: str) -> _Engine:
    """What the engine's process calls."""
    return _Engine()


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class LiveSite:
    """A running site and its address."""

    site: Site
    url: str

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send a request; `data` as JSON, or as it is when it is bytes. Underscores in header names are hyphens."""
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else self.url + path
        try:
            with urlopen(Request(url, body, sent, method=method), timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        """POST."""
        return self.ask("POST", path, data, **headers)

    def drawn(self, prompt: str = "a cat", **settings: Any) -> dict[str, Any]:
        """A drawing of the native API, when it is over."""
        asked = self.post("/api/drawings", {"prompt": prompt, **settings})
        assert asked.status == 202, asked.body
        found: dict[str, Any] = service_fakes.until(
            lambda: over if (over := self.get(asked.json()["url"]).json())["ended"] else None
        )
        return found


@contextmanager
def live_site(folder: Path, **settings: Any) -> Iterator[LiveSite]:
    """A site for a test; further settings as in `nonet.service.settings`."""
    given = {"engine": ENGINE, "model": "doodle", **settings}
    with service_fakes.running(folder, **given) as site, served(create_app(site.services)) as url:
        yield LiveSite(site, url)
