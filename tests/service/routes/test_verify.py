"""The verify page and API: what is sent in is bounded, looked at elsewhere, and forgotten."""

from __future__ import annotations

import html
import io
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from drawn_pictures import drawing
from nonet.errors import NonetError
from nonet.safety.provenance.finish import finish
from nonet.safety.provenance.metadata import PictureMeta
from nonet.service import visitors
from page_site import Visitors, visited


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    with visited(tmp_path_factory.mktemp("verify")) as site:
        yield site


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    visitors._limiter.cache_clear()


@pytest.fixture(scope="module")
def ours() -> bytes:
    """A picture as the site makes them."""
    meta = PictureMeta(prompt="a <b>cat</b>", model="doodle", seed=3)
    return finish(drawing(3), meta, job="a job")


def plain_png(size: tuple[int, int] = (300, 200)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "white").save(stream, "png")
    return stream.getvalue()


def lying_png() -> bytes:
    """A few bytes that claim to be 60,000 pixels square."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"x"))
        + chunk(b"IEND", b"")
    )


def send(browser: TestClient, data: bytes, name: str = "picture.png") -> Any:
    return browser.post("/verify", files={"file": (name, data)})


def test_a_picture_of_ours_is_known_by_page_and_api(site: Visitors, ours: bytes) -> None:
    page = send(site.browser(), ours)
    text = html.unescape(page.text)
    assert page.status_code == 200
    assert "Made by Nonet" in text
    assert "It carries an invisible mark of Nonet (model: doodle)" in text
    assert "<b>cat</b>" not in page.text
    assert "<b>cat</b>" in text
    answer = site.browser(Accept="*/*").post(
        "/api/verify", content=ours, headers={"Content-Type": "image/png"}
    )
    told = answer.json()
    assert (told["verdict"], told["marks"][0]["model"], told["metadata"]["record"]["seed"]) == (
        "nonet",
        "doodle",
        3,
    )


def test_of_other_pictures_it_says_that_it_cannot_tell(site: Visitors) -> None:
    page = send(site.browser(), plain_png())
    assert "Cannot tell" in page.text
    assert "this proves nothing" in page.text


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"no picture", 422),
        (b"GIF89a" + b"\0" * 50, 422),
        (lying_png(), 422),
    ],
    ids=["nothing", "text", "gif", "lying"],
)
def test_what_is_no_picture_is_refused(site: Visitors, data: bytes, status: int) -> None:
    page = send(site.browser(), data)
    assert page.status_code == status
    assert 'role="status"' in page.text
    answer = site.browser(Accept="application/json").post("/api/verify", content=data)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "file_unreadable"


def test_forms_without_a_file_are_refused(site: Visitors) -> None:
    browser = site.browser(Accept="application/json")
    assert browser.post("/api/verify", files={"other": b"x"}).status_code == 422
    assert browser.post("/api/verify", data={"file": "text"}).status_code == 422
    broken = browser.post("/api/verify", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "request_invalid")
    many = [("file", (f"{number}.png", plain_png())) for number in range(3)]
    assert browser.post("/api/verify", files=many).status_code == 400


def test_too_much_is_refused_and_nothing_large_reaches_the_disk(
    site: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(self: Any) -> None:
        raise AssertionError("an upload was written to the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", stored)
    looked: list[int] = []

    def look(data: bytes) -> dict[str, Any]:
        looked.append(len(data))
        raise NonetError("file_unreadable", "It is no picture.")

    monkeypatch.setattr("nonet.service.routes.verify.verify_apart", look)
    browser = site.browser()
    assert send(browser, bytes(24_000_000)).status_code == 422
    assert looked == [24_000_000]
    assert send(browser, bytes(26_500_000)).status_code == 413
    assert browser.post("/api/verify", content=bytes(26_500_000)).status_code == 413
    assert looked == [24_000_000]


def test_what_waits_is_bounded_before_it_is_read(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    started = threading.Semaphore(0)

    def look(data: bytes) -> dict[str, Any]:
        started.release()
        let_go.wait(30)
        return {"verdict": "unknown"}

    monkeypatch.setattr("nonet.service.routes.verify.verify_apart", look)
    answers: list[int] = []
    browser = site.browser(Accept="application/json")
    waiting = [
        threading.Thread(target=lambda: answers.append(browser.post("/api/verify", content=b"x").status_code))
        for _ in range(4)
    ]
    for thread in waiting:
        thread.start()
    for _ in waiting:
        assert started.acquire(timeout=30)
    refused = browser.post("/api/verify", content=b"x")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) == 10
    let_go.set()
    for thread in waiting:
        thread.join()
    assert answers == [200] * 4
    assert browser.post("/api/verify", content=b"x").status_code == 200


def test_one_caller_cannot_keep_it_busy(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.service.routes.verify.verify_apart", lambda data: {"verdict": "unknown"})
    browser = site.browser("192.0.2.77", Accept="application/json")
    answers = [browser.post("/api/verify", content=b"x") for _ in range(32)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 1
