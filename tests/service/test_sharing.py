"""Publishing, the gallery, complaints and deleting, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.database import Database
from nonet.service.jobs import Jobs
from nonet.service.line import Held, Line
from nonet.service.records import Caller, Job, JobPicture

ANN, BOB, ADMIN = Caller("ip:ann"), Caller("ip:bob"), Caller("admin", "admin")


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Jobs:
    return Jobs(database, service_fakes.settings(tmp_path))


@pytest.fixture
def line(database: Database) -> Line:
    made = Line(database, losses_max=3, alone=True)
    made.register()
    return made


def drawn(jobs: Jobs, line: Line, prompt: str = "a cat") -> Job:
    jobs.submit(DrawRequest(prompt=prompt, count=1), caller=ANN, api="page")
    job = line.claim()
    assert job is not None
    held = Held(job.id, job.attempt)
    line.add_picture(held, JobPicture(0, f"ab/{job.id}", 7))
    done = line.finish(held, seconds=1.0, model="fake", notes=[])
    assert done is not None
    return done


def published(jobs: Jobs, line: Line, prompt: str) -> Job:
    return jobs.publish(drawn(jobs, line, prompt).id, caller=ANN)


def refused(code: str, call: object, *arguments: object, **named: object) -> None:
    with pytest.raises(NonetError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    assert caught.value.code == code


def test_only_what_its_caller_published_is_in_the_gallery(jobs: Jobs, line: Line) -> None:
    job = drawn(jobs, line)
    assert jobs.gallery() == []
    refused("not_found", jobs.publish, job.id, caller=BOB)
    assert jobs.publish(job.id, caller=ANN).published
    assert [one.id for one in jobs.gallery()] == [job.id]
    refused("not_found", jobs.unpublish, job.id, caller=BOB)
    jobs.unpublish(job.id, caller=ANN)
    assert jobs.gallery() == []


def test_only_what_is_drawn_can_be_published(jobs: Jobs) -> None:
    waiting = jobs.submit(DrawRequest(prompt="a cat"), caller=ANN, api="page")
    refused("setting_invalid", jobs.publish, waiting.id, caller=ANN)


def test_pages_and_search(jobs: Jobs, line: Line) -> None:
    prompts = ["a red cat", "a blue cat", "a 100% red dog", "a RED_bird"]
    made = [published(jobs, line, prompt) for prompt in prompts]
    newest_first = [job.id for job in reversed(made)]
    first = jobs.gallery(limit=2)
    rest = jobs.gallery(first[-1].id, limit=10)
    assert [job.id for job in [*first, *rest]] == newest_first
    assert [job.request.prompt for job in jobs.gallery(search="red cat")] == ["a red cat"]
    assert len(jobs.gallery(search="red")) == 3
    # What means something in SQL's patterns is text here.
    assert [job.request.prompt for job in jobs.gallery(search="100%")] == ["a 100% red dog"]
    assert [job.request.prompt for job in jobs.gallery(search="d_b")] == ["a RED_bird"]
    assert jobs.gallery(search="' OR 1=1 --") == []


def test_an_admin_hides(jobs: Jobs, line: Line) -> None:
    job = published(jobs, line, "a cat")
    assert jobs.hide(job.id, 0).pictures[0].hidden
    refused("not_found", jobs.hide, job.id, 5)
    jobs.hide(job.id)
    assert jobs.gallery() == []
    jobs.unpublish(job.id, caller=ANN)
    refused("not_found", jobs.publish, job.id, caller=ANN)
    jobs.hide(job.id, hidden=False)
    jobs.publish(job.id, caller=ANN)


def test_a_change_is_seen_at_once_however_often_it_was_looked_at(jobs: Jobs, line: Line) -> None:
    id = drawn(jobs, line).id

    def seen() -> Job:
        jobs.get(id)
        found = jobs.lately.find(id)
        assert found is not None
        return found

    assert not seen().published
    jobs.publish(id, caller=ANN)
    assert seen().published
    jobs.unpublish(id, caller=ANN)
    assert not seen().published
    jobs.hide(id, 0)
    assert seen().pictures[0].hidden
    jobs.hide(id)
    assert seen().hidden
    jobs.delete(id, caller=ANN)
    assert jobs.lately.find(id) is None
    refused("not_found", jobs.get, id)


def test_complaints(jobs: Jobs, line: Line) -> None:
    job = published(jobs, line, "a cat")
    report = jobs.report(job.id, 0, " ugly ", BOB)
    assert (report.job, report.picture, report.reason, report.caller) == (job.id, 0, "ugly", "ip:bob")
    jobs.report(job.id, None, "copied", BOB)
    assert [one.reason for one in jobs.reports()] == ["ugly", "copied"]
    jobs.close_report(report.id)
    assert [one.reason for one in jobs.reports()] == ["copied"]
    assert len(jobs.reports(only_open=False)) == 2
    refused("not_found", jobs.close_report, 999)
    refused("not_found", jobs.report, job.id, 7, "x", BOB)
    refused("setting_invalid", jobs.report, job.id, 0, " ", BOB)
    refused("setting_invalid", jobs.report, job.id, 0, "x" * 1001, BOB)


def test_deleting_takes_everything_along(jobs: Jobs, line: Line) -> None:
    job = published(jobs, line, "a cat")
    jobs.report(job.id, 0, "ugly", BOB)
    refused("not_found", jobs.delete, job.id, caller=BOB)
    jobs.delete(job.id, caller=ANN)
    refused("not_found", jobs.get, job.id)
    assert jobs.reports() == []
    waiting = jobs.submit(DrawRequest(prompt="a cat"), caller=ANN, api="page")
    refused("setting_invalid", jobs.delete, waiting.id, caller=ANN)
    jobs.cancel(waiting.id, ANN)
    jobs.delete(waiting.id, caller=ADMIN)
