"""Killed at bad moments, the site loses nothing, doubles nothing and leaves nothing over. `benchmarks/chaos.py` is the
long form."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import chaos
import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.points import POINTS
from nonet.service.records import Caller
from service_fakes import until
from site_process import SiteProcess


def test_one_kill(tmp_path: Path) -> None:
    found = chaos.one_kill(tmp_path)
    assert found.accepted == 4
    assert found.clean, str(found)


@pytest.mark.parametrize("detectors", chaos.BROKEN, ids="+".join)
def test_detectors_find_what_is_broken(tmp_path: Path, detectors: tuple[str, ...]) -> None:
    found = chaos.one_kill(tmp_path, script=chaos.BROKEN[detectors], patience=6)
    for detector in detectors:
        assert getattr(found, detector), f"{detector} found nothing in a broken build: {found}"


def test_killing_engine_and_server_again_and_again(tmp_path: Path) -> None:
    found = chaos.rampage(tmp_path, seconds=8, clients=8, patience=120, kills_least=3, engines=2)
    assert found.kills >= 3
    assert found.accepted >= 8
    assert found.clean, str(found)


def test_killed_at_every_named_point(tmp_path: Path) -> None:
    port = chaos.free_port()
    asked = chaos.Asked()
    for point in (*POINTS, ""):
        script = chaos.KILL_AT.format(point=point, times=2) if point else ""
        site = SiteProcess(tmp_path, script=script, port=port, attempts=100, wait=False)
        site.start()
        if not point:
            break
        for number in range(3):
            # It may die before it can answer.
            with suppress(httpx.TransportError):
                answer = site.ask(f"{point} {number}", count=chaos.COUNT)
                asked.keys[f"{point} {number}"] = answer.json()["id"]
        # It kills itself when the point is reached for the second time.
        site.process.wait(60)
        site.close()
    until(lambda: all(site.state(id)["state"] == "drawn" for id in asked.keys.values()), 120)
    assert len(asked.keys) >= 2 * len(POINTS)
    found = chaos.Findings()
    chaos.look(site, [asked], found, keyed=False)
    assert found.clean, str(found)


def test_followers_of_whom_half_stop_reading_and_half_come_back(tmp_path: Path) -> None:
    people, gate = 60, tmp_path / "gate"

    async def open_stream(url: str, id: str, last: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        again = f"Last-Event-ID: {last}\r\n" if last else ""
        writer.write(f"GET /api/drawings/{id}/events HTTP/1.1\r\nHost: {host}\r\n{again}\r\n".encode())
        await writer.drain()
        return reader, writer

    async def come_back(url: str, id: str) -> str:
        """Read a little, leave, come back with the last id; the kind of the last event."""
        last = kind = ""
        while kind not in ("done", "failed", "cancelled"):
            reader, writer = await open_stream(url, id, last)
            for _ in range(25):
                line = (await asyncio.wait_for(reader.readline(), 60)).decode().strip()
                name, _, value = line.partition(": ")
                last, kind = (value, kind) if name == "id" else (last, value if name == "event" else kind)
                if kind in ("done", "failed", "cancelled") or reader.at_eof():
                    break
            writer.close()
        return kind

    async def everybody(site: SiteProcess, ids: list[str]) -> list[str]:
        asleep = [await open_stream(site.url, ids[n % len(ids)], "") for n in range(people // 2)]
        awake = [asyncio.create_task(come_back(site.url, ids[n % len(ids)])) for n in range(people // 2)]
        await asyncio.sleep(0.5)
        gate.touch()
        kinds = await asyncio.gather(*awake)
        for _, writer in asleep:
            writer.close()
        return list(kinds)

    with SiteProcess(tmp_path) as site:
        ids = [site.ask(f"gate={gate} pause=0.05 a cat", count=9).json()["id"] for _ in range(4)]
        until(lambda: all(site.state(id)["state"] == "drawing" for id in ids))
        before = memory(site)
        assert asyncio.run(everybody(site, ids)) == ["done"] * (people // 2)
        assert memory(site) - before < 40, "megabytes"
        assert site.get("/healthz") == 200


def memory(site: SiteProcess) -> float:
    """Megabytes that the site's process holds."""
    status = Path(f"/proc/{site.process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_a_database_that_is_locked_is_waited_for(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path) as site:
        jobs, caller = site.services.jobs, Caller("ip:ann")
        running = jobs.submit(DrawRequest(prompt="pause=0.3 a cat", count=3), caller=caller, api="native")
        until(lambda: jobs.get(running.id).state == "drawing")
        other = sqlite3.connect(
            tmp_path / "site" / "nonet.sqlite", isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(3.0, lambda: other.execute("COMMIT")).start()
        began = time.monotonic()
        waited = jobs.submit(DrawRequest(prompt="a dog", count=1), caller=caller, api="native")
        assert time.monotonic() - began > 2.5
        until(lambda: jobs.get(running.id).state == jobs.get(waited.id).state == "drawn")
        assert jobs.get(running.id).attempt == 1
        other.close()


def test_a_store_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    with service_fakes.running(tmp_path) as site:
        jobs, caller = site.services.jobs, Caller("ip:ann")

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            job = jobs.submit(DrawRequest(prompt="a cat"), caller=caller, api="native")
            until(lambda: jobs.get(job.id).over)
        failed = jobs.get(job.id)
        assert failed.state == "failed"
        assert failed.error is not None
        assert failed.error[0] == "disk_full"
        assert failed.pictures == []
        assert list(site.services.store.keys()) == []
        assert site.services.ready, "it is not the engine's fault"
        again = jobs.submit(DrawRequest(prompt="a dog"), caller=caller, api="native")
        until(lambda: jobs.get(again.id).state == "drawn")


def test_a_clock_that_jumps_an_hour_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service_fakes.running(tmp_path, queue_seconds=600, lease_seconds=5) as site:
        jobs, caller = site.services.jobs, Caller("ip:ann")
        site.services.set_state(paused=True)
        waiting = jobs.submit(DrawRequest(prompt="a cat", count=1), caller=caller, api="native")
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)
        for _ in range(3):
            site._beat()
        assert jobs.get(waiting.id).state == "queued"
        site.services.set_state(paused=False)
        until(lambda: jobs.get(waiting.id).state == "drawn")


def test_what_waits_too_long_expires(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, queue_seconds=0.5) as site:
        jobs = site.services.jobs
        site.services.set_state(paused=True)
        job = jobs.submit(DrawRequest(prompt="a cat"), caller=Caller("ip:ann"), api="native")
        until(lambda: jobs.get(job.id).state == "expired")
        error = jobs.get(job.id).error
        assert error is not None
        assert error[0] == "expired"
