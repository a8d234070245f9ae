"""The parts together: restarts, several servers on one database, and the real model."""

from __future__ import annotations

import io
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.safety.policy import Policy
from nonet.service import schema
from nonet.service.database import Database
from nonet.service.records import Caller, Job
from nonet.service.site import Site
from service_fakes import until
from site_process import SiteProcess

ANN = Caller("ip:ann")


def ask(site: Site, prompt: str = "a cat", count: int = 2) -> str:
    return site.services.jobs.submit(DrawRequest(prompt=prompt, count=count), caller=ANN, api="native").id


def ended(site: Site, id: str) -> Job:
    until(lambda: site.services.jobs.get(id).over, 60)
    return site.services.jobs.get(id)


def test_a_restart_goes_on_and_callers_stay_the_same(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path) as site:
        done = ended(site, ask(site))
        hashed = site.services.callers.hashed("203.0.113.7")
        site.services.set_state(paused=True)
        waiting = ask(site)
        site.services.hub.publish(waiting, "place", {})
        last = site.services.hub._channels[waiting].last_id
    with service_fakes.running(tmp_path) as site:
        assert site.services.jobs.get(done.id) == done
        assert site.services.callers.hashed("203.0.113.7") == hashed
        assert site.services.dispatcher.paused, "an admin's word outlives the server"
        assert site.services.jobs.get(waiting).state == "queued"
        site.services.hub.publish(waiting, "place", {})
        assert site.services.hub._channels[waiting].last_id > last
        assert site.services.jobs.speed.known, "it remembers how long drawings take"
        site.services.set_state(paused=False)
        assert ended(site, waiting).state == "drawn"


def test_two_servers_draw_from_one_line_and_one_takes_over_from_the_other(
    empty_postgres: str, tmp_path: Path
) -> None:
    shared: dict[str, Any] = {
        "database": empty_postgres,
        "store": str(tmp_path / "pictures"),
        "lease_seconds": 2.0,
    }
    gate = tmp_path / "gate"
    (tmp_path / "other").mkdir()
    other = SiteProcess(tmp_path / "other", **shared)
    other.start()
    held = other.ask(f"gate={gate} a cat", count=2).json()["id"]
    until(lambda: other.state(held)["state"] == "drawing")
    with service_fakes.running(tmp_path, **shared) as site:
        jobs = site.services.jobs
        assert jobs.get(held).state == "drawing"
        # Each draws some of what both accept.
        ids = [ask(site, "pause=0.05 a cat") for _ in range(6)] + [
            other.ask(count=2).json()["id"] for _ in range(4)
        ]
        for id in ids:
            assert ended(site, id).state == "drawn"
        time.sleep(2.5)
        assert jobs.get(held).attempt == 1, "who lives keeps what it draws, however long it takes"
        other.kill()
        gate.touch()
        taken = ended(site, held)
        assert (taken.state, taken.attempt, taken.losses) == ("drawn", 2, 1)
        assert len(taken.pictures) == 2
        assert site.services.picture_bytes(taken, 0, "png").startswith(b"\x89PNG")


def test_a_server_that_was_taken_for_dead_begins_anew(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path) as site:
        gate = tmp_path / "gate"
        id = ask(site, f"gate={gate} a cat")
        until(lambda: site.services.jobs.get(id).state == "drawing")
        worker = site.line.worker
        # Another server saw no beat: it removed this one and put the drawing back.
        site.line.leave()
        site._beat()
        assert site.line.worker != worker
        gate.touch()
        job = ended(site, id)
        assert job.state == "drawn"
        assert job.attempt == 2
        assert len(job.pictures) == 2


def test_what_is_held_without_knowing_is_given_back(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path) as site:
        site.services.set_state(paused=True)
        id = ask(site)
        # The claim was committed and its answer lost.
        assert site.line.claim() is not None
        site.services.set_state(paused=False)
        assert ended(site, id).state == "drawn"


def test_old_drawings_go_with_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from nonet.service import line
    from nonet.service.database import now

    with service_fakes.running(tmp_path, retention_days=2) as site:
        job = ended(site, ask(site))
        site._tidy()
        assert site.services.jobs.get(job.id) == job
        monkeypatch.setattr(line, "now", lambda: now() + timedelta(days=3))
        site._tidy()
        with pytest.raises(NonetError):
            site.services.jobs.get(job.id)
        site.line.sweep(site.services.store, after_seconds=0)
        assert list(site.services.store.keys()) == []


def test_a_broken_policy_keeps_the_last_good_one_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("nonet.service.site._log.info", lambda event, **more: said.append((event, more)))
    monkeypatch.setattr("nonet.service.site._log.warning", lambda event, **more: said.append((event, more)))
    file = tmp_path / "policy.txt"
    file.write_text("[category house]\nteapot\n", "utf-8")
    with service_fakes.running(tmp_path) as site:
        site.services.policy = Policy(file=file)
        said.clear()
        for text in ("[category house]\nkettle\n# longer\n", "[category house\nteapot and more of it\n"):
            # Written whole: the site looks at it from time to time, too.
            with atomic_write(file) as stream:
                stream.write(text.encode())
            site._reload_policy()
            site._reload_policy()
            assert site.services.policy.check("a kettle") is not None
            assert site.services.policy.check("a teapot") is None
    events = [(event, more) for event, more in said if event.startswith("policy")]
    assert [event for event, _ in events] == ["policy read again", "policy kept as it was"]
    assert "line 1" in events[1][1]["problem"]


def test_who_waits_is_told_of_every_step(tmp_path: Path) -> None:
    import asyncio
    from contextlib import aclosing

    async def follow(site: Site, id: str) -> list[tuple[str, object]]:
        async with aclosing(site.services.hub.follow(id)) as events:
            return [(event.kind, event.data.get("place")) async for event in events]

    with service_fakes.running(tmp_path, drawings_together=1) as site:
        first = ask(site, "pause=1.5 a cat", count=1)
        until(lambda: site.services.jobs.get(first).state == "drawing")
        ask(site, "pause=1.5 a cat", count=1)
        seen = asyncio.run(follow(site, ask(site)))
    places = [place for kind, place in seen if kind == "place"]
    assert places[0] == 2
    assert 1 in places
    kinds = [kind for kind, _ in seen]
    assert kinds[-1] == "done"
    assert kinds.count("drawn") == 2
    assert "started" in kinds
    assert kinds.index("started") < kinds.index("drawn")


def test_a_site_that_cannot_be_made_leaves_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(NonetError):
        Site(service_fakes.settings(tmp_path, store="nosuch://x"))
    database = Database(f"sqlite:///{tmp_path / 'site' / 'nonet.sqlite'}")
    assert schema.revision(database) == schema.newest()
    database.close()
    Site(service_fakes.settings(tmp_path), policy=service_fakes.policy()).stop()


def test_the_real_model(tmp_path: Path) -> None:
    """Nothing faked: the embedded model, the policy with its text encoder, marks and, where it can, signatures."""
    settings = service_fakes.settings(
        tmp_path, engine="", sign="auto", invisible_mark=True, hang_seconds=120, safety="strict"
    )
    site = Site(settings)
    site.start()
    try:
        until(lambda: site.services.ready, 120)
        site.services.judge(DrawRequest(prompt="a red apple on a table"))
        with pytest.raises(NonetError) as caught:
            site.services.judge(DrawRequest(prompt="jetliners flying into a manhattan high rise"))
        assert caught.value.code == "prompt_refused"
        ids = [ask(site, prompt, count=3) for prompt in ("a red apple on a table", "a cat on the moon")]
        until(lambda: all(map(partial(over, site), ids)), 180)
        for id in ids:
            job = site.services.jobs.get(id)
            assert job.state == "drawn", job.error
            assert job.model == "doodle"
            assert len({one.key for one in job.pictures}) == 3
            assert all(one.sources for one in job.pictures)
            image = Image.open(io.BytesIO(site.services.picture_bytes(job, 0, "png")))
            assert image.size == (256, 256)
        used, most = until(lambda: site.services.engines.rows[1] and site.services.engines.rows)
        assert 0 <= used <= most
    finally:
        site.stop()


def over(site: Site, id: str) -> bool:
    return site.services.jobs.get(id).over
