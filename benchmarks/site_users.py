"""Users of the site for locust; `site_load.py` starts the site and them."""

from __future__ import annotations

import os
import random
import time
from datetime import datetime
from typing import Any

from locust import FastHttpUser, task

PROMPTS = (
    "a red apple on a table",
    "a cat on the moon",
    "a blue car in the rain",
    "a hamster Godzilla in a sombrero",
    "a castle made of cheese",
    "a penguin with a guitar",
)
RATE = float(os.environ.get("LOAD_DRAWINGS_A_SECOND", "0.645"))
DRAWERS = int(os.environ.get("LOAD_DRAWERS", "40"))
COUNT = int(os.environ.get("LOAD_COUNT", "9"))


def bearer(key: str) -> dict[str, str]:
    """A key's header."""
    return {"Authorization": f"Bearer {key}"}


class _InItsTime(FastHttpUser):
    """Does something whenever it is due, however long the last time took.

    Of locust's two kinds of users the one that needs less of the processor: it is the site's, too.
    """

    abstract = True

    def on_start(self) -> None:
        """The first time is now."""
        self.due = time.time()

    def pause(self) -> float:
        """Seconds from one time to the next."""
        raise NotImplementedError

    def wait_time(self) -> float:
        """Until it is due; locust's own pacing would soon bring all users into one beat."""
        self.due += self.pause()
        return max(0.0, self.due - time.time())


class _Asker(_InItsTime):
    """Asks for drawings, in a beat of its own."""

    abstract = True
    key = "crowd"
    beat = DRAWERS / RATE

    def on_start(self) -> None:
        """Begin at any time of the beat, so that they do not all ask at once."""
        time.sleep(random.uniform(0, self.beat))
        super().on_start()

    def pause(self) -> float:
        """The beat."""
        return self.beat

    def ask(self) -> str | None:
        """Ask for one; a refusal for want of room is an answer, counted under a name of its own."""
        body = {"prompt": random.choice(PROMPTS), "count": COUNT}
        with self.client.post(
            "/api/drawings", json=body, headers=bearer(self.key), name="ask", catch_response=True
        ) as answer:
            if answer.status_code == 202:
                id: str = answer.json()["id"]
                return id
            if answer.status_code in (429, 503) and "retry-after" in answer.headers:
                answer.request_meta["name"] = "refused"
                answer.success()
            return None

    def wait_for(self, id: str, name: str) -> None:
        """Wait for its end and count how long that took; a drawing that is not drawn is a failure."""
        began = time.perf_counter()
        while True:
            time.sleep(1.0)
            found: dict[str, Any] = self.client.get(f"/api/drawings/{id}", name="status").json()
            if found["state"] not in ("queued", "drawing"):
                break
        error = None if found["state"] == "drawn" else RuntimeError(found["state"])
        self.count(name, time.perf_counter() - began, error)
        if error is None:
            created, started, ended = (
                datetime.fromisoformat(found[name]) for name in ("created", "started", "ended")
            )
            self.count(f"{name}: waited", (started - created).total_seconds())
            self.count(f"{name}: in hand", (ended - started).total_seconds())

    def count(self, name: str, seconds: float, error: Exception | None = None) -> None:
        """Put a time into locust's table."""
        self.environment.events.request.fire(
            request_type="JOB",
            name=name,
            response_time=1000 * seconds,
            response_length=0,
            exception=error,
            context={},
        )


class Drawer(_Asker):
    """One of a crowd that asks at a steady rate together and waits for what it asked for."""

    fixed_count = DRAWERS

    @task
    def draw(self) -> None:
        """Ask and wait."""
        id = self.ask()
        if id is not None:
            self.wait_for(id, "drawn")


class Rusher(_Asker):
    """Asks again and again and waits for nothing: ten times what the site can draw."""

    fixed_count = DRAWERS
    key = "heavy"

    @task
    def draw(self) -> None:
        """Ask."""
        self.ask()


class Light(_Asker):
    """Somebody who wants one drawing now and then while others rush."""

    fixed_count = 1
    beat = 7.5
    key = "light"

    @task
    def draw(self) -> None:
        """Ask and wait."""
        id = self.ask()
        if id is not None:
            self.wait_for(id, "light drawn")


class Reader(_InItsTime):
    """Reads pages and drawings: ten of them make fifty requests a second, each whenever it likes."""

    fixed_count = 10

    def on_start(self) -> None:
        """Have a drawing to look at, not all at the same moment."""
        time.sleep(random.uniform(0, 10))
        self.id = self.client.post(
            "/api/drawings", json={"prompt": PROMPTS[0], "count": 1}, headers=bearer("crowd"), name="ask"
        ).json()["id"]
        super().on_start()

    def pause(self) -> float:
        """Five times a second, by chance."""
        return random.expovariate(5)

    @task(4)
    def status(self) -> None:
        """How far is it?"""
        self.client.get(f"/api/drawings/{self.id}", name="status")

    @task(2)
    def page(self) -> None:
        """Its page."""
        self.client.get(f"/d/{self.id}", name="page")

    @task(1)
    def first_page(self) -> None:
        """The page with the prompt."""
        self.client.get("/", name="page")
