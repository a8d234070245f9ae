"""All parts of the site put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nonet.engine.request import DrawRequest
from nonet.safety.policy import Policy, PromptRefusedError
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
    from nonet.service.supervisor import Supervisor


@dataclass
class Services:
    """What the routes use; `app.state.services` is one."""

    settings: Settings
    database: Database
    jobs: Jobs
    store: Store
    hub: Hub
    supervisor: Supervisor
    dispatcher: Dispatcher
    policy: Policy
    metrics: Metrics
    callers: Callers
    pictures: Pictures = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = Pictures(self.store)

    def admit(self, request: DrawRequest) -> None:
        """Ask whether a drawing may be made at all: is there room, and does the policy allow it?

        Raises:
            NonetError: `queue_full` or `unavailable` (`OverloadedError`s); `PromptRefusedError`.
        """
        # Without the database and before the policy's work: under load this is the answer that most get.
        self.jobs.check_open()
        try:
            self.policy.require(
                request.prompt, negative=request.negative_prompt, level=self.settings.safety
            )
        except PromptRefusedError as error:
            self.metrics.refusals.labels(error.category).inc()
            raise

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
