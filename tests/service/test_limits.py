"""How often a caller may ask."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import service_fakes
from nonet.service.errors import OverloadedError
from nonet.service.limits import Limits
from nonet.service.records import Caller

ANN, BOB = Caller("ip:ann"), Caller("ip:bob")


def limits(tmp_path: Path, **values: str) -> Limits:
    return Limits(service_fakes.settings(tmp_path, **values))


def refused(made: Limits, caller: Caller) -> OverloadedError | None:
    try:
        made.take(caller)
    except OverloadedError as error:
        return error
    return None


def test_so_many_and_no_more(tmp_path: Path) -> None:
    made = limits(tmp_path, rate_anonymous="3/minute")
    assert [refused(made, ANN) for _ in range(3)] == [None] * 3
    error = refused(made, ANN)
    assert error is not None
    assert error.code == "rate_limited"
    assert 1 <= error.retry_after <= 60
    assert refused(made, BOB) is None


def test_every_rate_counts(tmp_path: Path) -> None:
    made = limits(tmp_path, rate_anonymous="100/minute;2/day")
    assert [refused(made, ANN) for _ in range(2)] == [None] * 2
    error = refused(made, ANN)
    assert error is not None
    assert error.retry_after > 3600


def test_keys_have_their_own_and_admins_none(tmp_path: Path) -> None:
    made = limits(tmp_path, rate_anonymous="1/day", rate_key="2/day")
    key, admin = Caller("key:a", "key"), Caller("admin", "admin")
    assert [refused(made, key) is None for _ in range(3)] == [True, True, False]
    assert [refused(made, admin) for _ in range(20)] == [None] * 20


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_shuts_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    made = limits(tmp_path, rate_anonymous="1/minute")
    assert refused(made, ANN) is None
    assert refused(made, ANN) is not None
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert refused(made, ANN) is None
    error = refused(made, ANN)
    assert error is not None
    assert error.retry_after <= 60
