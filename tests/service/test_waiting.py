"""Waiting for a drawing's end, where it does not come."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api_site import Answer, LiveSite, live_site
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.records import Job
from nonet.service.waiting import outcome
from service_fakes import until

NEVER = {"prompt": "gate=/nowhere"}


def states(live: LiveSite) -> list[str]:
    jobs = live.site.services.jobs
    ids = [held.id for held in live.site.services.engines.flying()] + live.site.line.waiting()
    return [jobs.get(id).state for id in ids]


def test_who_waits_too_long_is_told_so_and_the_drawing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nonet.service.waiting.WAIT_SECONDS", 0.3)
    with live_site(tmp_path) as live:
        for path in ("/v1/images/generations", "/generate", "/v3"):
            answer = live.post(path, NEVER)
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
            until(lambda: not states(live))
        kept = live.post("/v1/images/generations", NEVER, Idempotency_Key="mine")
        assert kept.status == 503
        assert states(live) == ["drawing"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_ends_says_so_and_loses_nothing(tmp_path: Path, stream: bool) -> None:
    with live_site(tmp_path) as live:
        answers: list[Answer] = []

        def ask() -> None:
            answers.append(live.post("/v1/images/generations", {**NEVER, "stream": stream}))

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: live.site.services.hub.followers() and states(live) == ["drawing"])
        live.site.services.hub.close()
        asking.join(30)
        assert states(live) == ["drawing"]
    (answer,) = answers
    assert answer.status == (200 if stream else 503)
    assert b'"code":"unavailable"' in answer.body
    if stream:
        assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("queued", None, "unavailable"),
        ("drawing", None, "unavailable"),
        ("failed", ("model_failed", "It failed.", ""), "model_failed"),
        ("failed", ("disk_full", "No space.", ""), "disk_full"),
        ("cancelled", None, "cancelled"),
        ("expired", None, "expired"),
    ],
)
def test_every_end_but_one_is_an_error(state: Any, error: Any, code: str) -> None:
    job = Job(
        id="x" * 22,
        state=state,
        request=DrawRequest(prompt="a cat"),
        caller="ip:x",
        api="openai",
        priority="normal",
        created=datetime.now(UTC),
        error=error,
    )
    with pytest.raises(NonetError) as caught:
        outcome(job)
    assert caught.value.code == code
