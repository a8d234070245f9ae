"""Looks for what should not be: bytes without a picture, pictures without bytes, jobs that nobody draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from nonet.errors import NonetError
from nonet.service import schema
from nonet.service.database import Database
from nonet.service.datafolder import DataFolder
from nonet.service.line import Line
from nonet.service.settings import Settings
from nonet.service.store import Store
from nonet.service.tables import DrawingRow, PictureRow, TrashRow, WorkerRow

LOST_BYTES = ("model_failed", "Its pictures are gone from the store.", "Draw it again.")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        kind: orphan (bytes without a picture), missing (a picture without its bytes), stuck (a job that a dead server
            holds), database (it is damaged or of another version), leftover (parts of files).
        about: which.
        mended: it is right again.
    """

    kind: str
    about: str
    mended: bool = False

    @property
    def line(self) -> str:
        """It in one line."""
        return f"{self.kind}: {self.about}{' (mended)' if self.mended else ''}"

    def to_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        return asdict(self)


def examine(settings: Settings, *, mend: bool = False) -> list[Finding]:
    """Look for everything that can be wrong; with `mend` also put it right. The site must not be running.

    Raises:
        NonetError: `config_invalid` if it is, or if there is none; `unavailable` if the database does not answer.
    """
    if not settings.data.is_dir():
        raise NonetError(
            "config_invalid", f"There is no site in {settings.data}.", "Name its folder with --data."
        )
    folder = DataFolder(settings.data)
    try:
        database = Database(settings.database_url)
        try:
            return list(_all(settings, database, mend))
        finally:
            database.close()
    finally:
        folder.close()


def _all(settings: Settings, database: Database, mend: bool) -> Iterator[Finding]:
    damage = _damage(database) if database.sqlite else ""
    if damage:
        yield Finding("database", damage)
        return
    if schema.revision(database) != schema.newest():
        if mend:
            schema.upgrade(database)
        yield Finding("database", f"its tables are not those of revision {schema.newest()}", mend)
        if not mend:
            return
    line = Line(database, losses_max=settings.attempts, alone=database.sqlite)
    store = Store(settings.store_url)
    yield from _stuck(database, line, mend)
    yield from _bytes(database, store, line, mend)


def _damage(database: Database) -> str:
    """What SQLite says of a file that is damaged; empty if it is whole."""
    try:
        with database.read() as session:
            said = str(session.execute(text("PRAGMA quick_check")).scalar())
    except DatabaseError as error:
        said = str(error.orig)
    return "" if said == "ok" else said.partition("\n")[0]


def _stuck(database: Database, line: Line, mend: bool) -> Iterator[Finding]:
    """Jobs of servers that are gone; with PostgreSQL other servers may be alive, which their rows say."""
    with database.read() as session:
        query = select(DrawingRow.id, DrawingRow.worker).where(DrawingRow.state == "drawing")
        workers = set(session.scalars(select(WorkerRow.id))) if not database.sqlite else set()
        stuck = [id for id, worker in session.execute(query) if worker not in workers]
    if stuck and mend:
        line.put_back_stuck(stuck)
    for id in stuck:
        yield Finding("stuck", f"drawing {id} is held by a server that is gone", mend)


def _bytes(database: Database, store: Store, line: Line, mend: bool) -> Iterator[Finding]:
    left = store.clean() if mend else store.leftovers()
    if left:
        yield Finding("leftover", f"{left} parts of files", mend)
    there = set(store.keys())
    with database.read() as session:
        needed = dict(
            session.execute(
                select(PictureRow.key, DrawingRow.id)
                .join(DrawingRow, DrawingRow.seq == PictureRow.drawing)
                .where(DrawingRow.state == "drawn")
            ).all()
        )
        spoken_for = set(session.scalars(select(PictureRow.key))) | set(session.scalars(select(TrashRow.key)))
    for key in sorted(there - spoken_for):
        if mend:
            store.delete(key)
        yield Finding("orphan", f"{key} belongs to no picture", mend)
    lost = sorted({needed[key] for key in needed if key not in there})
    for id in lost:
        if mend:
            _give_up(database, id)
        yield Finding("missing", f"pictures of drawing {id} are not in the store", mend)


def _give_up(database: Database, id: str) -> None:
    from nonet.service.rows import throw_away

    with database.write() as session:
        row = session.scalar(select(DrawingRow).where(DrawingRow.id == id))
        if row is None:
            raise NonetError("not_found", f"Drawing {id} has just gone.")
        row.state, row.published = "failed", False
        row.error_code, row.error_message, row.error_hint = LOST_BYTES
        throw_away(session, row.seq)
