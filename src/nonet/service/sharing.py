"""What people show each other: publishing, the gallery, complaints, and taking things out of sight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from nonet.errors import NonetError
from nonet.service.database import Database, now
from nonet.service.hub import not_found
from nonet.service.lately import Lately
from nonet.service.records import ENDED, Caller, Job, Report
from nonet.service.rows import job_of, jobs_of, report_of, throw_away
from nonet.service.tables import DrawingRow, PictureRow, ReportRow

REASON_CHARACTERS = 1_000
GALLERY_MAX = 100


class Sharing:
    """The part of `Jobs` that is about drawings which are done; thread-safe.

    Attributes:
        lately: finished drawings that were read a moment ago.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lately = Lately()

    def publish(self, id: str, *, caller: Caller) -> Job:
        """Put a drawn job into the gallery.

        Raises:
            NonetError: `not_found`, also if it is somebody else's or hidden; `setting_invalid` if it is not drawn.
        """
        return self._set_published(id, caller, True)

    def unpublish(self, id: str, *, caller: Caller) -> Job:
        """Take a job out of the gallery again.

        Raises:
            NonetError: `not_found`, also if it is somebody else's.
        """
        return self._set_published(id, caller, False)

    def delete(self, id: str, *, caller: Caller | None) -> None:
        """Delete a job that is over, with its pictures.

        Args:
            caller: must be who asked for it, or an admin; None for the site itself.

        Raises:
            NonetError: `not_found`, also if it is somebody else's; `setting_invalid` if it is not over.
        """
        with self._changing(id) as session:
            row = self._owned(session, id, caller)
            if row.state not in ENDED:
                raise NonetError("setting_invalid", "The drawing is not finished yet.", "Cancel it first.")
            throw_away(session, row.seq)
            session.delete(row)

    def hide(self, id: str, picture: int | None = None, *, hidden: bool = True) -> Job:
        """Take a job, or one of its pictures, out of everybody's sight; for admins.

        Raises:
            NonetError: `not_found`.
        """
        with self._changing(id) as session:
            row = self._row(session, id)
            if picture is None:
                row.hidden = hidden
            else:
                found = session.get(PictureRow, (row.seq, picture))
                if found is None:
                    raise not_found()
                found.hidden = hidden
            session.flush()
            return job_of(session, row)

    def gallery(self, after: str | None = None, limit: int = 24, search: str = "") -> list[Job]:
        """Published jobs that are not hidden, the newest first.

        Args:
            after: go on after the job of this id.
            limit: at most so many, up to 100.
            search: words that all stand in the prompt.
        """
        query = select(DrawingRow).where(
            DrawingRow.published.is_(True), DrawingRow.hidden.is_(False), DrawingRow.state == "drawn"
        )
        for word in search.split()[:10]:
            query = query.where(DrawingRow.prompt.icontains(word, autoescape=True))
        with self._database.read() as session:
            if after is not None:
                seq = session.scalar(select(DrawingRow.seq).where(DrawingRow.id == after))
                if seq is not None:
                    query = query.where(DrawingRow.seq < seq)
            query = query.order_by(DrawingRow.seq.desc()).limit(max(1, min(limit, GALLERY_MAX)))
            return jobs_of(session, session.scalars(query))

    def report(self, id: str, picture: int | None, reason: str, caller: Caller) -> Report:
        """Complain about a job or one of its pictures.

        Raises:
            NonetError: `not_found`; `setting_invalid` for a reason that is empty or over 1,000 characters.
        """
        reason = reason.strip()
        if not reason or len(reason) > REASON_CHARACTERS:
            raise NonetError("setting_invalid", f"A reason has 1 to {REASON_CHARACTERS:,} characters.")
        with self._database.write() as session:
            row = self._row(session, id)
            if picture is not None and session.get(PictureRow, (row.seq, picture)) is None:
                raise not_found()
            report = ReportRow(
                drawing=row.seq, picture=picture, reason=reason, caller=caller.id, created=now(), open=True
            )
            session.add(report)
            session.flush()
            return report_of(report, row.id)

    def reports(self, *, only_open: bool = True, after: int = 0) -> list[Report]:
        """Complaints, the oldest first; 500 at most, those whose numbers come after `after`."""
        query = select(ReportRow, DrawingRow.id).join(DrawingRow, DrawingRow.seq == ReportRow.drawing)
        query = query.where(ReportRow.number > after)
        if only_open:
            query = query.where(ReportRow.open.is_(True))
        with self._database.read() as session:
            found = session.execute(query.order_by(ReportRow.number).limit(500))
            return [report_of(row, job_id) for row, job_id in found]

    def close_report(self, number: int) -> None:
        """Say that a complaint was dealt with.

        Raises:
            NonetError: `not_found`.
        """
        with self._database.write() as session:
            row = session.get(ReportRow, number)
            if row is None:
                raise NonetError("not_found", "There is no such report.")
            row.open = False

    @contextmanager
    def _changing(self, id: str) -> Iterator[Session]:
        """A writing session that changes a finished drawing."""
        try:
            with self._database.write() as session:
                yield session
        finally:
            self.lately.drop(id)

    def _set_published(self, id: str, caller: Caller, published: bool) -> Job:
        with self._changing(id) as session:
            row = self._owned(session, id, caller)
            if published and row.hidden:
                raise not_found()
            if published and row.state != "drawn":
                raise NonetError(
                    "setting_invalid", "Only a finished drawing can be published.", "Wait for it."
                )
            row.published = published
            session.flush()
            return job_of(session, row)

    @staticmethod
    def _row(session: Session, id: str) -> DrawingRow:
        row = session.scalar(select(DrawingRow).where(DrawingRow.id == id))
        if row is None:
            raise not_found()
        return row

    def _owned(self, session: Session, id: str, caller: Caller | None) -> DrawingRow:
        row = self._row(session, id)
        if caller is not None and caller.kind != "admin" and caller.id != row.caller:
            raise not_found()
        return row
