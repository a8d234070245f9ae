"""Events: in order, replayed, never without an end, and small whoever does not read."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.hub import Hub, HubEvent
from nonet.service.records import Job, JobPicture, Place

pytestmark = pytest.mark.anyio
JOB = Job("job", "queued", DrawRequest(prompt="a cat"), "ip:ann", "native", "normal", datetime.now(UTC))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Rows:
    """The rows that a hub looks at."""

    def __init__(self, job: Job | None = JOB) -> None:
        self.job = job
        self.looks = 0

    def get(self, id: str) -> Job:
        self.looks += 1
        if self.job is None or id != self.job.id:
            raise NonetError("not_found", "No.")
        return self.job

    def place(self, id: str) -> Place:
        return Place(3, 12.34, 5)


def hub(rows: Rows | None = None, **options: Any) -> Hub:
    rows = rows or Rows()
    return Hub(rows.get, rows.place, **options)


async def collect(made: Hub, last_id: int | None = None, most: int = 10_000) -> list[HubEvent]:
    found = []
    async with aclosing(made.follow("job", last_id)) as events:
        async for event in events:
            found.append(event)
            if len(found) == most:
                break
    return found


def kinds(events: list[HubEvent]) -> list[str]:
    return [event.kind for event in events]


def draw(made: Hub, pictures: int = 2) -> None:
    made.publish("job", "started", {"notes": [], "model": "fake"})
    for picture in range(pictures):
        made.publish("job", "progress", {"picture": picture, "done": 16, "total": 256})
        made.publish("job", "partial", {"picture": picture, "webp": "x" * 3000})
    for picture in range(pictures):
        made.publish("job", "drawn", {"picture": picture, "url": "/x", "seed": picture})
    made.publish("job", "done", {"pictures": pictures, "seconds": 1.0})


async def test_live() -> None:
    made = hub()
    task = asyncio.create_task(collect(made))
    await asyncio.sleep(0.05)
    threading.Thread(target=draw, args=(made,)).start()
    events = await asyncio.wait_for(task, 10)
    assert events[0].kind == "place"
    assert events[0].data == {"place": 3, "eta_seconds": 12.3, "queued": 5}
    assert kinds(events)[-3:] == ["drawn", "drawn", "done"]
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert made.followers() == 0


async def test_replay_from_an_id() -> None:
    made = hub()
    draw(made)
    everything = await collect(made)
    assert kinds(everything) == ["drawn", "drawn", "done"]
    for seen in range(len(everything)):
        rest = await collect(made, everything[seen].id)
        assert rest[-1].kind == "done"
        if seen < 2:
            assert rest == everything[seen + 1 :]


async def test_the_end_is_told_from_the_row_when_the_buffer_is_gone() -> None:
    pictures = [JobPicture(0, "ab/cd", 7), JobPicture(1, "ab/ce", 8)]
    drawn = replace(JOB, state="drawn", pictures=pictures, seconds=2.0)
    events = await collect(hub(Rows(drawn)), last_id=10**15)
    assert kinds(events) == ["drawn", "drawn", "done"]
    assert events[1].data["url"] == "/api/drawings/job/pictures/1.png"
    failed = replace(JOB, state="failed", error=("model_failed", "It failed.", "Again."))
    assert (await collect(hub(Rows(failed))))[-1].data["code"] == "model_failed"
    cancelled = replace(JOB, state="cancelled", error=("cancelled", "x", ""))
    assert kinds(await collect(hub(Rows(cancelled)))) == ["cancelled"]
    expired = replace(JOB, state="expired", error=("expired", "x", ""))
    assert (await collect(hub(Rows(expired))))[-1].data["code"] == "expired"


async def test_unknown_jobs_are_not_found_and_leave_nothing() -> None:
    made = hub(Rows(None))
    with pytest.raises(NonetError):
        await collect(made)
    assert made._channels == {}


async def test_ids_rise_over_a_restart() -> None:
    first = hub(first_id=1000)
    first.publish("job", "started", {"notes": [], "model": "fake"})
    event = (await collect(first, most=1))[0]
    second = hub(first_id=2000)
    draw(second)
    assert kinds(await collect(second, event.id)) == ["drawn", "drawn", "done"]


async def test_who_does_not_read_costs_nothing_and_gets_the_end() -> None:
    made = hub()
    stream = made.follow("job")
    assert (await anext(stream)).kind == "place"
    for step in range(2000):
        made.publish("job", "partial", {"picture": step % 9, "webp": "x" * 4000})
        made.publish("job", "progress", {"picture": step % 9, "done": step, "total": 2000})
        made.publish("job", "place", {"place": 1, "eta_seconds": step, "queued": 1})
    assert len(made._channels["job"].slots) <= 19
    made.publish("job", "done", {"pictures": 9, "seconds": 1.0})
    assert [event.kind async for event in stream] == ["done"]


async def test_many_followers_of_whom_half_do_not_read() -> None:
    made = hub()
    sleepy = [made.follow("job") for _ in range(250)]
    for stream in sleepy:
        await anext(stream)
    tasks = [asyncio.create_task(collect(made)) for _ in range(250)]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(draw, made, 9)
    ends = await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert all(kinds(events)[-1] == "done" for events in ends)
    for stream in sleepy:
        assert [event.kind async for event in stream][-1] == "done"
    assert made.followers() == 0


async def test_drawn_once_more_begins_anew() -> None:
    made = hub(Rows(replace(JOB, state="drawing")))
    made.publish("job", "drawn", {"picture": 0, "url": "/x", "seed": 1})
    made.again("job")
    draw(made)
    assert kinds(await collect(made)) == ["drawn", "drawn", "done"]


async def test_nothing_comes_after_the_end() -> None:
    made = hub()
    draw(made)
    made.publish("job", "failed", {"code": "internal"})
    assert kinds(await collect(made)).count("done") == 1
    assert "failed" not in kinds(await collect(made))


async def test_what_happens_while_the_row_is_read_is_not_missed() -> None:
    rows = Rows(replace(JOB, state="drawing"))
    made = hub(rows)
    look = made._look

    def slow(id: str) -> Job:
        job = look(id)
        draw(made)
        return job

    made._look = slow
    assert kinds(await asyncio.wait_for(collect(made), 10)) == ["started", "drawn", "drawn", "done"]


async def test_another_servers_end_is_seen() -> None:
    rows = Rows()
    made = hub(rows, poll_seconds=0.05)
    task = asyncio.create_task(collect(made))
    await asyncio.sleep(0.2)
    rows.job = replace(JOB, state="drawn", pictures=[JobPicture(0, "ab/cd", 7)])
    assert kinds(await asyncio.wait_for(task, 10))[-2:] == ["drawn", "done"]


async def test_without_other_servers_rows_are_not_asked_again() -> None:
    rows = Rows()
    made = hub(rows)
    task = asyncio.create_task(collect(made))
    await asyncio.sleep(0.3)
    assert rows.looks == 1
    draw(made)
    await asyncio.wait_for(task, 10)


async def test_closing_ends_the_streams() -> None:
    made = hub()
    task = asyncio.create_task(collect(made))
    await asyncio.sleep(0.05)
    made.close()
    assert kinds(await asyncio.wait_for(task, 10)) == ["place"]


async def test_what_ended_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    made = hub()
    draw(made)
    made.sweep()
    assert "job" in made._channels
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1000)
    made.sweep()
    assert made._channels == {}
