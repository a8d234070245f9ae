"""Asking for drawings: accepted means written down; bounds, turns, keys, places."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.database import Database
from nonet.service.errors import OverloadedError
from nonet.service.jobs import Jobs
from nonet.service.line import Held, Line
from nonet.service.records import PRIORITIES, Caller, Job
from nonet.service.tables import DrawingRow

ANN, BOB, EVE = Caller("ip:ann"), Caller("ip:bob"), Caller("ip:eve")


def make(database: Database, tmp_path: Path, **settings: object) -> tuple[Jobs, Line]:
    jobs = Jobs(database, service_fakes.settings(tmp_path, **settings))
    line = Line(database, losses_max=3, alone=True)
    line.register()
    return jobs, line


def ask(jobs: Jobs, caller: Caller = ANN, prompt: str = "a cat", key: str | None = None) -> Job:
    return jobs.submit(DrawRequest(prompt=prompt), caller=caller, api="native", key=key)


def drawn_order(line: Line) -> list[str]:
    """Callers in the order in which their drawings are taken, each finished before the next."""
    order = []
    while (job := line.claim()) is not None:
        order.append(job.caller.removeprefix("ip:"))
        line.finish(Held(job.id, job.attempt), seconds=1.0, model="fake", notes=[])
    return order


def test_what_is_accepted_is_a_row(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    request = DrawRequest(prompt="a 'cat'; DROP TABLE drawings; -- <b>", seed=2**53 - 1, top_p=0.5, count=4)
    job = jobs.submit(request, caller=ANN, api="openai")
    assert len(job.id) == 22
    found = Jobs(database, jobs.settings).get(job.id)
    assert found == job
    assert found.request == request
    assert (found.state, found.caller, found.api, found.attempt) == ("queued", "ip:ann", "openai", 0)
    assert found.created.tzinfo is not None


def test_unknown_ids_are_not_found(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    for call in (jobs.get, jobs.place, lambda id: jobs.cancel(id, ANN), jobs.hide):
        with pytest.raises(NonetError) as caught:
            call("nothing")
        assert caught.value.code == "not_found"


def test_ids_are_not_to_be_guessed(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    ids = {ask(jobs).id for _ in range(20)}
    assert len(ids) == 20
    assert len({id[:4] for id in ids}) == 20


def test_the_bound_holds_against_many_at_once(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path, queue_max=7)
    accepted, refused = [], []

    def run() -> None:
        try:
            accepted.append(ask(jobs))
        except OverloadedError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 7
    assert refused == ["queue_full"] * 13


def test_one_key_from_twenty_threads_is_one_drawing(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    ids: list[str] = []
    start = threading.Barrier(20)

    def run() -> None:
        start.wait()
        ids.append(ask(jobs, key="again").id)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 20
    assert len(set(ids)) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(DrawingRow)) == 1


def test_keys_belong_to_callers_and_to_what_was_asked(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path, rate_anonymous="2/minute")
    first = ask(jobs, key="k")
    assert ask(jobs, BOB, key="k").id != first.id
    with pytest.raises(NonetError) as caught:
        ask(jobs, prompt="a dog", key="k")
    assert caught.value.code == "key_reused"
    # Asked again it counts for nothing, and its end does not make it another drawing.
    job = line.claim()
    assert job is not None
    line.finish(Held(job.id, job.attempt), seconds=1.0, model="fake", notes=[])
    for _ in range(5):
        again = ask(jobs, key="k")
    assert again.id == first.id
    assert again.state == "drawn"


def test_callers_take_turns(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    for _ in range(4):
        ask(jobs, ANN)
    ask(jobs, BOB)
    ask(jobs, BOB)
    ask(jobs, EVE)
    assert drawn_order(line) == ["ann", "bob", "eve", "ann", "bob", "ann", "ann"]


def test_a_light_caller_waits_for_one_drawing_of_a_heavy_one(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    for _ in range(20):
        ask(jobs, ANN)
    running = line.claim()
    assert running is not None
    ask(jobs, ANN)
    ask(jobs, BOB)
    order = drawn_order(line)
    assert order.index("bob") <= 1
    assert len(order) == 21


def test_new_callers_do_not_starve_one_who_waits(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    for _ in range(3):
        ask(jobs, ANN)
    order = []
    for number in range(12):
        ask(jobs, Caller(f"ip:new{number}"))
        job = line.claim()
        assert job is not None
        order.append(job.caller)
        line.finish(Held(job.id, job.attempt), seconds=1.0, model="fake", notes=[])
    assert order.count("ip:ann") == 3


def test_higher_classes_go_first(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    for priority in reversed(PRIORITIES):
        ask(jobs, Caller(f"ip:{priority}", priority=priority))
    assert drawn_order(line) == ["high", "normal", "low"]


def test_places_and_times(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path, drawings_together=1)
    first, second, third = ask(jobs), ask(jobs), ask(jobs, BOB)
    assert [jobs.place(job.id).place for job in (first, third, second)] == [1, 2, 3]
    assert jobs.place(first.id).eta_seconds is None, "nothing was measured yet"
    assert jobs.place(first.id).queued == 3
    for _ in range(5):
        jobs.speed.observe(10.0, 9)
    taken = line.claim()
    assert taken is not None
    jobs.changed()
    time.sleep(0.25)
    assert jobs.place(first.id).place == 0
    etas = [jobs.place(job.id).eta_seconds for job in (first, third, second)]
    assert etas == pytest.approx([10, 20, 30], abs=1.5)
    jobs.progress[first.id] = 0.5
    jobs.changed()
    time.sleep(0.25)
    assert jobs.place(first.id).eta_seconds == pytest.approx(5, abs=1)
    line.finish(Held(taken.id, taken.attempt), seconds=1.0, model="fake", notes=[])
    place = jobs.place(first.id)
    assert (place.place, place.eta_seconds) == (0, 0.0) or place.place == 0


def test_several_engines_draw_side_by_side(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path, drawings_together=1, engines=2)
    jobs.speed.observe(10.0, 9)
    ask(jobs)
    assert jobs.place(ask(jobs, BOB).id).eta_seconds == pytest.approx(15, abs=1), "20 after one another"


def test_places_are_cheap_to_ask_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    from nonet.service import schema

    schema.upgrade(database)
    jobs, _ = make(database, tmp_path, queue_max=1000)
    ids = [ask(jobs, Caller(f"ip:{number}")).id for number in range(100)]
    jobs.place(ids[-1])
    looks = 0
    look = jobs._look

    def counted() -> object:
        nonlocal looks
        looks += 1
        return look()

    jobs._look = counted  # type: ignore[method-assign,assignment]
    for id in ids * 20:
        jobs.place(id)
    assert looks <= 3
    database.close()


def test_what_was_promised_is_compared_with_what_came(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    jobs.speed.observe(10.0, 9)
    job = ask(jobs)
    assert jobs.eta_error(job.id) is None
    jobs.place(job.id)
    error = jobs.eta_error(job.id)
    assert error == pytest.approx(-10, abs=1)
    assert jobs.eta_error(job.id) is None


def test_cancelling_is_for_who_asked(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    told: list[str] = []
    jobs.watchers.cancelled.append(lambda job: told.append(job.id))
    job = ask(jobs)
    with pytest.raises(NonetError) as caught:
        jobs.cancel(job.id, BOB)
    assert caught.value.code == "not_found"
    cancelled = jobs.cancel(job.id, ANN)
    assert cancelled.state == "cancelled"
    assert cancelled.error is not None
    assert cancelled.error[0] == "cancelled"
    assert jobs.cancel(job.id, ANN).state == "cancelled"
    assert told == [job.id]
    assert line.claim() is None
    other = ask(jobs)
    assert jobs.cancel(other.id, Caller("admin", "admin")).state == "cancelled"


def test_a_cancelled_drawing_is_not_ended_again(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    job = ask(jobs)
    taken = line.claim()
    assert taken is not None
    jobs.cancel(job.id, ANN)
    held = Held(taken.id, taken.attempt)
    assert line.finish(held, seconds=1.0, model="fake", notes=[]) is None
    assert line.fail(held, ("internal", "x", "")) is None
    assert jobs.get(job.id).state == "cancelled"


def test_sizes_that_the_site_does_not_draw(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    for request in (DrawRequest(prompt="x", count=10), DrawRequest(prompt="x", candidates=18)):
        with pytest.raises(NonetError) as caught:
            jobs.submit(request, caller=ANN, api="native")
        assert caught.value.code == "setting_invalid"


def test_banned_callers_draw_nothing(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path)
    waiting = ask(jobs, EVE)
    jobs.ban(EVE.id, "spam")
    assert jobs.get(waiting.id).state == "cancelled"
    with pytest.raises(NonetError) as caught:
        ask(jobs, EVE)
    assert caught.value.code == "not_allowed"
    ask(jobs, ANN)
    assert jobs.banned() == [(EVE.id, "spam")]
    # Another server learns of it.
    other = Jobs(database, jobs.settings)
    with pytest.raises(NonetError):
        ask(other, EVE)
    jobs.unban(EVE.id)
    ask(jobs, EVE)
    assert line.claim() is not None
