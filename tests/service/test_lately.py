"""Finished drawings are kept for a second for those who look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nonet.engine.request import DrawRequest
from nonet.service import lately
from nonet.service.lately import Lately
from nonet.service.records import Job

DRAWN = Job(
    id="a",
    state="drawn",
    request=DrawRequest(prompt="a cat"),
    caller="somebody",
    api="page",
    priority="normal",
    created=datetime.now(UTC),
)


def test_what_was_kept_is_found_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Lately()
    assert kept.find("a") is None
    kept.keep(DRAWN, kept.changes)
    assert kept.find("a") is DRAWN
    monkeypatch.setattr(lately, "SECONDS", 0.0)
    assert kept.find("a") is None


def test_what_is_not_over_is_not_kept() -> None:
    kept = Lately()
    kept.keep(replace(DRAWN, state="drawing"), kept.changes)
    assert kept.find("a") is None


def test_what_changes_is_dropped_even_while_it_is_read() -> None:
    kept = Lately()
    before = kept.changes
    kept.keep(DRAWN, before)
    kept.drop("a")
    assert kept.find("a") is None
    kept.keep(DRAWN, before)
    assert kept.find("a") is None
    kept.keep(DRAWN, kept.changes)
    assert kept.find("a") is DRAWN


def test_there_is_an_end_to_what_is_kept() -> None:
    kept = Lately()
    for number in range(1_000):
        kept.keep(replace(DRAWN, id=str(number)), kept.changes)
    found = [number for number in range(1_000) if kept.find(str(number)) is not None]
    assert found == list(range(1_000 - len(found), 1_000))
    assert len(found) <= 256
