"""A `nonet serve` in a process of its own, as people run it, for tests that kill it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

import service_fakes


class SiteProcess:
    """Runs while it is entered; `url` is its address.

    Args:
        folder: where its data lies; a second one on the same folder goes on with it.
        script: Python that is run first, in the same process; it may break things.
        settings: as `NONET_...` in its environment.
    """

    def __init__(self, folder: Path, *, script: str = "", wait: bool = True, **settings: Any) -> None:
        self.folder = folder
        self.settings = {
            "data": str(folder / "site"),
            "engine": service_fakes.ENGINE,
            "sign": "never",
            "invisible_mark": False,
            "safety": "off",
            "port": 0,
            "rate_anonymous": "100000/minute",
            "caller_queue_max": 1000,
            "heartbeat_seconds": 0.5,
            "hang_seconds": 60,
            **settings,
        }
        self._script = script
        self._wait = wait
        self.url = ""
        # One for all: making one takes longer than what is asked with it.
        self.client = httpx.Client(timeout=30)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        values = {
            f"NONET_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.settings.items()
        }
        code = f"import sys\n{self._script}\nfrom nonet.cli import main\nsys.exit(main(['serve']))"
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [service_fakes.PYTHON, "-c", code],
            env={**service_fakes.environment(), **values},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=self.folder,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("Nonet is at "), f"{line}{self.logged()}"
        self.url = line.split()[-1]
        if self._wait:
            service_fakes.until(self.ready, 60)

    def ready(self) -> bool:
        """Whether it says so."""
        return self.get("/readyz") == 200

    def get(self, path: str) -> int:
        """The status of a path; 0 if nobody answers."""
        try:
            return self.client.get(self.url + path, timeout=10).status_code
        except httpx.TransportError:
            return 0

    def ask(self, prompt: str = "a cat", **values: Any) -> httpx.Response:
        """Ask for a drawing."""
        return self.client.post(f"{self.url}/api/drawings", json={"prompt": prompt, **values})

    def state(self, id: str) -> dict[str, Any]:
        """A drawing as the site tells it."""
        answer = self.client.get(f"{self.url}/api/drawings/{id}")
        found: dict[str, Any] = answer.json()
        return {**found, "status": answer.status_code}

    def kill(self) -> None:
        """SIGKILL, the power cut of processes."""
        self.process.kill()
        self.close()

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60) -> int:
        """Its exit status."""
        status = self.process.wait(seconds)
        self.close()
        return status

    def close(self) -> None:
        """Forget about it."""
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()
        self.client.close()

    def logged(self) -> str:
        """What it logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> SiteProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.close()
        # Its engine ends with it; wait, so that it does not disturb the next test.
        time.sleep(0.05)
