"""Waiting for locks, and what a database's failures become."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from nonet.errors import NonetError
from nonet.service.database import WRITERS_MAX, Database
from nonet.service.errors import OverloadedError


def sqlite(folder: Path, **options: float) -> Database:
    return Database(f"sqlite:///{folder / 'test.sqlite'}", **options)


def test_sqlite_is_in_wal_mode_and_writes_through(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    with database.read() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA synchronous")).scalar() == 2
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


def test_a_writer_waits_for_another_programs_lock(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    with database.write() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
    other = sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.5, lambda: other.execute("COMMIT")).start()
    began = time.monotonic()
    # Readers go on meanwhile.
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM t")).scalar() == 0
    assert time.monotonic() - began < 1.4
    with database.write() as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
    assert time.monotonic() - began >= 1.4
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM t")).scalar() == 1
    database.close()
    other.close()


def test_a_lock_that_never_ends_is_a_typed_error(tmp_path: Path) -> None:
    database = sqlite(tmp_path, busy_seconds=0.2)
    database.ping()
    other = sqlite3.connect(tmp_path / "test.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OverloadedError) as caught, database.write() as session:
        session.execute(text("SELECT 1"))
    assert caught.value.code == "unavailable"
    assert caught.value.retry_after > 0
    assert "locked" not in caught.value.message, "what the driver says is for the log"
    other.close()
    database.close()


def test_a_full_disk_is_a_typed_error(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    with database.write() as session:
        session.execute(text("CREATE TABLE t (b BLOB)"))
    # SQLite says of its own limit on pages what it says of a full disk.
    database.engine.dispose()
    from sqlalchemy import event

    event.listen(
        database.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=4")
    )
    with pytest.raises(NonetError) as caught, database.write() as session:
        session.execute(text("INSERT INTO t VALUES (randomblob(100000))"))
    assert caught.value.code == "disk_full"
    database.close()


def test_impatient_writers_are_turned_away_when_many_wait(tmp_path: Path) -> None:
    database = sqlite(tmp_path)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write(patient=False):
            inside.set()
            leave.wait(30)

    def wait() -> None:
        with database.write(patient=False):
            pass

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    inside.wait(30)
    threads += [threading.Thread(target=wait) for _ in range(WRITERS_MAX - 1)]
    for thread in threads[1:]:
        thread.start()
    while database._waiting._value:
        time.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(OverloadedError), database.write(patient=False):
        pass
    assert time.monotonic() - began < 1
    leave.set()
    for thread in threads:
        thread.join()
    with database.write(patient=False):
        pass
    database.close()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
    with suppress(ZeroDivisionError), database.write() as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        raise ZeroDivisionError
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM t")).scalar() == 0


def test_threads_that_read_and_then_write_lose_nothing(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
        session.execute(text("INSERT INTO t VALUES (0)"))

    def count() -> None:
        for _ in range(20):
            with database.write(line=True) as session:
                number = session.execute(text("SELECT n FROM t")).scalar_one()
                session.execute(text("UPDATE t SET n = :n"), {"n": number + 1})

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.execute(text("SELECT n FROM t")).scalar_one() == 100


def test_urls_that_are_none(tmp_path: Path) -> None:
    for url in ("no url", "oracle://nowhere/x", "nosuch://x"):
        with pytest.raises(NonetError) as caught:
            Database(url)
        assert caught.value.code == "config_invalid"


def test_a_database_that_is_not_there_is_a_typed_error() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(OverloadedError) as caught:
        database.ping()
    assert caught.value.code == "unavailable"
    assert "127.0.0.1" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OperationalError)
    database.close()
