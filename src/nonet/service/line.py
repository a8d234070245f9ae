"""The line of drawings as a worker sees it: taking the next one, keeping it, ending it exactly once.

A worker may end what it took only while it holds it: every change names the worker and the attempt, and changes nothing
if the job was taken away meanwhile. Whether a worker lives is told by a number that it raises (its beat); others watch
the number with monotonic clocks of their own, so a wall clock that jumps makes nobody dead.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from nonet.service.database import Database, now
from nonet.service.records import Job, JobPicture
from nonet.service.rows import job_of, set_last_turn, throw_away
from nonet.service.store import Store
from nonet.service.tables import DrawingRow, FactRow, PictureRow, TrashRow, WorkerRow

Failure = tuple[str, str, str]
LOST: Failure = (
    "model_failed",
    "What draws has stopped in the middle of this drawing each time it was tried.",
    "Try it with another seed or other words.",
)
EXPIRED: Failure = (
    "expired",
    "The drawing waited too long to be drawn.",
    "Ask for it again when less is going on.",
)
_SWEEP = 200


@dataclass(frozen=True)
class Held:
    """A job that a worker holds: which, and by which attempt."""

    id: str
    attempt: int


class Line:
    """What a worker does to the line; thread-safe.

    Args:
        losses_max: a job whose worker died so often fails.
        alone: no other server can be using this database, so every other worker in it is dead.
    """

    def __init__(self, database: Database, *, losses_max: int, alone: bool) -> None:
        self._database = database
        self._losses_max = losses_max
        self._alone = alone
        self.worker = ""
        self._beats: dict[str, tuple[int, float]] = {}
        self._trash: dict[int, float] = {}

    # Living

    def register(self) -> list[Job]:
        """Become a worker of the line. Returns the jobs of dead workers that were put back or given up."""
        self.worker = secrets.token_hex(8)
        with self._database.write(line=True) as session:
            session.add(WorkerRow(id=self.worker, started=now()))
            session.flush()
            if not self._alone:
                return []
            others = list(session.scalars(select(WorkerRow.id).where(WorkerRow.id != self.worker)))
            orphaned = select(DrawingRow.worker).where(DrawingRow.state == "drawing").distinct()
            held = [worker for worker in session.scalars(orphaned) if worker not in others]
            return [job for worker in [*others, *held] for job in self._bury(session, worker or "")]

    def leave(self) -> None:
        """Be no worker any more; the line holds nothing of this worker's."""
        with self._database.write() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == self.worker))

    def beat(self) -> bool:
        """Say that this worker lives; False if it was taken for dead meanwhile and holds nothing any more."""
        with self._database.write() as session:
            changed = session.execute(
                update(WorkerRow).where(WorkerRow.id == self.worker).values(beat=WorkerRow.beat + 1)
            )
            return _count(changed) == 1

    def bury_dead(self, lease_seconds: float) -> list[Job]:
        """Put the jobs of workers back into the line whose beat has stood still for longer than the lease."""
        with self._database.read() as session:
            beats = {row.id: row.beat for row in session.scalars(select(WorkerRow))}
        clock = time.monotonic()
        beats.pop(self.worker, None)
        self._beats = {
            worker: known if (known := self._beats.get(worker)) and known[0] == beat else (beat, clock)
            for worker, beat in beats.items()
        }
        dead = {worker: seen for worker, seen in self._beats.items() if clock - seen[1] > lease_seconds}
        jobs: list[Job] = []
        for worker, (beat, _) in dead.items():
            with self._database.write(line=True) as session:
                # Only one server gets this row away, and only if it has not moved after all.
                removed = session.execute(
                    delete(WorkerRow).where(WorkerRow.id == worker, WorkerRow.beat == beat)
                )
                if _count(removed) == 1:
                    jobs += self._bury(session, worker)
        return jobs

    # Drawing

    def claim(self) -> Job | None:
        """Take the drawing whose turn it is; None if none waits."""
        query = select(DrawingRow).where(DrawingRow.state == "queued")
        query = query.order_by(DrawingRow.priority, DrawingRow.turn, DrawingRow.seq).limit(1)
        with self._database.read() as session:
            if session.scalar(query.with_only_columns(DrawingRow.seq)) is None:
                return None
        with self._database.write(line=True) as session:
            row = session.scalar(query)
            if row is None:
                return None
            if row.attempt:
                throw_away(session, row.seq)
            row.state, row.worker, row.attempt = "drawing", self.worker, row.attempt + 1
            row.started = now()
            set_last_turn(session, row.priority, row.turn)
            session.flush()
            return job_of(session, row)

    def holds(self, held: Held) -> bool:
        """Whether this worker still holds the job."""
        with self._database.read() as session:
            return self._held(session, held) is not None

    def held(self) -> list[Held]:
        """Everything that this worker holds, by the rows."""
        query = select(DrawingRow.id, DrawingRow.attempt).where(
            DrawingRow.state == "drawing", DrawingRow.worker == self.worker
        )
        with self._database.read() as session:
            return [Held(id, attempt) for id, attempt in session.execute(query)]

    def add_picture(self, held: Held, picture: JobPicture) -> bool:
        """Write the row of a picture, before its bytes are stored. False if the job is not held any more."""
        with self._database.write() as session:
            row = self._held(session, held)
            if row is None:
                return False
            session.merge(
                PictureRow(
                    drawing=row.seq,
                    index=picture.index,
                    key=picture.key,
                    seed=picture.seed,
                    score=picture.score,
                    sources=picture.sources,
                    hidden=False,
                )
            )
            return True

    def finish(self, held: Held, *, seconds: float, model: str, notes: Sequence[str]) -> Job | None:
        """Say that all pictures are drawn and stored. None if the job is not held any more."""
        with self._database.write() as session:
            row = self._held(session, held)
            if row is None:
                return None
            row.state, row.ended, row.worker = "drawn", now(), None
            row.seconds, row.model, row.notes = seconds, model, list(notes)
            session.flush()
            return job_of(session, row)

    def fail(self, held: Held, failure: Failure) -> Job | None:
        """Say that the job cannot be drawn. None if it is not held any more."""
        with self._database.write() as session:
            row = self._held(session, held)
            if row is None:
                return None
            self._end(session, row, "failed", failure)
            return job_of(session, row)

    def give_back(self, held: Held, *, lost: bool) -> Job | None:
        """Put a job back to where it stood in the line. None if it is not held any more.

        Args:
            lost: what drew it died, which a job survives only so often.
        """
        with self._database.write(line=True) as session:
            row = self._held(session, held)
            if row is None:
                return None
            self._back(session, row, lost=lost)
            return job_of(session, row)

    # Tidying

    def expire(self, ids: Sequence[str]) -> list[Job]:
        """End jobs that have waited too long."""
        jobs = []
        with self._database.write() as session:
            query = select(DrawingRow).where(DrawingRow.id.in_(ids), DrawingRow.state == "queued")
            for row in session.scalars(query).all() if ids else ():
                self._end(session, row, "expired", EXPIRED)
                jobs.append(job_of(session, row))
        return jobs

    def put_back_stuck(self, ids: Sequence[str]) -> None:
        """Put jobs back into the line whose worker is known to be dead."""
        with self._database.write(line=True) as session:
            query = select(DrawingRow).where(DrawingRow.id.in_(ids), DrawingRow.state == "drawing")
            for row in session.scalars(query).all():
                self._back(session, row, lost=True)

    def waiting(self) -> list[str]:
        """Ids of all jobs in the line."""
        with self._database.read() as session:
            return list(session.scalars(select(DrawingRow.id).where(DrawingRow.state == "queued")))

    def forget(self, days: float) -> int:
        """Delete unpublished drawings that ended more than `days` ago, some at a time; how many."""
        before = now() - timedelta(days=days)
        query = select(DrawingRow).where(DrawingRow.ended < before, DrawingRow.published.is_(False))
        with self._database.write() as session:
            rows = session.scalars(query.order_by(DrawingRow.seq).limit(_SWEEP)).all()
            for row in rows:
                throw_away(session, row.seq)
                session.delete(row)
            return len(rows)

    def sweep(self, store: Store, *, after_seconds: float = 60.0) -> int:
        """Take some entries out of the trash, and bytes that no picture needs out of the store; how many entries.

        Args:
            after_seconds: not before they have been seen in the trash for so long: whoever lost the job may just be
                storing them.
        """
        query = select(TrashRow.number, TrashRow.key).order_by(TrashRow.number).limit(_SWEEP)
        with self._database.read() as session:
            found = {row.number: row.key for row in session.execute(query)}
        clock = time.monotonic()
        self._trash = {number: self._trash.get(number, clock) for number in found}
        ripe = [number for number, seen in self._trash.items() if clock - seen >= after_seconds]
        for key in {found[number] for number in ripe}:
            store.delete_unless(key, partial(self._needed, key))
        if ripe:
            with self._database.write() as session:
                session.execute(delete(TrashRow).where(TrashRow.number.in_(ripe)))
        return len(ripe)

    def recent(self, limit: int = 20) -> list[tuple[float, int]]:
        """Seconds and pictures of the last drawings, the oldest first."""
        query = select(DrawingRow.seconds, DrawingRow.pictures).where(DrawingRow.state == "drawn")
        with self._database.read() as session:
            found = session.execute(query.order_by(DrawingRow.seq.desc()).limit(limit)).all()
        return [(seconds, pictures) for seconds, pictures in reversed(found) if seconds]

    def fact(self, name: str, default: str = "") -> str:
        """A small thing that is kept in the database."""
        with self._database.read() as session:
            row = session.get(FactRow, name)
            return row.value if row is not None else default

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small thing."""
        with self._database.write() as session:
            session.merge(FactRow(name=name, value=value))

    def settle_fact(self, name: str, value: str) -> str:
        """Keep a small thing unless it is kept already; what is kept then, the same for all servers."""
        with self._database.write(line=True) as session:
            row = session.get(FactRow, name)
            if row is None:
                session.add(FactRow(name=name, value=value))
                return value
            return row.value

    def count_start(self) -> int:
        """The number of this start, higher than that of every start before."""
        with self._database.write(line=True) as session:
            row = session.get(FactRow, "starts")
            number = int(row.value) + 1 if row is not None else 1
            session.merge(FactRow(name="starts", value=str(number)))
            return number

    def _needed(self, key: str) -> bool:
        with self._database.read() as session:
            return bool(session.scalar(select(func.count()).where(PictureRow.key == key)))

    def _held(self, session: Session, held: Held) -> DrawingRow | None:
        query = select(DrawingRow).where(
            DrawingRow.id == held.id,
            DrawingRow.state == "drawing",
            DrawingRow.worker == self.worker,
            DrawingRow.attempt == held.attempt,
        )
        return session.scalar(query.with_for_update())

    def _bury(self, session: Session, worker: str) -> list[Job]:
        session.execute(delete(WorkerRow).where(WorkerRow.id == worker))
        rows = session.scalars(
            select(DrawingRow).where(DrawingRow.state == "drawing", DrawingRow.worker == worker)
        ).all()
        for row in rows:
            self._back(session, row, lost=True)
        return [job_of(session, row) for row in rows]

    def _back(self, session: Session, row: DrawingRow, *, lost: bool) -> None:
        row.losses += lost
        if row.losses >= self._losses_max:
            self._end(session, row, "failed", LOST)
            return
        row.state, row.worker, row.started = "queued", None, None
        session.flush()

    @staticmethod
    def _end(session: Session, row: DrawingRow, state: str, failure: Failure) -> None:
        row.state, row.ended, row.worker = state, now(), None
        row.error_code, row.error_message, row.error_hint = failure
        throw_away(session, row.seq)


def _count(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
