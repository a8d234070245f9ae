"""Between rows and the snapshots that everybody else sees."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, cast

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from nonet.engine.request import DrawRequest
from nonet.service.records import PRIORITIES, Job, JobPicture, Report, State
from nonet.service.tables import DrawingRow, FactRow, PictureRow, ReportRow, TrashRow


def new_id() -> str:
    """An id that nobody guesses: 128 bits in 22 characters."""
    return secrets.token_urlsafe(16)


def request_values(request: DrawRequest) -> dict[str, Any]:
    """A request as JSON keeps it."""
    return asdict(request)


def request_hash(request: DrawRequest) -> str:
    """Equal for requests that ask for the same; the seed is left out, for where none is given one is drawn by lot."""
    values = {name: value for name, value in asdict(request).items() if name != "seed"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def pictures_of(session: Session, rows: Sequence[DrawingRow]) -> dict[int, list[JobPicture]]:
    """The pictures of drawings, by the drawing's number."""
    found: dict[int, list[JobPicture]] = {row.seq: [] for row in rows}
    query = select(PictureRow).where(PictureRow.drawing.in_(list(found))).order_by(PictureRow.index)
    for one in session.scalars(query) if found else ():
        found[one.drawing].append(_picture(one))
    return found


def jobs_of(session: Session, rows: Iterable[DrawingRow]) -> list[Job]:
    """Snapshots of rows with their pictures."""
    rows = list(rows)
    pictures = pictures_of(session, rows)
    return [_job(row, pictures[row.seq]) for row in rows]


def job_of(session: Session, row: DrawingRow) -> Job:
    """The snapshot of a row with its pictures."""
    return jobs_of(session, [row])[0]


def read_job(session: Session, id: str) -> Job | None:
    """The snapshot of that id, for those who only read: without the objects that changes need, a third of the time."""
    by_id, of_drawing = _reading()
    row = session.execute(by_id, {"id": id}).one_or_none()
    if row is None:
        return None
    return _job(row, [_picture(one) for one in session.execute(of_drawing, {"drawing": row.seq})])


@cache
def _reading() -> tuple[Select[Any], Select[Any]]:
    drawings, pictures = DrawingRow.__table__, PictureRow.__table__
    of_drawing = select(pictures).where(pictures.c.drawing == bindparam("drawing"))
    return select(drawings).where(drawings.c.id == bindparam("id")), of_drawing.order_by(pictures.c.index)


def report_of(row: ReportRow, job_id: str) -> Report:
    """The snapshot of a complaint."""
    return Report(row.number, job_id, row.picture, row.reason, row.caller, row.created, row.open)


def hash_of_key(caller: str, key: str | None) -> str | None:
    """What is kept of a caller's idempotency key; None for none."""
    return hashlib.sha256(f"{caller}\0{key}".encode("utf-8", "replace")).hexdigest() if key else None


def next_turn(session: Session, caller: str, priority: int) -> int:
    """One after the caller's last turn in the line, and after the turn that was taken last."""
    mine = select(func.max(DrawingRow.turn)).where(
        DrawingRow.priority == priority,
        DrawingRow.caller == caller,
        DrawingRow.state.in_(("queued", "drawing")),
    )
    return max(session.scalar(mine) or 0, last_turn(session, priority)) + 1


def last_turn(session: Session, priority: int) -> int:
    """The turn of the drawing of this class that was taken last."""
    row = session.get(FactRow, f"turn {priority}")
    return int(row.value) if row is not None else 0


def set_last_turn(session: Session, priority: int, turn: int) -> None:
    """A drawing of this turn is taken; one that is taken once more does not turn the time back."""
    session.merge(FactRow(name=f"turn {priority}", value=str(max(turn, last_turn(session, priority)))))


def throw_away(session: Session, drawing: int) -> None:
    """Take a drawing's pictures away and leave their bytes to the sweeper."""
    for one in session.scalars(select(PictureRow).where(PictureRow.drawing == drawing)):
        session.add(TrashRow(key=one.key))
        session.delete(one)
    session.flush()


def _picture(row: PictureRow | Row[Any]) -> JobPicture:
    # A row read without its object is a tuple too, and tuples have an `index` of their own.
    index = row.index if isinstance(row, PictureRow) else row._mapping["index"]
    return JobPicture(index, row.key, row.seed, row.score, list(row.sources), row.hidden)


def _job(row: DrawingRow | Row[Any], pictures: list[JobPicture]) -> Job:
    error = None
    if row.error_code is not None:
        error = (row.error_code, row.error_message or "", row.error_hint or "")
    return Job(
        id=row.id,
        state=cast("State", row.state),
        request=DrawRequest(**row.request),
        caller=row.caller,
        api=row.api,
        priority=PRIORITIES[row.priority],
        created=row.created,
        started=row.started,
        ended=row.ended,
        error=error,
        notes=list(row.notes),
        seconds=row.seconds,
        model=row.model,
        pictures=pictures,
        published=row.published,
        hidden=row.hidden,
        attempt=row.attempt,
        losses=row.losses,
    )
