"""The database: SQLite in WAL mode or PostgreSQL, short transactions, errors with codes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from nonet.errors import NonetError
from nonet.service.errors import OverloadedError

BUSY_SECONDS = 30.0
"""So long a writer waits for another program that holds SQLite's lock."""
WRITERS_MAX = 24
"""More waiting writers than this are turned away: each holds one of the server's threads."""
_WRITES = "nonet_writes"
# Any number that nobody else uses in this database.
_PG_LINE = 7_265_640_001


class Database:
    """Sessions on one database; thread-safe.

    Args:
        url: SQLAlchemy's; `postgresql://` means psycopg 3.

    Raises:
        NonetError: `config_invalid` for a URL that cannot be understood or whose driver is not installed.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise NonetError(
                "config_invalid", "database is no SQLAlchemy URL.", "See docs/operate.md."
            ) from None
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.url = parsed
        self.busy_seconds = busy_seconds
        arguments: dict[str, Any] = {"timeout": busy_seconds} if self.sqlite else {"connect_timeout": 10}
        if self.sqlite and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.engine = create_engine(
                parsed, connect_args=arguments, pool_size=16, max_overflow=48, pool_pre_ping=not self.sqlite
            )
        except (NoSuchModuleError, ImportError) as error:
            raise NonetError(
                "config_invalid", f"The database's driver is missing: {error}.", "Install nonet[postgres]."
            ) from None
        self._writing = threading.Lock()
        self._waiting = threading.Semaphore(WRITERS_MAX)
        if self.sqlite:
            event.listen(self.engine, "connect", self._on_connect)
            event.listen(self.engine, "begin", self._on_begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; it sees one state of the database.

        Raises:
            NonetError: `unavailable` or `disk_full`.
        """
        with self._failing(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self, *, line: bool = False, patient: bool = True) -> Iterator[Session]:
        """A session whose changes are committed when the block ends.

        Args:
            line: it decides by the state of the whole line, so only one such runs at a time, in all servers.
            patient: wait however many are waiting; a caller's request is not and is turned away instead.

        Raises:
            NonetError: `unavailable` (an `OverloadedError`) or `disk_full`.
        """
        if not patient and not self._waiting.acquire(blocking=False):
            raise _busy()
        try:
            with self._failing(), self._one_writer():
                bind = self.engine.execution_options(**{_WRITES: True})
                with Session(bind, expire_on_commit=False) as session, session.begin():
                    if line and not self.sqlite:
                        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LINE})
                    yield session
        finally:
            if not patient:
                self._waiting.release()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in a writing transaction, for changes of tables.

        Raises:
            NonetError: `unavailable` or `disk_full`.
        """
        with self._failing(), self._one_writer():
            bind = self.engine.execution_options(**{_WRITES: True})
            with bind.begin() as connection:
                yield connection

    def ping(self) -> None:
        """Ask for something.

        Raises:
            NonetError: `unavailable`.
        """
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        # SQLite has one writer at a time and lets the others poll; here they queue.
        if not self.sqlite:
            yield
            return
        if not self._writing.acquire(timeout=self.busy_seconds):
            raise _busy()
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            reason = str(error.orig).partition("\n")[0]
            if "disk is full" in reason or "No space left" in reason:
                raise NonetError(
                    "disk_full", "No space is left for the database.", "Free some space and run it again."
                ) from error
            raise _busy() from error
        except PoolTimeoutError as error:
            raise _busy() from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _busy() from error
            raise

    @staticmethod
    def _on_connect(connection: Any, _: Any) -> None:
        # The driver must not begin transactions by itself: it would begin them without the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: what was acknowledged is there after a power cut too, not only after a kill.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @staticmethod
    def _on_begin(connection: Connection) -> None:
        # A transaction that began reading and then writes can fail with "locked" without any waiting.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def now() -> datetime:
    """The time that rows keep. It is shown and never decides how long something waits: clocks jump."""
    return datetime.now(UTC)


def _busy() -> OverloadedError:
    # What the driver says may name hosts and users; it stays in the chained error, for the log.
    return OverloadedError("unavailable", "The site's database does not answer.", "Try again in a moment.")
