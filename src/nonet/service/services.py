"""All parts of the site put together."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nonet.engine.request import DrawRequest
from nonet.safety.policy import Policy, PromptRefusedError
from nonet.safety.provenance.c2pa import Certificate
from nonet.service.errors import OverloadedError
from nonet.service.hub import Hub
from nonet.service.jobs import Jobs
from nonet.service.metrics import Metrics
from nonet.service.pictures import QUALITY, Pictures
from nonet.service.records import Job
from nonet.service.settings import Settings
from nonet.service.store import Store

if TYPE_CHECKING:
    from nonet.service.callers import Callers
    from nonet.service.database import Database
    from nonet.service.dispatcher import Dispatcher
    from nonet.service.engines import Engines
    from nonet.service.line import Line

JUDGED_MAX = 24
"""Prompts that are judged at a time; more are turned away."""
CLOSED = "The site takes no new drawings at present."


@dataclass
class Services:
    """What the routes use; `app.state.services` is one."""

    settings: Settings
    database: Database
    jobs: Jobs
    store: Store
    hub: Hub
    engines: Engines
    dispatcher: Dispatcher
    policy: Policy
    metrics: Metrics
    callers: Callers
    line: Line
    certificate: Certificate | None = None
    draining: bool = False
    pictures: Pictures = field(init=False)

    def __post_init__(self) -> None:
        self._judging = threading.Semaphore(JUDGED_MAX)
        self.pictures = Pictures(self.store, self.certificate)

    @property
    def ready(self) -> bool:
        """Whether a drawing asked for now would be drawn."""
        return not self.draining and self.engines.ready

    @property
    def alive(self) -> bool:
        """Whether the threads that draw are running."""
        return self.engines.alive and self.dispatcher.alive

    def read_state(self) -> None:
        """Do as an admin said, on whichever server: paused or not, closed or not."""
        self.dispatcher.paused = self.line.fact("paused") == "1"
        if not self.draining:
            self.jobs.gate.closed = CLOSED if self.line.fact("closed") == "1" else ""
        self.dispatcher.wake()

    def set_state(self, *, paused: bool | None = None, closed: bool | None = None) -> None:
        """Pause drawing, or close the line for new drawings, on all servers and over restarts."""
        for name, value in (("paused", paused), ("closed", closed)):
            if value is not None:
                self.line.set_fact(name, "1" if value else "0")
        self.read_state()

    def judge(self, request: DrawRequest) -> None:
        """Ask whether the policy lets a drawing be made.

        Raises:
            NonetError: `PromptRefusedError`; `unavailable` (an `OverloadedError`) while too many are judged.
        """
        # Each waits in a thread, and threads are for those too who only want to see how far their drawing is.
        if not self._judging.acquire(blocking=False):
            raise OverloadedError(
                "unavailable", "Too much is asked for at once.", "Try again in a moment.", retry_after=2.0
            )
        try:
            self.policy.require(request.prompt, negative=request.negative_prompt, level=self.settings.safety)
        except PromptRefusedError as error:
            self.metrics.refusals.labels(error.category).inc()
            raise
        finally:
            self._judging.release()

    def picture_bytes(
        self, job: Job, index: int, format: Literal["png", "webp", "jpg"], quality: int = QUALITY
    ) -> bytes:
        """One picture as a file; `quality` from 1 to 100 is of webp and jpg.

        Raises:
            NonetError: `not_found`, also if it is hidden.
        """
        return self.pictures.picture(job, index, format, quality=quality)

    def sheet_bytes(self, job: Job, format: Literal["png", "webp", "jpg"]) -> bytes:
        """The sheet of a drawn job as a file.

        Raises:
            NonetError: `not_found`, also if it is hidden.
        """
        return self.pictures.sheet(job, format)
