"""The admin's page: nobody else's, and what its buttons do."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.records import Caller, Job
from nonet.service.routes import admin
from nonet.service.server import app_of
from nonet.service.site import Site
from service_fakes import until

ANN = Caller("ip:ann")
TOKEN = {"Authorization": "Basic " + base64.b64encode(b"me:hush").decode()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with service_fakes.running(tmp_path_factory.mktemp("site"), admin_token="hush") as running:
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(app_of(site), follow_redirects=False) as made:
        yield made


def drawn(site: Site, prompt: str = "a cat", caller: Caller = ANN) -> Job:
    jobs = site.services.jobs
    job = jobs.submit(DrawRequest(prompt=prompt, count=2), caller=caller, api="native")
    until(lambda: jobs.get(job.id).over)
    return jobs.get(job.id)


def do(client: TestClient, path: str, **data: str) -> None:
    answer = client.post(f"/admin/{path}", data=data, headers=TOKEN)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/admin"


def test_a_site_without_a_token_has_no_such_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    site = Site(service_fakes.settings(tmp_path_factory.mktemp("bare")), policy=service_fakes.policy())
    with TestClient(app_of(site)) as client:
        assert client.get("/admin", headers=TOKEN).status_code == 404
        assert client.post("/admin/state", data={"paused": "1"}, headers=TOKEN).status_code == 404
    site.stop()


def test_every_route_wants_the_token(client: TestClient, site: Site) -> None:
    asked = client.get("/admin")
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic ")
    wrong = {"Authorization": "Basic " + base64.b64encode(b"me:hus").decode()}
    assert client.get("/admin", headers=wrong).status_code == 401
    posts = [
        route.path
        for route in admin.router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    ]
    assert len(posts) >= 7
    for path in posts:
        filled = path.format(id="x", number=1)
        assert client.post(filled, data={"caller": "ip:x", "paused": "1"}).status_code == 401, path
    assert not site.services.dispatcher.paused


def test_no_other_site_can_press_its_buttons(client: TestClient, site: Site) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post("/admin/state", data={"paused": "1"}, headers={**TOKEN, **headers})
        assert answer.status_code == 403
    assert not site.services.dispatcher.paused


def test_pausing_and_closing(client: TestClient, site: Site) -> None:
    do(client, "state", paused="1")
    job = site.services.jobs.submit(DrawRequest(prompt="<b>a cat</b>"), caller=ANN, api="native")
    page = client.get("/admin", headers=TOKEN)
    assert page.status_code == 200
    assert "&lt;b&gt;a cat&lt;/b&gt;" in page.text
    assert "<b>a cat" not in page.text
    assert "Go on drawing" in page.text
    assert site.services.jobs.get(job.id).state == "queued"
    do(client, "state", closed="1")
    refused = client.post("/api/drawings", json={"prompt": "a dog"})
    assert refused.status_code == 503
    # It holds whoever asks the database: another server, or this one after a restart.
    site.services.dispatcher.paused = False
    site.services.read_state()
    assert site.services.dispatcher.paused
    do(client, f"drawings/{job.id}/cancel")
    assert site.services.jobs.get(job.id).state == "cancelled"
    do(client, "state", paused="0", closed="0")
    assert drawn(site).state == "drawn"


def test_complaints(client: TestClient, site: Site) -> None:
    services = site.services
    job = drawn(site)
    report = services.jobs.report(job.id, 1, "<i>it is ugly</i>", ANN)
    page = client.get("/admin", headers=TOKEN).text
    assert "&lt;i&gt;it is ugly" in page
    do(client, f"drawings/{job.id}/hide", picture="1")
    assert [one.hidden for one in services.jobs.get(job.id).pictures] == [False, True]
    do(client, f"drawings/{job.id}/hide")
    assert services.jobs.get(job.id).hidden
    do(client, f"drawings/{job.id}/hide", hidden="0")
    assert not services.jobs.get(job.id).hidden
    do(client, f"reports/{report.id}/close")
    assert services.jobs.reports() == []
    do(client, f"drawings/{job.id}/delete")
    assert client.get(f"/api/drawings/{job.id}").status_code == 404


def test_complaints_are_exported_with_what_was_drawn(
    client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = site.services.jobs
    job = drawn(site, "a =cat, <b>")
    first = jobs.report(job.id, 1, "=ugly", ANN)
    jobs.close_report(first.id)
    jobs.report(job.id, None, "copied", ANN)
    assert client.get("/admin/reports.json").status_code == 401
    assert 'href="/admin/reports.json"' in client.get("/admin", headers=TOKEN).text
    answer = client.get("/admin/reports.json", headers=TOKEN)
    assert answer.headers["content-disposition"].startswith("attachment")
    closed, still_open = answer.json()["reports"][-2:]
    assert (closed["open"], closed["reason"], closed["picture"]) == (False, "=ugly", 1)
    assert client.get(closed["url"]).headers["content-type"] == "image/png"
    assert (still_open["open"], still_open["picture"], still_open["caller"]) == (True, None, "ip:ann")
    assert client.get(still_open["url"]).json()["id"] == job.id
    assert closed["drawing"] == still_open["drawing"]
    assert (closed["drawing"]["prompt"], closed["drawing"]["caller"]) == ("a =cat, <b>", "ip:ann")
    # None is left out where they come in several lots.
    reports = jobs.reports
    monkeypatch.setattr(jobs, "reports", lambda **asked: reports(**asked)[:1])
    assert client.get("/admin/reports.json", headers=TOKEN).json() == answer.json()


def test_a_drawing_that_is_deleted_during_the_export_takes_its_complaints_with_it(
    client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = site.services.jobs
    gone, kept = drawn(site), drawn(site)
    jobs.report(gone.id, None, "goes", ANN)
    jobs.report(kept.id, None, "stays", ANN)
    get = jobs.get

    def get_later(id: str) -> Job:
        if id == gone.id:
            jobs.delete(id, caller=None)
        return get(id)

    monkeypatch.setattr(jobs, "get", get_later)
    said = [one["reason"] for one in client.get("/admin/reports.json", headers=TOKEN).json()["reports"]]
    assert "stays" in said
    assert "goes" not in said


def test_banning(client: TestClient, site: Site) -> None:
    do(client, "ban", caller="ip:eve", reason="spam")
    assert ("ip:eve", "spam") in site.services.jobs.banned()
    assert "ip:eve" in client.get("/admin", headers=TOKEN).text
    do(client, "unban", caller="ip:eve")
    assert site.services.jobs.banned() == []
    assert client.post("/admin/ban", data={"caller": "everybody"}, headers=TOKEN).status_code == 422


def test_replacing_the_engine(client: TestClient, site: Site) -> None:
    before = site.services.engines.pids
    do(client, "engine")
    until(lambda: site.services.ready and site.services.engines.pids not in (before, []))


def test_programs_send_it_as_a_bearer_token(client: TestClient) -> None:
    assert client.get("/admin", headers={"Authorization": "Bearer hush"}).status_code == 200
