"""A running site as a client without script sees it: forms, cookies, redirects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

import service_fakes
from nonet.service.server import app_of
from nonet.service.site import Site

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Visitors:
    """Browsers without script at one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._app = app_of(site)

    def browser(self, address: str = "203.0.113.7", **headers: str) -> TestClient:
        """A new browser, with cookies of its own."""
        return TestClient(
            self._app, headers={**HTML, **headers}, client=(address, 50_000), follow_redirects=False
        )

    def drawn(self, browser: TestClient, prompt: str, **fields: Any) -> str:
        """Draw something by the form; the path of the drawing's page when it is done."""
        path = str(browser.post("/d", data={"prompt": prompt, **fields}).headers["location"])
        service_fakes.until(lambda: self.site.services.jobs.get(path[3:]).over)
        return path


@contextmanager
def visited(folder: Path, **settings: Any) -> Iterator[Visitors]:
    """A running site and its visitors."""
    with service_fakes.running(folder, **settings) as site:
        yield Visitors(site)
