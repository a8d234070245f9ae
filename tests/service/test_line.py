"""Taking, keeping and ending: one worker, one result, whatever dies when."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.database import Database, now
from nonet.service.jobs import Jobs
from nonet.service.line import Held, Line
from nonet.service.records import Caller, Job, JobPicture
from nonet.service.store import Store
from nonet.service.tables import DrawingRow, PictureRow, TrashRow, WorkerRow

ANN = Caller("ip:ann")


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Jobs:
    return Jobs(database, service_fakes.settings(tmp_path))


# Seconds of silence after which a worker counts as dead here; a busy machine's disk makes the living wait, too.
SILENT = 1.0


def worker(database: Database, *, alone: bool = False, losses_max: int = 3) -> Line:
    line = Line(database, losses_max=losses_max, alone=alone)
    line.register()
    return line


def ask(jobs: Jobs) -> Job:
    return jobs.submit(DrawRequest(prompt="a cat", count=2), caller=ANN, api="native")


def claim(line: Line) -> Held:
    job = line.claim()
    assert job is not None
    return Held(job.id, job.attempt)


def picture(index: int, key: str = "ab/cd") -> JobPicture:
    return JobPicture(index, key, 7 + index, 0.5, [{"title": "a"}])


def end(line: Line, held: Held) -> Job | None:
    return line.finish(held, seconds=1.5, model="fake", notes=["a note"])


def test_from_claim_to_drawn(database: Database, jobs: Jobs) -> None:
    line = worker(database)
    asked = ask(jobs)
    held = claim(line)
    assert held == Held(asked.id, 1)
    assert jobs.get(asked.id).state == "drawing"
    assert jobs.get(asked.id).started is not None
    assert line.claim() is None
    assert line.add_picture(held, picture(1, "ab/2"))
    assert line.add_picture(held, picture(0, "ab/1"))
    assert [one.index for one in jobs.get(asked.id).pictures] == [0, 1]
    done = end(line, held)
    assert done is not None
    assert (done.state, done.seconds, done.model, done.notes) == ("drawn", 1.5, "fake", ["a note"])
    assert done.pictures[0] == picture(0, "ab/1")
    assert end(line, held) is None
    assert not line.holds(held)


def test_many_workers_take_each_drawing_once(database: Database, jobs: Jobs) -> None:
    for _ in range(30):
        ask(jobs)
    lines = [worker(database) for _ in range(4)]
    taken: list[str] = []

    def take(line: Line) -> None:
        while (job := line.claim()) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=take, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 30
    assert len(set(taken)) == 30


def test_a_dead_workers_drawing_is_taken_up_once(database: Database, jobs: Jobs) -> None:
    dead, one, other = worker(database), worker(database), worker(database)
    asked = ask(jobs)
    held = claim(dead)
    dead.add_picture(held, picture(0))
    for line in (one, other):
        assert line.bury_dead(SILENT) == []
    time.sleep(1.2 * SILENT)
    for line in (one, other):
        line.beat()
    # Both see it at the same moment; they must not kill each other, who beat.
    found: list[Job] = []
    threads = [
        threading.Thread(target=lambda line=line: found.extend(line.bury_dead(SILENT)))
        for line in (one, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.id for job in found] == [asked.id]
    again = claim(one)
    assert again == Held(asked.id, 2)
    assert other.claim() is None
    assert jobs.get(asked.id).pictures == [], "what the dead one drew is not mixed with what comes"
    # The dead one was only asleep: it can do nothing any more.
    assert not dead.add_picture(held, picture(1))
    assert end(dead, held) is None
    assert dead.fail(held, ("internal", "x", "")) is None
    assert dead.give_back(held, lost=True) is None
    assert not dead.beat()
    one.add_picture(again, picture(0))
    assert end(one, again) is not None


def test_a_living_worker_keeps_its_drawing_however_long(database: Database, jobs: Jobs) -> None:
    slow, other = worker(database), worker(database)
    ask(jobs)
    held = claim(slow)
    for _ in range(3):
        other.bury_dead(SILENT)
        time.sleep(0.5 * SILENT)
        assert slow.beat()
        assert other.bury_dead(SILENT) == []
    assert slow.holds(held)


def test_a_wall_clock_that_jumps_kills_nobody(
    database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other = worker(database), worker(database)
    ask(jobs)
    held = claim(slow)
    other.bury_dead(5)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    later = now() + timedelta(hours=1)
    monkeypatch.setattr("nonet.service.line.now", lambda: later)
    assert other.bury_dead(5) == []
    assert slow.holds(held)
    assert end(slow, held) is not None


def test_alone_on_a_database_all_others_are_dead(database: Database, jobs: Jobs) -> None:
    before = worker(database, alone=True)
    asked = ask(jobs)
    held = claim(before)
    after = Line(database, losses_max=3, alone=True)
    back = after.register()
    assert [job.id for job in back] == [asked.id]
    assert back[0].state == "queued"
    assert not before.holds(held)
    assert claim(after) == Held(asked.id, 2)
    with database.read() as session:
        assert session.scalars(select(WorkerRow.id)).all() == [after.worker]


def test_after_so_many_deaths_it_is_given_up(database: Database, jobs: Jobs) -> None:
    line = worker(database, losses_max=3)
    asked = ask(jobs)
    for losses in range(1, 4):
        back = line.give_back(claim(line), lost=True)
        assert back is not None
        assert back.losses == losses
    assert back is not None
    assert back.state == "failed"
    assert back.error is not None
    assert back.error[0] == "model_failed"
    assert line.claim() is None
    assert jobs.get(asked.id).over


def test_given_back_in_order_it_is_not_counted_and_keeps_its_place(database: Database, jobs: Jobs) -> None:
    line = worker(database, losses_max=1)
    first, _ = ask(jobs), ask(jobs)
    for attempt in range(1, 4):
        held = claim(line)
        assert held == Held(first.id, attempt)
        line.give_back(held, lost=False)


def test_a_failed_drawing_keeps_no_pictures(database: Database, jobs: Jobs, tmp_path: Path) -> None:
    line, store = worker(database), Store(str(tmp_path / "store"))
    ask(jobs)
    held = claim(line)
    key = store.put(b"x", ".png")
    line.add_picture(held, picture(0, key))
    failed = line.fail(held, ("disk_full", "No space.", "Make some."))
    assert failed is not None
    assert failed.error == ("disk_full", "No space.", "Make some.")
    assert failed.pictures == []
    assert line.sweep(store, after_seconds=60) == 0, "its bytes may just be being written"
    assert line.sweep(store, after_seconds=0) == 1
    assert not store.exists(key)
    with database.read() as session:
        assert session.scalars(select(TrashRow)).all() == []


def test_bytes_that_another_drawing_needs_stay(database: Database, jobs: Jobs, tmp_path: Path) -> None:
    line, store = worker(database), Store(str(tmp_path / "store"))
    ask(jobs), ask(jobs)
    one, other = claim(line), claim(line)
    key = store.put(b"x", ".png")
    line.add_picture(one, picture(0, key))
    line.add_picture(other, picture(0, key))
    line.fail(one, ("internal", "x", ""))
    assert line.sweep(store, after_seconds=0) == 1
    assert store.exists(key)


def test_waiting_too_long(database: Database, jobs: Jobs) -> None:
    line = worker(database)
    asked = ask(jobs)
    assert line.waiting() == [asked.id]
    expired = line.expire([asked.id])
    assert [job.state for job in expired] == ["expired"]
    assert expired[0].error is not None
    assert expired[0].error[0] == "expired"
    assert line.claim() is None
    other = ask(jobs)
    claim(line)
    assert line.expire([other.id]) == [], "what is being drawn does not expire"


def test_old_drawings_are_forgotten_and_published_ones_are_kept(
    database: Database, jobs: Jobs, tmp_path: Path
) -> None:
    line, store = worker(database), Store(str(tmp_path / "store"))
    keys = []
    for number in range(3):
        ask(jobs)
        held = claim(line)
        keys.append(store.put(bytes([number]), ".png"))
        line.add_picture(held, picture(0, keys[-1]))
        end(line, held)
    with database.write() as session:
        rows = session.scalars(select(DrawingRow).order_by(DrawingRow.seq)).all()
        rows[0].ended = rows[1].ended = now() - timedelta(days=31)
        rows[1].published = True
    assert line.forget(30) == 1
    assert line.forget(30) == 0
    line.sweep(store, after_seconds=0)
    assert [store.exists(key) for key in keys] == [False, True, True]
    with database.read() as session:
        assert len(session.scalars(select(PictureRow)).all()) == 2


def test_facts(database: Database) -> None:
    line = worker(database)
    assert line.fact("paused", "0") == "0"
    line.set_fact("paused", "1")
    line.set_fact("paused", "0")
    assert line.fact("paused") == "0"
    assert line.settle_fact("salt", "a") == "a"
    assert line.settle_fact("salt", "b") == "a"
    assert [line.count_start(), line.count_start()] == [1, 2]


def test_recent_speeds(database: Database, jobs: Jobs) -> None:
    line = worker(database)
    for seconds in (1.0, 2.0, 3.0):
        ask(jobs)
        line.finish(claim(line), seconds=seconds, model="fake", notes=[])
    assert line.recent(2) == [(2.0, 2), (3.0, 2)]
