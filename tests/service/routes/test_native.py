"""The native API over a real server, database and engine process."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from api_site import LiveSite, live_site
from nonet.service.bodies import BODY_SECONDS, BodyLimits
from nonet.service.routes.sse import EventStream
from service_fakes import until

NINE = list(range(9))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    with live_site(tmp_path_factory.mktemp("native")) as live:
        yield live


def events_of(live: LiveSite, path: str, **headers: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Id, kind and data of all events of a drawing, up to the end of the stream."""
    text = live.get(path, **headers).body.decode()
    assert text.startswith("retry: ")
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_a_drawing_from_asking_to_its_pictures(live: LiveSite) -> None:
    asked = live.post("/api/drawings", {"prompt": "a cat on the moon", "seed": 7})
    assert asked.status == 202
    told = asked.json()
    assert asked.headers["location"] == told["url"] == f"{live.url}/api/drawings/{told['id']}"
    assert len(told["id"]) == 22
    assert told["state"] in ("queued", "drawing", "drawn")
    assert told["page"] == f"{live.url}/d/{told['id']}"
    drawn = until(lambda: d if (d := live.get(told["url"]).json())["state"] == "drawn" else None)
    assert [picture["index"] for picture in drawn["pictures"]] == NINE
    assert [picture["seed"] for picture in drawn["pictures"]] == [7 + index for index in NINE]
    assert drawn["pictures"][0]["sources"][0]["licence"] == "CC0-1.0"
    assert (drawn["place"], drawn["eta_seconds"], drawn["queued"], drawn["error"]) == (None, None, None, None)
    first = drawn["pictures"][0]
    for kind, format in (("png", "PNG"), ("webp", "WEBP"), ("jpg", "JPEG")):
        answer = live.get(first[kind])
        assert answer.status == 200
        assert Image.open(io.BytesIO(answer.body)).format == format
        assert answer.headers["content-type"] == Image.MIME[format]
    assert Image.open(io.BytesIO(live.get(drawn["sheet"]).body)).size == (3 * 64 + 4 * 8, 3 * 64 + 4 * 8)


def test_every_setting_arrives(live: LiveSite) -> None:
    settings = {"negative_prompt": "a dog", "count": 2, "seed": 2**53 - 9, "guidance": 3, "temperature": 0.5}
    settings |= {"top_k": 5, "top_p": 0.9, "candidates": 0}
    told = live.post("/api/drawings", {"prompt": "a cat", **settings}).json()
    assert {name: told[name] for name in settings} == settings


def test_the_same_seed_is_the_same_picture_and_another_is_not(live: LiveSite) -> None:
    one, two, other = (live.drawn("a cat", seed=seed, count=1)["pictures"][0] for seed in (3, 3, 4))
    assert live.get(one["png"]).body == live.get(two["png"]).body != live.get(other["png"]).body


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "setting_invalid"),
        ({"prompt": ""}, 400, "prompt_empty"),
        ({"prompt": " \u200b\n"}, 400, "prompt_empty"),
        ({"prompt": "x" * 2001}, 400, "prompt_too_long"),
        ({"prompt": "x", "negative_prompt": "x" * 2001}, 400, "prompt_too_long"),
        ({"prompt": "a\x00cat"}, 422, "setting_invalid"),
        ({"prompt": "a\x1b[2Jcat"}, 422, "setting_invalid"),
        ({"prompt": "\ud800"}, 422, "setting_invalid"),
        ({"prompt": 5}, 422, "setting_invalid"),
        ({"prompt": ["a cat"]}, 422, "setting_invalid"),
        ({"prompt": "x", "count": 0}, 422, "setting_invalid"),
        ({"prompt": "x", "count": 10}, 422, "setting_invalid"),
        ({"prompt": "x", "count": True}, 422, "setting_invalid"),
        ({"prompt": "x", "count": "3"}, 422, "setting_invalid"),
        ({"prompt": "x", "seed": 2**53}, 422, "setting_invalid"),
        ({"prompt": "x", "seed": 10**40}, 422, "setting_invalid"),
        ({"prompt": "x", "top_p": 0}, 422, "setting_invalid"),
        ({"prompt": "x", "guidance": float("inf")}, 422, "setting_invalid"),
        ({"prompt": "x", "candidates": 200}, 422, "setting_invalid"),
        ({"prompt": "x", "promt": "y"}, 422, "setting_invalid"),
        ({"prompt": "a bloody massacre of children"}, 400, "prompt_refused"),
        ({"prompt": "x" * 1_000_000}, 413, "too_large"),
        ([], 400, "request_invalid"),
        (None, 400, "request_invalid"),
        (b"{", 400, "request_invalid"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_requests_are_told_what_is_wrong(live: LiveSite, body: Any, status: int, code: str) -> None:
    answer = live.post("/api/drawings", b"null" if body is None else body)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert "Traceback" not in answer.body.decode()
    assert ("category" in answer.json()["error"]) == (code == "prompt_refused")


def test_sql_and_html_in_prompts_are_only_text(live: LiveSite) -> None:
    prompt = "'; DROP TABLE drawings; -- <script>alert(1)</script> \u202e"
    assert live.drawn(prompt, count=1)["prompt"] == prompt


@pytest.mark.parametrize("id", ["x", "A" * 22, "..%2f..%2fetc%2fpasswd", "%00", "a" * 5_000, "%F0%9F%90%B1"])
@pytest.mark.parametrize("rest", ["", "/events", "/pictures/0.png", "/sheet.png"])
def test_unknown_ids_are_not_found(live: LiveSite, id: str, rest: str) -> None:
    answer = live.get(f"/api/drawings/{id}{rest}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


def test_only_who_asked_can_cancel(tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = {"api_keys": ["one:first-key", "two:second-key"]}
    with live_site(tmp_path_factory.mktemp("keys"), **keys) as live:
        first, second = ({"Authorization": f"Bearer {key}-key"} for key in ("first", "second"))
        told = live.post("/api/drawings", {"prompt": "slow"}, **first).json()
        path = f"/api/drawings/{told['id']}"
        for other in ({}, second):
            assert live.ask("DELETE", path, **other).status == 404
        assert live.post("/api/drawings", {"prompt": "x"}, Authorization="Bearer wrong").status == 401
        cancelled = live.ask("DELETE", path, **first)
        assert (cancelled.status, cancelled.json()["state"]) == (200, "cancelled")
        assert cancelled.json()["error"]["code"] == "cancelled"
        # Again is no error, and everybody who knows its address may look.
        assert live.ask("DELETE", path, **first).json()["state"] == "cancelled"
        assert live.get(path).json()["state"] == "cancelled"
        assert events_of(live, f"{path}/events")[-1][1] == "cancelled"


def test_what_was_hidden_is_not_there(live: LiveSite) -> None:
    told = live.drawn("a cat", count=3)
    jobs = live.site.services.jobs
    jobs.hide(told["id"], 1)
    assert live.get(told["pictures"][1]["png"]).status == 404
    assert [picture["index"] for picture in live.get(told["url"]).json()["pictures"]] == [0, 2]
    jobs.hide(told["id"])
    for path in (told["url"], told["events"], told["sheet"], told["pictures"][0]["png"]):
        assert live.get(path).status == 404


def test_the_events_of_a_drawing(live: LiveSite, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    told = live.post("/api/drawings", {"prompt": f"quarters note gate={gate}", "count": 2}).json()

    def open_gate() -> None:
        until(live.site.services.hub.followers)
        gate.touch()

    opening = threading.Thread(target=open_gate)
    opening.start()
    events = events_of(live, told["events"])
    opening.join()
    ids = [id for id, _, _ in events]
    assert ids == sorted(set(ids))
    kinds = [kind for _, kind, _ in events]
    assert kinds[-1] == "done"
    assert kinds.count("drawn") == 2
    last = {kind: data for _, kind, data in events}
    assert last["done"]["pictures"] == 2
    assert last["drawn"]["url"].startswith(f"/api/drawings/{told['id']}/pictures/")
    partial = next(data for _, kind, data in events if kind == "partial")
    assert Image.open(io.BytesIO(base64.b64decode(partial["webp"]))).format == "WEBP"
    assert last["progress"]["total"] == 256


def test_coming_back_with_the_last_id_gets_the_rest_and_always_the_end(live: LiveSite) -> None:
    told = live.drawn("a cat", count=2)
    everything = events_of(live, told["events"])
    assert [kind for _, kind, _ in everything] == ["drawn", "drawn", "done"]
    after = events_of(live, told["events"], Last_Event_ID=str(everything[0][0]))
    assert after == everything[1:]
    # Who has seen the end and asks again is told it again rather than left waiting.
    assert events_of(live, told["events"], Last_Event_ID=str(everything[-1][0]))[-1][1] == "done"
    for nonsense in ("x", "-1", "9" * 400, "1e3", "\u0663"):
        given = nonsense.encode().decode("latin-1")
        assert events_of(live, told["events"], Last_Event_ID=given)[-1][1] == "done"


def test_a_failed_drawing_says_why(live: LiveSite) -> None:
    told = live.drawn("nan", count=1)
    assert (told["state"], told["error"]["code"]) == ("failed", "model_failed")
    assert events_of(live, told["events"])[-1][2]["code"] == "model_failed"
    assert live.get(f"{told['url']}/pictures/0.png").status == 404
    assert live.get(f"{told['url']}/sheet.png").status == 404


def test_one_key_is_one_drawing(live: LiveSite) -> None:
    key = {"Idempotency_Key": "order-66"}
    first, again = (live.post("/api/drawings", {"prompt": "a cat"}, **key).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert first["seed"] == again["seed"]
    other = live.post("/api/drawings", {"prompt": "a dog"}, **key)
    assert (other.status, other.json()["error"]["code"]) == (409, "key_reused")
    for bad in ("", "a b", "x" * 201, "\xfc"):
        answer = live.post("/api/drawings", {"prompt": "a cat"}, Idempotency_Key=bad)
        assert (answer.status, answer.json()["error"]["code"]) == (422, "setting_invalid"), bad


def test_rates_are_told_and_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    with live_site(tmp_path_factory.mktemp("rates"), rate_anonymous="2/hour;5/day") as live:
        left = []
        for _ in range(2):
            answer = live.post("/api/drawings", {"prompt": "a cat", "count": 1})
            assert answer.headers["ratelimit-limit"] == "2"
            left.append(answer.headers["ratelimit-remaining"])
        assert left == ["1", "0"]
        refused = live.post("/api/drawings", {"prompt": "a cat"})
        assert (refused.status, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        assert refused.headers["ratelimit-remaining"] == "0"
        assert 0 < int(refused.headers["ratelimit-reset"]) <= 3600
        openai = live.post("/v1/images/generations", {"prompt": "a cat"})
        assert openai.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_full_line_says_when_to_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    with live_site(tmp_path_factory.mktemp("full"), queue_max=1, drawings_together=1) as live:
        answers = [live.post("/api/drawings", {"prompt": "gate=/nowhere"}) for _ in range(6)]
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert {answer.json()["error"]["code"] for answer in refused} == {"queue_full"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_every_answer_has_a_request_id(live: LiveSite) -> None:
    for path in ("/api/drawings/x", "/v1/models", "/nothing", "/openapi.json"):
        assert live.get(path).headers["x-request-id"].startswith("req_")
    assert live.get("/v1/models", X_Request_ID="mine-1.2_3").headers["x-request-id"] == "mine-1.2_3"
    assert live.get("/v1/models", X_Request_ID="a b").headers["x-request-id"].startswith("req_")


def test_a_reader_of_events_that_never_reads_delays_nobody(live: LiveSite) -> None:
    told = live.post("/api/drawings", {"prompt": "quarters pause=0.1"}).json()
    parts = urlsplit(told["events"])
    address = (str(parts.hostname), int(parts.port or 0))
    stuck = []
    for _ in range(20):
        connection = socket.create_connection(address)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        stuck.append(connection)
    try:
        assert events_of(live, told["events"])[-1][1] == "done"
    finally:
        for connection in stuck:
            connection.close()
    until(lambda: live.site.services.hub.followers() == 0)


def test_only_so_many_may_watch_at_a_time(live: LiveSite, monkeypatch: pytest.MonkeyPatch) -> None:
    told = live.post("/api/drawings", {"prompt": "a cat", "count": 1}).json()
    monkeypatch.setattr("nonet.service.routes.native.STREAMS_MAX", 0)
    answer = live.get(told["events"])
    assert (answer.status, answer.json()["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_silence_is_broken_by_comments(live: LiveSite, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = partial(EventStream, heartbeat_seconds=0.05)
    monkeypatch.setattr("nonet.service.routes.native.EventStream", impatient)
    told = live.post("/api/drawings", {"prompt": "pause=1", "count": 1}).json()
    text = live.get(told["events"]).body.decode()
    assert "\n: still here\n" in text
    assert text.rstrip().split("\n")[-2].startswith("event: done")


def test_a_slow_body_is_not_waited_for(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BODY_SECONDS <= 10
    defaults = BodyLimits.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "seconds", 0.3)
    with live_site(tmp_path_factory.mktemp("slow")) as live:
        parts = urlsplit(live.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        connection.putrequest("POST", "/api/drawings")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "1000")
        connection.endheaders()
        connection.send(b"{")
        answer = connection.getresponse()
        assert answer.status == 408
        assert json.load(answer)["error"]["code"] == "request_invalid"
        connection.close()


def test_a_browser_of_another_site_is_let_in_only_if_the_site_says_so(
    tmp_path_factory: pytest.TempPathFactory, live: LiveSite
) -> None:
    asking = {"Origin": "https://friend.example"}
    assert live.get("/v1/models", **asking).headers["access-control-allow-origin"] is None
    origins = {"cors_origins": ["https://friend.example"]}
    with live_site(tmp_path_factory.mktemp("cors"), **origins) as open_site:
        answer = open_site.get("/v1/models", **asking)
        assert answer.headers["access-control-allow-origin"] == "https://friend.example"
        assert answer.headers["access-control-allow-credentials"] is None
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        stranger = open_site.get("/v1/models", Origin="https://other.example")
        assert stranger.headers["access-control-allow-origin"] is None
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
        assert open_site.ask("OPTIONS", "/api/drawings", **asking, **asked).status == 200
        asked["Access_Control_Request_Headers"] = "authorization"
        assert open_site.ask("OPTIONS", "/api/drawings", **asking, **asked).status == 400
