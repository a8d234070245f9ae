"""The tables. `migrations/` makes them; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only in a column of exactly this type.
_Number = BigInteger().with_variant(Integer(), "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """UTC with its zone in Python; SQLite keeps no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""


class DrawingRow(Base):
    """An accepted drawing.

    `turn` is its place among the callers' turns, see docs/decisions/0014-the-queue.md; `attempt` rises each time it is
    taken, so that a worker that lost it cannot end it; `losses` is how often what drew it died; `key_hash` is the
    caller's idempotency key.
    """

    __tablename__ = "drawings"
    __table_args__ = (
        Index("drawings_line", "state", "priority", "turn", "seq"),
        Index("drawings_of_caller", "caller", "state"),
        Index("drawings_gallery", "published", "hidden", "seq"),
        Index("drawings_ended", "ended"),
    )

    seq: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(22), unique=True)
    state: Mapped[str] = mapped_column(String(9))
    caller: Mapped[str] = mapped_column(String(120))
    api: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(Integer)
    turn: Mapped[int] = mapped_column(_Number)
    prompt: Mapped[str] = mapped_column(Text)
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    pictures: Mapped[int] = mapped_column(Integer)
    key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(UtcTime)
    started: Mapped[datetime | None] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    worker: Mapped[str | None] = mapped_column(String(32))
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    losses: Mapped[int] = mapped_column(Integer, default=0)
    model: Mapped[str] = mapped_column(String(200), default="")
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)
    seconds: Mapped[float | None] = mapped_column(Float)
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_hint: Mapped[str | None] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(Boolean, default=False)
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)


class PictureRow(Base):
    """A picture: its row is there before its bytes are stored, so that no bytes are ever without a row."""

    __tablename__ = "pictures"
    __table_args__ = (Index("pictures_key", "key"),)

    drawing: Mapped[int] = mapped_column(ForeignKey("drawings.seq", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    seed: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float | None] = mapped_column(Float)
    sources: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)


class TrashRow(Base):
    """A key of the store that no picture may need any more; the sweeper looks and removes its bytes."""

    __tablename__ = "trash"

    number: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(80))


class WorkerRow(Base):
    """A server that draws. `beat` rises as long as it lives; others watch it with clocks of their own."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    started: Mapped[datetime] = mapped_column(UtcTime)


class ReportRow(Base):
    """A complaint about a drawing."""

    __tablename__ = "reports"
    __table_args__ = (Index("reports_open", "open"),)

    number: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    drawing: Mapped[int] = mapped_column(ForeignKey("drawings.seq", ondelete="CASCADE"))
    picture: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(String(120))
    created: Mapped[datetime] = mapped_column(UtcTime)
    open: Mapped[bool] = mapped_column(Boolean, default=True)


class BanRow(Base):
    """A caller who may not draw."""

    __tablename__ = "bans"

    caller: Mapped[str] = mapped_column(String(120), primary_key=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(UtcTime)


class FactRow(Base):
    """Small things that outlive the server: the salt, the number of starts, whether it is paused."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
