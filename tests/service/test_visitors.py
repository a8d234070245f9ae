"""Posts from other sites' pages, and too many posts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fastapi import Request

from nonet.errors import NonetError
from nonet.service import visitors
from nonet.service.errors import OverloadedError
from nonet.service.records import Caller


def request(host: str = "nonet.example", public_url: str = "", **headers: str) -> Request:
    sent = [(b"host", host.encode())]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    services = SimpleNamespace(settings=SimpleNamespace(public_url=public_url))
    app = SimpleNamespace(state=SimpleNamespace(services=services))
    scope = {
        "type": "http",
        "path": "/d",
        "scheme": "http",
        "server": (host, 80),
        "headers": sent,
        "app": app,
    }
    return Request(scope)


def test_own_pages_and_programs_may_post() -> None:
    visitors.own_form(request())
    visitors.own_form(request(origin="https://nonet.example", sec_fetch_site="same-origin"))
    # Behind a proxy that asks by another name, the public address is the one that browsers know.
    visitors.own_form(request("127.0.0.1:7777", "https://nonet.example", origin="https://nonet.example"))
    # What the browser itself says needs no names to be compared.
    visitors.own_form(request("127.0.0.1:7777", origin="https://nonet.example", sec_fetch_site="same-origin"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"origin": ""},
    ],
)
def test_others_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(NonetError) as caught:
        visitors.own_form(request(**headers))
    assert caught.value.code == "not_allowed"


def test_too_often_is_counted_by_caller_and_by_what() -> None:
    visitors._limiter.cache_clear()
    one, other = Caller("ip:1"), Caller("ip:2")
    for _ in range(2):
        visitors.not_too_often(one, "report", "2/hour")
    with pytest.raises(OverloadedError) as caught:
        visitors.not_too_often(one, "report", "2/hour")
    assert 60 < caught.value.retry_after <= 3601
    visitors.not_too_often(one, "verify", "2/hour")
    visitors.not_too_often(other, "report", "2/hour")
    for _ in range(9):
        visitors.not_too_often(Caller("admin", "admin"), "report", "2/hour")
