"""Whose drawing it is, told by a token in a cookie."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from nonet.engine.request import DrawRequest
from nonet.service import owners
from nonet.service.callers import Callers
from nonet.service.records import Caller, Job
from nonet.service.settings import read_settings

CALLERS = Callers(read_settings(), b"salt")
JOB = Job(
    id="a" * 22,
    state="drawn",
    request=DrawRequest(prompt="a cat", seed=1),
    caller="ip:1",
    api="page",
    priority="normal",
    created=datetime.now(UTC),
)
STRANGER = Caller("ip:2")


def request(cookie: str = "", scheme: str = "http") -> Request:
    headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
    return Request({"type": "http", "scheme": scheme, "path": "/", "server": ("x", 80), "headers": headers})


def test_the_token_opens_its_own_drawing_only() -> None:
    cookie = f"{owners.COOKIE}={owners.token(CALLERS, JOB.id)}"
    assert owners.owns(request(cookie), CALLERS, JOB, STRANGER)
    assert not owners.owns(request(cookie), CALLERS, replace(JOB, id="b" * 22), STRANGER)
    assert not owners.owns(request(cookie), Callers(read_settings(), b"other"), JOB, STRANGER)
    assert not owners.owns(request(f"{owners.COOKIE}=é"), CALLERS, JOB, STRANGER)
    assert not owners.owns(request(), CALLERS, JOB, STRANGER)


def test_an_address_is_not_enough_but_a_key_is() -> None:
    assert not owners.owns(request(), CALLERS, JOB, Caller("ip:1"))
    keyed = replace(JOB, caller="key:k")
    assert owners.owns(request(), CALLERS, keyed, Caller("key:k", "key"))
    assert not owners.owns(request(), CALLERS, keyed, Caller("key:other", "key"))
    assert owners.owns(request(), CALLERS, JOB, Caller("admin", "admin"))


def test_the_cookie_goes_to_the_drawing_alone_and_scripts_cannot_read_it() -> None:
    for scheme in ("http", "https"):
        response = Response()
        owners.give(response, request(scheme=scheme), CALLERS, JOB.id, days=30)
        cookie = response.headers["set-cookie"]
        assert f"Path=/d/{JOB.id}" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Max-Age=2592000" in cookie
        assert ("Secure" in cookie) == (scheme == "https")


def test_an_owner_acts_in_the_name_that_the_queue_knows() -> None:
    assert owners.as_owner(JOB, STRANGER).id == "ip:1"
    assert owners.as_owner(JOB, Caller("admin", "admin")).kind == "admin"
