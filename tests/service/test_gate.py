"""Who may come into the line: full, closed, too often, too many; and nobody is looked at in vain."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import pytest

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.database import Database
from nonet.service.errors import OverloadedError
from nonet.service.intake import accept
from nonet.service.jobs import Jobs
from nonet.service.line import Line
from nonet.service.records import Caller, Job
from nonet.service.services import JUDGED_MAX

ANN, BOB = Caller("ip:ann"), Caller("ip:bob")


def make(database: Database, tmp_path: Path, **settings: object) -> tuple[Jobs, Line]:
    jobs = Jobs(database, service_fakes.settings(tmp_path, **settings))
    line = Line(database, losses_max=3, alone=True)
    line.register()
    return jobs, line


def ask(jobs: Jobs, caller: Caller = ANN) -> Job:
    return jobs.submit(DrawRequest(prompt="a cat"), caller=caller, api="native")


def test_a_full_line_turns_away_at_once_and_loses_nothing(database: Database, tmp_path: Path) -> None:
    jobs, line = make(database, tmp_path, queue_max=5)
    told: list[str] = []
    jobs.gate.refused.append(told.append)
    accepted = [ask(jobs) for _ in range(5)]
    seconds = []
    for _ in range(50):
        began = time.perf_counter()
        with pytest.raises(OverloadedError) as caught:
            ask(jobs)
        seconds.append(time.perf_counter() - began)
    assert caught.value.code == "queue_full"
    assert 1 <= caught.value.retry_after <= 60
    assert told == ["queue_full"] * 50
    # It needs no database, so no load makes it slow.
    assert statistics.median(seconds) < 0.005
    assert [jobs.get(job.id).state for job in accepted] == ["queued"] * 5
    assert line.claim() is not None
    jobs.refresh()
    ask(jobs)


def test_refusals_need_no_database(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, queue_max=1, wait=False) as site:
        jobs = site.services.jobs
        site.services.set_state(paused=True)
        ask(jobs)
        with site.services.database.write():
            began = time.perf_counter()
            with pytest.raises(OverloadedError):
                accept(site.services, DrawRequest(prompt="a cat"), caller=ANN, api="native")
            assert time.perf_counter() - began < 0.5


def test_one_caller_may_have_so_many_waiting(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path, caller_queue_max=2)
    ask(jobs)
    first = ask(jobs)
    with pytest.raises(OverloadedError) as caught:
        ask(jobs)
    assert caught.value.code == "rate_limited"
    ask(jobs, BOB)
    jobs.cancel(first.id, ANN)
    ask(jobs)


def test_a_closed_line_takes_nothing(database: Database, tmp_path: Path) -> None:
    jobs, _ = make(database, tmp_path)
    jobs.gate.closed = "Closed."
    with pytest.raises(OverloadedError) as caught:
        ask(jobs)
    assert caught.value.code == "unavailable"


def test_a_key_is_answered_however_full_the_line_is(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, queue_max=1) as site:
        services = site.services
        services.set_state(paused=True)
        request = DrawRequest(prompt="a cat")
        first = accept(services, request, caller=ANN, api="native", key="k")
        # Its answer was lost on the way, and the line is full now.
        assert accept(services, request, caller=ANN, api="native", key="k").id == first.id
        with pytest.raises(OverloadedError):
            accept(services, request, caller=ANN, api="native", key="other")


def test_too_often_is_said_before_the_policys_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service_fakes.running(tmp_path, rate_anonymous="1/day", wait=False) as site:
        ask(site.services.jobs)
        monkeypatch.setattr(
            site.services.policy, "require", lambda *_, **__: pytest.fail("the policy was asked")
        )
        with pytest.raises(OverloadedError) as caught:
            accept(site.services, DrawRequest(prompt="a cat"), caller=ANN, api="native")
        assert caught.value.code == "rate_limited"


def test_nobody_is_looked_at_for_a_place_that_another_will_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_fakes.running(tmp_path, queue_max=1, wait=False) as site:
        site.services.dispatcher.paused = True
        inside, leave = threading.Event(), threading.Event()

        def judge(*_: object, **__: object) -> None:
            inside.set()
            assert leave.wait(30)

        monkeypatch.setattr(site.services.policy, "require", judge)
        request = DrawRequest(prompt="a cat")
        jobs: list[Job] = []
        first = threading.Thread(
            target=lambda: jobs.append(accept(site.services, request, caller=ANN, api="native"))
        )
        first.start()
        assert inside.wait(30)
        inside.clear()
        with pytest.raises(OverloadedError) as caught:
            accept(site.services, request, caller=BOB, api="native")
        assert caught.value.code == "queue_full"
        assert not inside.is_set()
        leave.set()
        first.join()
        assert [site.services.jobs.get(job.id).state for job in jobs] == ["queued"]
        # A prompt that is refused gives its place back.
        site.services.jobs.cancel(jobs[0].id, ANN)
        site.services.jobs.refresh()
        monkeypatch.setattr(site.services.policy, "require", lambda *_, **__: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                accept(site.services, request, caller=BOB, api="native")


def test_many_prompts_at_once_leave_threads_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_fakes.running(tmp_path, wait=False) as site:
        inside, leave = threading.Semaphore(0), threading.Event()

        def judge(*_: object, **__: object) -> None:
            inside.release()
            leave.wait(30)

        monkeypatch.setattr(site.services.policy, "require", judge)
        request = DrawRequest(prompt="a cat")
        threads = [threading.Thread(target=site.services.judge, args=(request,)) for _ in range(JUDGED_MAX)]
        for thread in threads:
            thread.start()
        for _ in threads:
            inside.acquire()
        with pytest.raises(OverloadedError) as caught:
            site.services.judge(request)
        assert caught.value.code == "unavailable"
        leave.set()
        for thread in threads:
            thread.join()
        site.services.judge(request)
