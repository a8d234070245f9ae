"""The line of drawings as those see it who ask for them: every accepted one is a row before it is acknowledged."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service import points
from nonet.service.database import Database, now
from nonet.service.engines import how_many, how_many_together
from nonet.service.eta import Running, Speed
from nonet.service.gate import Gate
from nonet.service.hub import not_found
from nonet.service.limits import Rate, check_size
from nonet.service.records import PRIORITIES, Caller, Job, JobPicture, Place, Report
from nonet.service.rows import (
    hash_of_key,
    job_of,
    new_id,
    next_turn,
    read_job,
    request_hash,
    request_values,
    throw_away,
)
from nonet.service.settings import Settings
from nonet.service.sharing import Sharing
from nonet.service.tables import BanRow, DrawingRow

__all__ = ["Caller", "Job", "JobPicture", "Jobs", "Place", "Report"]

_VIEW_SECONDS = 0.2
"""A picture of the line is not taken more often than this."""
_TOLD_MAX = 10_000
_VIEW_OLD_SECONDS = 1.0
"""Nor is it older: other servers change the line too."""


@dataclass(frozen=True)
class _View:
    """The line at a moment: places and, from that moment, the seconds until each drawing is done."""

    taken: float
    version: int
    places: dict[str, int]
    ends: dict[str, float]


@dataclass
class Watchers:
    """Who wants to know of changes: called after the change is committed, in the thread that made it."""

    submitted: list[Callable[[Job], None]] = field(default_factory=list)
    cancelled: list[Callable[[Job], None]] = field(default_factory=list)


class Jobs(Sharing):
    """Asking for drawings, looking at them, cancelling them; thread-safe and synchronous.

    Attributes:
        speed: what drawings take; whoever draws tells it.
        progress: of the drawings that are drawn here, the part that is done.
        gate: who may come into the line.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database)
        self.settings = settings
        self.speed = Speed()
        self.progress: dict[str, float] = {}
        self.watchers = Watchers()
        self.gate = Gate(settings, look=self._line, soonest=self._wait_for_room)
        self._told: dict[str, float] = {}
        self._version = 0
        self._view: _View | None = None
        self._view_lock = threading.Lock()
        self.refresh()

    def submit(self, request: DrawRequest, *, caller: Caller, api: str, key: str | None = None) -> Job:
        """Accept a drawing: it is a row when this returns.

        Args:
            request: checked, and the policy has been asked.
            caller: who asks.
            api: by which API.
            key: the caller's idempotency key: a second call with it returns the first one's job.

        Raises:
            NonetError: `queue_full`, `rate_limited` or `unavailable` (these are `OverloadedError`s), `not_allowed`,
                `setting_invalid`, `key_reused`, `disk_full`.
        """
        key_hash = hash_of_key(caller.id, key)
        known = self.known(request, caller=caller, key=key)
        if known is not None:
            return known
        self.gate.check(caller)
        check_size(request, self.settings)
        if key_hash is None:
            self.gate.limits.take(caller)
        try:
            with self._database.write(line=True, patient=False) as session:
                # Again, now that nobody else is writing: twenty threads may have come with one key.
                found = self._by_key(session, key_hash, request) if key_hash is not None else None
                if found is not None:
                    return found
                if key_hash is not None:
                    self.gate.limits.take(caller)
                job = self._insert(session, request, caller, api, key_hash)
        except IntegrityError:
            # Another server was faster with the same key.
            with self._database.read() as session:
                found = self._by_key(session, key_hash or "", request)
            if found is None:
                raise
            return found
        points.reach("accepted")
        self._count(caller.id, 1)
        for watcher in self.watchers.submitted:
            watcher(job)
        return job

    def known(self, request: DrawRequest, *, caller: Caller, key: str | None) -> Job | None:
        """The job that this caller asked for before with this idempotency key.

        Raises:
            NonetError: `key_reused` if it was another drawing.
        """
        key_hash = hash_of_key(caller.id, key)
        if key_hash is None:
            return None
        with self._database.read() as session:
            return self._by_key(session, key_hash, request)

    def get(self, id: str) -> Job:
        """The job as it is now.

        Raises:
            NonetError: `not_found`.
        """
        changes = self.lately.changes
        with self._database.read() as session:
            job = read_job(session, id)
        if job is None:
            raise not_found()
        self.lately.keep(job, changes)
        return job

    def place(self, id: str) -> Place:
        """Where a job stands, and how long it will take.

        Raises:
            NonetError: `not_found`.
        """
        view = self._line()
        if id not in view.places and id not in view.ends:
            job = self.get(id)
            if job.state == "queued":
                view = self._line(fresh=True)
            elif job.over:
                return Place(0, 0.0, len(view.places))
        end = view.ends.get(id)
        eta = None if end is None else max(0.0, end - (time.monotonic() - view.taken))
        if end is not None and id in view.places and len(self._told) < _TOLD_MAX:
            self._told.setdefault(id, view.taken + end)
        return Place(view.places.get(id, 0), eta, len(view.places))

    def places(self) -> dict[str, Place]:
        """Where every waiting job stands."""
        view = self._line()
        age = time.monotonic() - view.taken
        return {
            id: Place(place, max(0.0, view.ends[id] - age) if id in view.ends else None, len(view.places))
            for id, place in view.places.items()
        }

    def eta_error(self, id: str) -> float | None:
        """Seconds by which a job that ends now is later than was told first; None if nothing was told."""
        told = self._told.pop(id, None)
        return None if told is None else time.monotonic() - told

    def forget_told(self, id: str) -> None:
        """A job ended in another way than drawn."""
        self._told.pop(id, None)

    def cancel(self, id: str, caller: Caller | None) -> Job:
        """Stop a job; one that is over stays as it is.

        Args:
            caller: must be who asked for it, or an admin; None for the site itself.

        Raises:
            NonetError: `not_found`, also if it is somebody else's.
        """
        with self._database.write() as session:
            row = self._owned(session, id, caller)
            if row.state not in ("queued", "drawing"):
                return job_of(session, row)
            waited = row.state == "queued"
            row.state = "cancelled"
            row.ended = now()
            row.error_code, row.error_message, row.error_hint = "cancelled", "The drawing was cancelled.", ""
            throw_away(session, row.seq)
            job = job_of(session, row)
        self._count(job.caller, -1 if waited else 0)
        for watcher in self.watchers.cancelled:
            watcher(job)
        return job

    def rate(self, caller: Caller) -> Rate | None:
        """How often a caller may still ask for drawings; None for any number."""
        return self.gate.limits.rate(caller)

    def ban(self, caller: str, reason: str = "") -> None:
        """Accept nothing more from a caller; their waiting jobs are cancelled."""
        with self._database.write() as session:
            session.merge(BanRow(caller=caller, reason=reason, created=now()))
            waiting = select(DrawingRow.id).where(DrawingRow.caller == caller, DrawingRow.state == "queued")
            ids = list(session.scalars(waiting))
        for id in ids:
            self.cancel(id, None)
        self.refresh()

    def unban(self, caller: str) -> None:
        """Accept drawings of a caller again."""
        with self._database.write() as session:
            row = session.get(BanRow, caller)
            if row is not None:
                session.delete(row)
        self.refresh()

    def banned(self) -> list[tuple[str, str]]:
        """Callers who may not draw, and why."""
        with self._database.read() as session:
            return [
                (row.caller, row.reason) for row in session.scalars(select(BanRow).order_by(BanRow.created))
            ]

    def queued(self) -> int:
        """How many wait, as last counted."""
        return self.gate.queued

    def _count(self, caller: str, more: int) -> None:
        self.gate.queued += more
        self.gate.waiting[caller] += more
        self.changed()

    def changed(self) -> None:
        """The line is no longer as it was when it was last looked at."""
        self._version += 1

    def refresh(self) -> None:
        """Count again what is kept in memory; other servers change it too."""
        with self._database.read() as session:
            callers = select(DrawingRow.caller, func.count()).where(DrawingRow.state == "queued")
            rows = session.execute(callers.group_by(DrawingRow.caller))
            waiting: Counter[str] = Counter()
            for caller, count in rows:
                waiting[caller] = count
            self.gate.waiting, self.gate.queued = waiting, waiting.total()
            self.gate.banned = frozenset(session.scalars(select(BanRow.caller)))
        self.changed()

    def _insert(
        self, session: Session, request: DrawRequest, caller: Caller, api: str, key_hash: str | None
    ) -> Job:
        self.gate.queued = self._count_queued(session)
        self.gate.check_full()
        mine = select(func.count(), func.max(DrawingRow.turn)).where(DrawingRow.caller == caller.id)
        waiting, _ = session.execute(mine.where(DrawingRow.state == "queued")).one()
        self.gate.check_waiting(caller, waiting)
        priority = PRIORITIES.index(caller.priority)
        row = DrawingRow(
            id=new_id(),
            state="queued",
            caller=caller.id,
            api=api,
            priority=priority,
            turn=next_turn(session, caller.id, priority),
            prompt=request.prompt,
            request=request_values(request),
            pictures=request.pictures,
            key_hash=key_hash,
            request_hash=request_hash(request),
            created=now(),
        )
        session.add(row)
        # Its defaults are filled in when it is written.
        session.flush()
        return job_of(session, row)

    def _by_key(self, session: Session, key_hash: str, request: DrawRequest) -> Job | None:
        row = session.scalar(select(DrawingRow).where(DrawingRow.key_hash == key_hash))
        if row is None:
            return None
        if row.request_hash != request_hash(request):
            raise NonetError(
                "key_reused",
                "This idempotency key was used for another drawing.",
                "Use a new key for each drawing.",
            )
        return job_of(session, row)

    def _wait_for_room(self) -> float:
        """Seconds until the next drawing ends, after which there is room again."""
        view = self._view
        soonest = min(view.ends.values(), default=5.0) if view is not None else 5.0
        return min(max(1.0, soonest), 60.0)

    @staticmethod
    def _count_queued(session: Session) -> int:
        count = session.scalar(select(func.count()).where(DrawingRow.state == "queued"))
        return count or 0

    def _line(self, *, fresh: bool = False) -> _View:
        view = self._view
        age = time.monotonic() - view.taken if view is not None else 0.0
        if view is not None and not fresh:
            old = age > _VIEW_OLD_SECONDS or (view.version != self._version and age > _VIEW_SECONDS)
            if not old:
                return view
        with self._view_lock:
            if self._view is not view and self._view is not None and not fresh:
                return self._view  # somebody else has just looked
            self._view = self._look()
            return self._view

    def _look(self) -> _View:
        version = self._version
        columns = select(DrawingRow.id, DrawingRow.pictures, DrawingRow.caller)
        order = (DrawingRow.priority, DrawingRow.turn, DrawingRow.seq)
        with self._database.read() as session:
            rows = session.execute(columns.where(DrawingRow.state == "queued").order_by(*order)).all()
            running = [
                Running(id, pictures, self.progress.get(id, 0.0))
                for id, pictures, _ in session.execute(columns.where(DrawingRow.state == "drawing"))
            ]
        waiting = [(id, pictures) for id, pictures, _ in rows]
        self.gate.queued, self.gate.waiting = len(rows), Counter(caller for _, _, caller in rows)
        slots = how_many_together(self.settings) * how_many(self.settings)
        ends = self.speed.finish_times(running, waiting, slots)
        places = {id: place for place, (id, _) in enumerate(waiting, start=1)}
        return _View(time.monotonic(), version, places, ends)
