"""Health, readiness and metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.records import Caller
from nonet.service.server import app_of
from nonet.service.site import Site
from service_fakes import until

ANN = Caller("ip:ann")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with service_fakes.running(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(app_of(site)) as made:
        yield made


def over(site: Site, id: str) -> bool:
    return site.services.jobs.get(id).over


def metric(client: TestClient, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_healthy_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "state": "ready", "model": "fake"}


def test_drawing_moves_the_numbers(client: TestClient, site: Site) -> None:
    jobs = site.services.jobs
    before = {name: metric(client, name) for name in ("nonet_pictures_total", "nonet_tokens_total")}
    for _ in range(3):
        job = jobs.submit(DrawRequest(prompt="a cat", count=2), caller=ANN, api="openai")
        jobs.place(job.id)
        until(partial(over, site, job.id))
    until(lambda: metric(client, 'nonet_ended_total{code="",state="drawn"}') >= 3)
    assert metric(client, "nonet_pictures_total") == before["nonet_pictures_total"] + 6
    assert metric(client, "nonet_tokens_total") == before["nonet_tokens_total"] + 6 * 256
    assert metric(client, 'nonet_accepted_total{api="openai"}') >= 3
    assert metric(client, "nonet_wait_seconds_count") >= 3
    assert metric(client, "nonet_drawing_seconds_count") >= 3
    assert metric(client, "nonet_eta_error_seconds_count") >= 1, "from the second on a time was told"
    assert metric(client, "nonet_store_seconds_count") >= 6
    assert metric(client, "nonet_drawing") == 0


def test_the_line_and_refusals_are_counted(client: TestClient, site: Site) -> None:
    services = site.services
    services.set_state(paused=True)
    job = services.jobs.submit(DrawRequest(prompt="a cat", count=1), caller=ANN, api="native")
    until(lambda: metric(client, "nonet_queue_length") == 1)
    services.set_state(paused=False)
    until(lambda: services.jobs.get(job.id).over)
    refused = client.post("/api/drawings", json={"prompt": "naked people"})
    assert refused.status_code == 400
    assert metric(client, 'nonet_refusals_total{category="sexual"}') >= 1


def test_requests_are_counted_by_route_and_not_by_what_people_make_up(client: TestClient) -> None:
    for number in range(20):
        client.get(f"/api/drawings/made-up-{number}")
        client.get(f"/nothing-{number}")
        client.request(f"VERB{number}", "/healthz")
    text = client.get("/metrics").text
    assert "made-up" not in text
    assert "nothing-" not in text
    assert "VERB" not in text
    assert (
        metric(client, 'nonet_http_seconds_count{method="GET",route="/api/drawings/{id}",status="404"}') >= 20
    )


def test_the_loop_is_probed(client: TestClient) -> None:
    until(lambda: metric(client, "nonet_loop_lag_seconds_count") >= 2)


def test_every_metric_is_explained(site: Site) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "operate.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(nonet_\w+)`", text))
    counters = {"counter"}
    there = {
        family.name + ("_total" if family.type in counters else "")
        for family in site.services.metrics.registry.collect()
    }
    assert documented == there


def test_not_ready_without_an_engine_or_when_draining(tmp_path: Path) -> None:
    with (
        service_fakes.running(tmp_path, model="unloadable", wait=False) as site,
        TestClient(app_of(site)) as client,
    ):
        until(lambda: site.services.engines.problem)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["problem"] == "model_failed"
        assert client.get("/healthz").status_code == 200
        site.close_doors()
        assert client.get("/readyz").json()["state"] == "draining"
        refused = client.post("/api/drawings", json={"prompt": "a cat"})
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "unavailable"


def test_not_ready_without_a_database(
    client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nonet.service.errors import OverloadedError

    def gone() -> None:
        raise OverloadedError("unavailable", "Gone.")

    monkeypatch.setattr(site.services.database, "ping", gone)
    assert client.get("/readyz").status_code == 503


def test_broken_when_a_thread_that_draws_is_gone(
    client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(site.services.dispatcher), "alive", False)
    assert client.get("/healthz").status_code == 500
