"""Who asks."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from starlette.requests import Request

import service_fakes
from nonet.errors import NonetError
from nonet.service.callers import Callers

HIGH = hashlib.sha256(b"second").hexdigest()


def request(address: str = "203.0.113.7", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": (address, 1)})


def callers(tmp_path: Path, **values: object) -> Callers:
    return Callers(service_fakes.settings(tmp_path, **values), b"salt")


def test_addresses_are_hashed_with_the_sites_salt(tmp_path: Path) -> None:
    made = callers(tmp_path)
    ann = made.of(request())
    assert ann == made.of(request())
    assert ann.kind == "anonymous"
    assert "203" not in ann.id
    assert ann != made.of(request("203.0.113.8"))
    assert ann.id != Callers(service_fakes.settings(tmp_path), b"other").of(request()).id


def test_an_ipv6_customer_is_one_caller(tmp_path: Path) -> None:
    made = callers(tmp_path)
    assert made.of(request("2001:db8::1")) == made.of(request("2001:db8::ffff:2"))
    assert made.of(request("2001:db8::1")) != made.of(request("2001:db8:0:1::1"))
    assert made.of(request("::ffff:203.0.113.7")) == made.of(request())


def test_forwarded_addresses_are_believed_of_trusted_proxies_alone(tmp_path: Path) -> None:
    plain = callers(tmp_path)
    assert plain.address(request("10.0.0.1", x_forwarded_for="203.0.113.7")) == "10.0.0.1"
    made = callers(tmp_path, trusted_proxies=["10.0.0.0/8"])
    assert made.address(request("10.0.0.1", x_forwarded_for="203.0.113.7")) == "203.0.113.7"
    assert made.address(request("203.0.113.9", x_forwarded_for="203.0.113.7")) == "203.0.113.9"
    # What a client writes itself stands to the left of what our proxy wrote.
    assert (
        made.address(request("10.0.0.1", x_forwarded_for="1.2.3.4, 203.0.113.7, 10.0.0.2")) == "203.0.113.7"
    )
    assert made.address(request("10.0.0.1")) == "10.0.0.1"


def test_keys(tmp_path: Path) -> None:
    made = callers(tmp_path, api_keys=["ann:first", f"bob:sha256={HIGH}:high", "eve:with:colon:low"])
    for found, id, priority in (
        (made.of(request(authorization="Bearer first")), "key:ann", "normal"),
        (made.of(request(x_api_key="second")), "key:bob", "high"),
        (made.of(request(authorization="bearer with:colon")), "key:eve", "low"),
    ):
        assert (found.id, found.kind, found.priority) == (id, "key", priority)
    assert made.of(request()).kind == "anonymous"
    with pytest.raises(NonetError) as caught:
        made.of(request(authorization="Bearer wrong"))
    assert caught.value.code == "key_unknown"


def test_a_site_without_keys_takes_no_notice_of_them(tmp_path: Path) -> None:
    made = callers(tmp_path)
    assert made.of(request(authorization="Bearer sk-whatever")).kind == "anonymous"


def test_the_admins_token(tmp_path: Path) -> None:
    made = callers(tmp_path, admin_token="hush")
    basic = base64.b64encode(b"anybody:hush").decode()
    assert made.is_admin(request(authorization=f"Basic {basic}"))
    assert made.is_admin(request(authorization="Bearer hush"))
    assert made.of(request(authorization="Bearer hush")).kind == "admin"
    for wrong in ("Bearer hus", "Basic !!", "Basic aHVzaA==", "hush", ""):
        assert not made.is_admin(request(authorization=wrong))
    assert not callers(tmp_path).is_admin(request(authorization="Bearer "))


@pytest.mark.parametrize(
    "values",
    [{"api_keys": ["nokey"]}, {"api_keys": ["a:sha256=12"]}, {"trusted_proxies": ["somewhere"]}],
)
def test_settings_that_make_no_sense(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(NonetError) as caught:
        callers(tmp_path, **values)
    assert caught.value.code == "config_invalid"
