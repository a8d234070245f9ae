"""Several engines: each draws its own, and what happens to one is no matter of the others."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service import engines as engines_module
from nonet.service.database import now
from nonet.service.engines import Engines, how_many
from nonet.service.records import Caller, Job
from nonet.service.services import Services
from nonet.service.settings import Settings
from nonet.service.site import Site
from nonet.service.supervisor import Supervisor
from service_fakes import until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with service_fakes.running(folder, engines=2, drawings_together=2, hang_seconds=1.0) as running:
        yield running


@pytest.fixture
def services(site: Site) -> Services:
    services = site.services
    until(lambda: not services.engines.flying() and all(one.ready for one in services.engines.supervisors))
    for supervisor in services.engines.supervisors:
        supervisor.ends.clear()
    return services


def ask(services: Services, prompt: str, number: int = 0) -> str:
    request = DrawRequest(prompt=prompt, count=1)
    return services.jobs.submit(request, caller=Caller(f"ip:{number}"), api="native").id


def states(services: Services, ids: Sequence[str]) -> list[str]:
    until(lambda: all(services.jobs.get(id).over for id in ids))
    return [services.jobs.get(id).state for id in ids]


def loads(services: Services) -> list[int]:
    return [len(supervisor.flying()) for supervisor in services.engines.supervisors]


def test_drawings_are_spread_and_no_engine_gets_more_than_it_may(services: Services, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    ids = [ask(services, f"gate={gate} a cat", number) for number in range(6)]
    until(lambda: loads(services) == [2, 2])
    assert services.engines.room == 0
    time.sleep(0.2)
    assert loads(services) == [2, 2]
    until(lambda: services.jobs.queued() == 2)
    gate.touch()
    assert states(services, ids) == ["drawn"] * 6
    assert len(set(services.engines.pids)) == 2


def test_a_killed_engine_takes_only_its_own_drawings_along(services: Services, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    ids = [ask(services, f"gate={gate} a cat", number) for number in range(4)]
    until(lambda: loads(services) == [2, 2])
    first, second = services.engines.supervisors
    lost = {held.id for held in first.flying()}
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: first.ends)
    assert services.ready, "the other one still draws"
    gate.touch()
    assert states(services, ids) == ["drawn"] * 4
    assert {id for id in ids if services.jobs.get(id).losses} == lost
    assert (first.ends, second.ends) == ({"died": 1}, {})


def test_a_failure_replaces_only_the_engine_that_failed(services: Services) -> None:
    first, second = services.engines.supervisors
    before = {first.pid, second.pid}
    assert states(services, [ask(services, "nan")]) == ["failed"]
    assert services.ready
    until(lambda: sum(services.engines.ends.values()) and first.ready and second.ready)
    assert services.engines.ends == {"retired": 1}
    assert len(before & {first.pid, second.pid}) == 1


def test_a_hang_is_one_engines(services: Services) -> None:
    bad = ask(services, "hang")
    until(lambda: sum(loads(services)) == 1)
    assert states(services, [ask(services, "a cat", 1)]) == ["drawn"]
    assert states(services, [bad]) == ["failed"]
    assert services.engines.ends == {"hung": 1}


def test_a_cancelled_drawing_is_stopped_where_it_is_drawn(services: Services) -> None:
    ids = [ask(services, "slow gate=/nowhere", number) for number in range(2)]
    until(lambda: loads(services) == [1, 1])
    for number, id in enumerate(ids):
        services.jobs.cancel(id, Caller(f"ip:{number}"))
    until(lambda: loads(services) == [0, 0])
    assert states(services, ids) == ["cancelled"] * 2
    assert services.engines.ends == {}


def test_a_drawing_that_kills_is_drawn_alone(services: Services) -> None:
    killer = ask(services, "die")
    others = [ask(services, "pause=0.3 a cat", number) for number in range(1, 7)]
    assert states(services, [killer]) == ["failed"]
    assert states(services, others) == ["drawn"] * 6
    assert max(services.jobs.get(id).losses for id in others) <= 2


def test_starts_and_ends_are_counted_for_prometheus(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, engines=2) as site:
        services = site.services
        until(lambda: services.engines.how_many_ready == 2)
        until(lambda: "nonet_engine_starts_total 2.0" in services.metrics.text().decode())
        os.kill(services.engines.pids[0], signal.SIGKILL)
        until(lambda: 'nonet_engine_ends_total{reason="died"} 1.0' in services.metrics.text().decode())
        until(lambda: "nonet_engine_starts_total 3.0" in services.metrics.text().decode())


def test_all_end_with_the_site_at_the_same_time(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, engines=3) as site:
        engines = site.services.engines
        pids = until(lambda: len(engines.pids) == 3 and engines.pids)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert engines.state == "stopped"
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_full_engine_is_given_nothing_however_small_its_drawings_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = service_fakes.settings(tmp_path, engines=2, drawings_together=2)
    engines = Engines(settings, listener=None)  # type: ignore[arg-type]
    first, second = engines.supervisors
    monkeypatch.setattr(Supervisor, "ready", True)

    def draw(id: str, pictures: int) -> bool:
        request = DrawRequest(prompt="a cat", count=pictures)
        return engines.draw(Job(id, "drawing", request, "ip:ann", "native", "normal", now()))

    assert all(draw(id, pictures) for id, pictures in (("large", 9), ("small", 1), ("smaller", 1)))
    assert [[held.id for held in one.flying()] for one in (first, second)] == [
        ["large"],
        ["small", "smaller"],
    ]
    assert draw("other", 9)
    assert [len(one.flying()) for one in (first, second)] == [2, 2]
    assert not draw("too many", 1)


def test_an_engine_draws_at_a_lower_priority_than_the_site(services: Services) -> None:
    site = os.getpriority(os.PRIO_PROCESS, 0)
    for pid in services.engines.pids:
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, site + 10)


def test_that_no_engine_can_load_its_model_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level("INFO", logger="nonet.dispatcher"),
        service_fakes.running(tmp_path, engines=2, model="unloadable", wait=False) as site,
    ):
        until(lambda: all(one.starts >= 2 for one in site.services.engines.supervisors))
    told = [record.msg["state"] for record in caplog.records if isinstance(record.msg, dict)]
    assert [state for state in told if state != "loading"] == ["failed", "stopped"]


def test_what_they_are_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(service_fakes.settings(tmp_path, engines=2), listener=None)  # type: ignore[arg-type]
    first, second = engines.supervisors
    assert engines.state == "loading"
    assert not engines.alive
    first.rows, second.rows = (3, 40), (4, 40)
    first.starts, second.starts = 1, 2
    first.ends, second.ends = {"died": 1}, {"died": 1, "hung": 2}
    assert (engines.rows, engines.starts, engines.ends) == ((7, 80), 3, {"died": 2, "hung": 2})
    second.problem = ("model_missing", "It is not here.", "")
    assert engines.problem == second.problem
    assert engines.state == "loading", "the other one may still come"
    first.problem = second.problem
    assert engines.state == "failed"
    monkeypatch.setattr(Supervisor, "ready", True)
    assert engines.room == 16


@pytest.mark.parametrize(
    ("values", "cores", "count"),
    [
        ({}, 1, 1),
        ({}, 2, 2),
        ({}, 64, 4),
        ({"model": "mega"}, 64, 1),
        ({"engines": 3, "model": "mega"}, 2, 3),
        ({"engine": "some:other"}, 8, 1),
    ],
)
def test_how_many(values: dict[str, object], cores: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines_module, "_cores", lambda: cores)
    assert how_many(Settings.model_validate(values)) == count
