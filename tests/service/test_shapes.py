"""Failures in the shape of the API that was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response
from starlette.testclient import TestClient

from nonet.errors import CODES, NonetError
from nonet.safety.policy import PromptRefusedError, Refusal
from nonet.service import shapes
from nonet.service.errors import OverloadedError

REFUSAL = Refusal("gore", "prompt", "lists", "a rule", "Not drawn, because.", "Appeal.")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    count: int


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    shapes.install(app)

    def fail(error: str = "") -> None:
        if error == "refused":
            raise PromptRefusedError(REFUSAL)
        if error == "full":
            raise OverloadedError("queue_full", "Full.", retry_after=1.25)
        if error == "fault":
            raise RuntimeError("a secret of the server")
        raise NonetError(error, "What.", "Do.")

    def take(body: Body) -> int:
        return body.count

    for path in ("/api/x", "/v1/x", "/generate", "/page"):
        app.get(path)(fail)
        app.post(path)(take)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def inner(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def test_the_native_shape(client: TestClient) -> None:
    answer = client.get("/api/x", params={"error": "not_found"})
    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "not_found", "message": "What.", "hint": "Do."}}
    assert inner(client.get("/api/x", params={"error": "refused"}))["category"] == "gore"


def test_the_plain_shape(client: TestClient) -> None:
    answer = client.get("/generate", params={"error": "cancelled"})
    assert answer.status_code == 409
    assert answer.json() == {"error": "What.", "code": "cancelled", "hint": "Do."}


def test_the_openai_shape(client: TestClient) -> None:
    answer = client.get("/v1/x", params={"error": "refused"})
    assert answer.status_code == 400
    assert inner(answer) == {
        "message": "Not drawn, because. Appeal.",
        "type": "invalid_request_error",
        "param": "prompt",
        "code": "prompt_refused",
    }


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_an_answer_in_every_shape(client: TestClient, code: str) -> None:
    statuses = {path: client.get(path, params={"error": code}).status_code for path in ("/api/x", "/v1/x")}
    assert all(400 <= status < 600 for status in statuses.values())
    # OpenAI's Images API never answers with 422, for which its client has a class of its own.
    assert statuses["/v1/x"] == (400 if statuses["/api/x"] == 422 else statuses["/api/x"])


def test_overload_says_when_to_come_back(client: TestClient) -> None:
    native = client.get("/api/x", params={"error": "full"})
    assert (native.status_code, native.headers["retry-after"]) == (503, "2")
    openai = client.get("/v1/x", params={"error": "full"})
    assert (openai.headers["retry-after"], openai.headers["retry-after-ms"]) == ("2", "1250")
    assert "x-should-retry" not in openai.headers


def test_what_is_not_to_be_tried_again_says_so_to_openais_clients(client: TestClient) -> None:
    assert client.get("/v1/x", params={"error": "cancelled"}).headers["x-should-retry"] == "false"
    assert "x-should-retry" not in client.get("/api/x", params={"error": "cancelled"}).headers


@pytest.mark.parametrize("path", ["/api/x", "/v1/x", "/generate"])
def test_a_fault_of_ours_tells_nothing(client: TestClient, path: str) -> None:
    answer = client.get(path, params={"error": "fault"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "internal" in answer.text


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (b"{", "request_invalid", ""),
        (b"", "request_invalid", ""),
        (b"[1]", "request_invalid", ""),
        (b"[" * 40_000, "request_invalid", ""),
        (b'{"count": 1' + b"0" * 5_000 + b"}", "request_invalid", ""),
        (b"\xff\xfe", "request_invalid", ""),
        (b'{"count": "x"}', "setting_invalid", "count"),
        (b'{"count": true}', "setting_invalid", "count"),
        (b'{"count": NaN}', "setting_invalid", "count"),
        (b"{}", "setting_invalid", "count"),
        (b'{"count": 1, "cuont": 2}', "setting_invalid", "cuont"),
        (b'{"count": "\\ud800"}', "setting_invalid", "count"),
        (b'{"count": 1, "\\ud800": 2}', "", ""),
        (b'{"count": 1, "%s": 2}' % (b"x" * 9_000), "setting_invalid", "x" * 200),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("path", ["/api/x", "/v1/x", "/generate"])
def test_what_is_no_request(client: TestClient, path: str, content: bytes, code: str, named: str) -> None:
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 2_000
    told = answer.json() if path == "/generate" else inner(answer)
    if code:
        assert told["code"] == code
    assert named in answer.text
    if path == "/v1/x" and named:
        assert told["param"] == named


def test_a_form_is_no_json(client: TestClient) -> None:
    answer = client.post("/api/x", data={"count": "1"})
    assert (answer.status_code, inner(answer)["code"]) == (400, "request_invalid")
    assert "application/json" in inner(answer)["hint"]


def test_addresses_and_methods_that_are_not_there(client: TestClient) -> None:
    assert inner(client.get("/v1/nothing"))["code"] == "not_found"
    answer = client.delete("/api/x")
    assert (answer.status_code, inner(answer)["code"]) == (405, "request_invalid")
    assert answer.headers["allow"]


def test_pages_fail_as_pages_and_apis_never_do(app: FastAPI, client: TestClient) -> None:
    def html(request: Request, error: NonetError, status: int) -> Response:
        return HTMLResponse(f"<p>{error.code}", status)

    app.state.html_error = html
    browser = {"Accept": "text/html,*/*"}
    page = client.get("/page", params={"error": "full"}, headers=browser)
    assert (page.text, page.status_code, page.headers["retry-after"]) == ("<p>queue_full", 503, "2")
    assert client.get("/nothing", headers=browser).text == "<p>not_found"
    assert inner(client.get("/page", params={"error": "full"}))["code"] == "queue_full"
    for path in ("/api/x", "/v1/x", "/generate"):
        assert client.get(path, params={"error": "full"}, headers=browser).headers["content-type"] == (
            "application/json"
        )


def test_an_error_about_a_setting_crosses_process_borders() -> None:
    import pickle

    back = pickle.loads(pickle.dumps(shapes.SettingError("size", "Wrong.", "Do.")))
    assert (back.param, back.code, back.message, back.hint) == ("size", "setting_invalid", "Wrong.", "Do.")
    assert json.dumps(shapes.openai_body(back, 400))
