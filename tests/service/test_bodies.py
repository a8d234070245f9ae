"""Bodies that are too large or too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from nonet.service import bodies
from nonet.service.bodies import BodyLimits


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    total = 0
    while True:
        message = await receive()
        total += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(total).encode()})


def run(pieces: list[bytes], *, pause: float = 0.0, path: str = "/", **limits: Any) -> tuple[str, int]:
    """What the app made of a body in these pieces, and how many of them were read."""
    sent: list[Message] = []
    left = list(pieces)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        await BodyLimits(reads_all, **limits)({"type": "http", "path": path, "headers": []}, receive, send)

    asyncio.run(ask())
    return sent[1]["body"].decode(), len(pieces) - len(left)


def test_a_body_within_the_limit_comes_through_as_it_is() -> None:
    assert run([b"abc", b"de", b""], limit_bytes=5) == ("5", 3)


def test_a_body_over_the_limit_is_read_to_its_end_and_refused() -> None:
    with pytest.raises(HTTPException) as caught:
        run([b"abc", b"def", b"ghi"], limit_bytes=5)
    assert caught.value.status_code == 413
    assert caught.value.headers == {"Connection": "close"}


def test_what_is_thrown_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "DRAIN_BYTES", 10)
    pieces = [b"xxxxx"] * 100
    read: list[int] = []

    async def ask() -> None:
        left = list(pieces)

        async def receive() -> Message:
            read.append(1)
            return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

        async def send(message: Message) -> None:
            raise AssertionError("the app answered")

        await BodyLimits(reads_all, limit_bytes=3)(
            {"type": "http", "path": "/", "headers": []}, receive, send
        )

    with pytest.raises(HTTPException):
        asyncio.run(ask())
    assert len(read) == 3


def test_some_paths_may_bring_more_and_the_longest_prefix_counts() -> None:
    larger = {"/api": (1, 5.0), "/api/verify": (10, 5.0)}
    assert run([b"123456"], path="/api/verify", limit_bytes=2, larger=larger) == ("6", 1)
    with pytest.raises(HTTPException):
        run([b"12"], path="/api/drawings", limit_bytes=2, larger=larger)


def test_the_whole_body_has_one_time_not_each_piece() -> None:
    with pytest.raises(HTTPException) as caught:
        run([b"x"] * 50, pause=0.05, seconds=0.2)
    assert caught.value.status_code == 408


def test_waiting_for_the_client_to_leave_takes_as_long_as_it_takes() -> None:
    async def ask() -> list[str]:
        kinds: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            kinds.append((await receive())["type"])
            kinds.append((await receive())["type"])

        async def messages() -> AsyncIterator[Message]:
            yield {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.sleep(0.2)
            yield {"type": "http.disconnect"}

        coming = messages()

        async def receive() -> Message:
            return await anext(coming)

        async def send(message: Message) -> None:
            return None

        await BodyLimits(app, seconds=0.05)({"type": "http", "path": "/", "headers": []}, receive, send)
        return kinds

    assert asyncio.run(ask()) == ["http.request", "http.disconnect"]


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def read_json(value: dict[str, str]) -> int:
        return len(value)

    app.add_middleware(BodyLimits, limit_bytes=100)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/json"])
def test_the_framework_passes_the_refusal_on(client: TestClient, path: str) -> None:
    # FastAPI makes "400, there was an error" of most that is raised while it reads a body.
    assert client.post(path, json={"a": "x" * 200}).status_code == 413
    assert client.post(path, json={"a": "x"}).status_code == 200
