"""The whole site as a process: it ends in order, and loses nothing however it ends."""

from __future__ import annotations

import gc
import json
import signal
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from nonet.errors import NonetError
from nonet.service.server import address_of, keep_loaded, listen
from nonet.service.settings import Settings
from service_fakes import until
from site_process import SiteProcess


def test_sigterm_with_a_line_and_one_running(tmp_path: Path) -> None:
    with SiteProcess(tmp_path, drawings_together=1, queue_max=300, drain_seconds=30) as site:
        running = site.ask(f"gate={tmp_path / 'gate'} a cat", count=3).json()["id"]
        until(lambda: site.state(running)["state"] == "drawing")
        waiting = [site.ask("a dog", count=1).json()["id"] for _ in range(40)]
        began = time.monotonic()
        site.terminate()
        # Readiness goes at once; what is asked for now is refused, what runs is still told of.
        until(lambda: site.get("/readyz") in (503, 0), 5)
        refused = site.ask("a bird")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert site.state(running)["state"] == "drawing"
        assert site.get("/healthz") == 200
        (tmp_path / "gate").touch()
        assert site.wait() == 0
        assert time.monotonic() - began < 30
    with SiteProcess(tmp_path, drawings_together=8) as again:
        done = again.state(running)
        assert done["state"] == "drawn"
        assert len(done["pictures"]) == 3
        until(lambda: again.state(waiting[-1])["state"] == "drawn")
        assert [again.state(id)["state"] for id in waiting] == ["drawn"] * 40
        picture = httpx.get(f"{again.url}/api/drawings/{running}/pictures/0.png")
        assert picture.content.startswith(b"\x89PNG")


def test_what_does_not_end_in_time_goes_back_into_the_line(tmp_path: Path) -> None:
    with SiteProcess(tmp_path, drain_seconds=0.5) as site:
        id = site.ask("pause=0.5 a cat", count=9).json()["id"]
        until(lambda: site.state(id)["state"] == "drawing")
        began = time.monotonic()
        site.terminate()
        assert site.wait() == 0
        assert time.monotonic() - began < 15
    with SiteProcess(tmp_path) as again:
        done = until(lambda: (found := again.state(id))["state"] == "drawn" and found)
        assert len(done["pictures"]) == 9


def test_sigkill_loses_nothing(tmp_path: Path) -> None:
    site = SiteProcess(tmp_path, drawings_together=2)
    site.start()
    ids = [site.ask("pause=0.2 a cat", count=2).json()["id"] for _ in range(6)]
    until(lambda: site.state(ids[0])["state"] == "drawn")
    site.kill()
    with SiteProcess(tmp_path) as again:
        until(lambda: all(again.state(id)["state"] == "drawn" for id in ids))
        assert [len(again.state(id)["pictures"]) for id in ids] == [2] * 6
    from nonet.service.doctor import examine

    assert examine(Settings(data=tmp_path / "site")) == []


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with SiteProcess(tmp_path, wait=False):
        other = SiteProcess(tmp_path, wait=False)
        with pytest.raises(AssertionError, match="config_invalid"):
            other.start()
        assert other.wait() == 2


def test_the_log_is_json_and_has_no_prompt(tmp_path: Path) -> None:
    with SiteProcess(tmp_path) as site:
        id = site.ask("a very secret walrus", count=1).json()["id"]
        until(lambda: site.state(id)["state"] == "drawn")
        httpx.get(f"{site.url}/gallery?q=secret+walrus")
        httpx.post(f"{site.url}/api/drawings", json={"prompt": "secret walrus", "count": "secret walrus"})
        site.terminate()
        site.wait()
    lines = [json.loads(line) for line in site.logged().splitlines()]
    assert "walrus" not in site.logged()
    assert {"started", "request", "drawing ended", "draining"} <= {line["event"] for line in lines}
    assert all(line["timestamp"] and line["level"] for line in lines)
    posted = next(line for line in lines if line["event"] == "request" and line.get("method") == "POST")
    assert posted["status"] == 202
    assert posted["request_id"]


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with SiteProcess(tmp_path, drain_seconds=600) as site:
        id = site.ask("pause=1 a cat", count=9).json()["id"]
        until(lambda: site.state(id)["state"] == "drawing")
        site.terminate()
        until(lambda: site.get("/readyz") in (503, 0), 5)
        began = time.monotonic()
        site.process.send_signal(signal.SIGINT)
        site.wait()
        assert time.monotonic() - began < 20


def test_an_address_that_is_taken() -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with pytest.raises(NonetError) as caught:
        listen(Settings(port=taken.getsockname()[1]))
    assert caught.value.code == "config_invalid"
    taken.close()
    for host, shown in (("127.0.0.1", "http://127.0.0.1:"), ("::1", "http://[::1]:")):
        try:
            listening = listen(Settings(host=host, port=0))
        except NonetError:
            assert host == "::1", "this machine has no IPv6"
            continue
        assert address_of(listening).startswith(shown)
        listening.close()


def test_what_is_loaded_is_no_longer_collected() -> None:
    site: Any = SimpleNamespace(warmed_up=threading.Event())
    keeping = threading.Thread(target=keep_loaded, args=(site,))
    try:
        keeping.start()
        assert gc.get_freeze_count() == 0, "what is not loaded yet would be left out"
        site.warmed_up.set()
        keeping.join(20)
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
