"""What the queue says about drawings: read-only snapshots that may go to any thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from nonet.engine.request import DrawRequest

State = Literal["queued", "drawing", "drawn", "failed", "cancelled", "expired"]
Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
ENDED: frozenset[str] = frozenset({"drawn", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        id: stable: of an API key its name, else a hash of the address; never the address itself.
        kind: anonymous, key or admin.
        priority: whose drawings go first.
    """

    id: str
    kind: Literal["anonymous", "key", "admin"] = "anonymous"
    priority: Priority = "normal"


@dataclass(frozen=True)
class JobPicture:
    """A drawn picture of a job.

    Attributes:
        index: from 0; with candidates the judge's best is 0.
        key: of the PNG in the store.
        seed: draws this very picture again, alone.
        score: the judge's; None for a model without one.
        sources: the remembered pictures that it was drawn after.
        hidden: an admin took it out of sight.
    """

    index: int
    key: str
    seed: int
    score: float | None = None
    sources: list[dict[str, str]] = field(default_factory=list)
    hidden: bool = False


@dataclass(frozen=True)
class Job:
    """An accepted drawing as it was when it was read.

    Attributes:
        id: unguessable, 22 characters that are safe in a URL.
        request: as accepted, its seed settled.
        caller: the `Caller.id` of who asked.
        api: which API it came by: native, openai, dallemini, craiyon or page.
        created, started, ended: UTC.
        error: code, message and hint; None unless it failed, was cancelled or expired.
        notes: what a person should know, for example that the prompt was cut.
        seconds: that the drawing took, without waiting.
        model: the model's name.
        pictures: in order; complete exactly when `state` is drawn, before that those that are there already.
        published: its caller put it into the gallery.
        hidden: an admin took it out of sight.
        attempt: how often it has been begun; 0 while it waits for the first time.
        losses: how often what drew it died.
    """

    id: str
    state: State
    request: DrawRequest
    caller: str
    api: str
    priority: Priority
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    error: tuple[str, str, str] | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float | None = None
    model: str = ""
    pictures: list[JobPicture] = field(default_factory=list)
    published: bool = False
    hidden: bool = False
    attempt: int = 0
    losses: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED


@dataclass(frozen=True)
class Place:
    """Where a job stands in the line.

    Attributes:
        place: 0 while it is drawn and after its end; 1 is drawn next.
        eta_seconds: until its last picture; None as long as no speed has been measured; 0 after its end.
        queued: all jobs that wait.
    """

    place: int
    eta_seconds: float | None
    queued: int


@dataclass(frozen=True)
class Report:
    """A complaint about a published drawing.

    Attributes:
        picture: its index; None for the whole drawing.
        open: nobody has dealt with it yet.
    """

    id: int
    job: str
    picture: int | None
    reason: str
    caller: str
    created: datetime
    open: bool = True
