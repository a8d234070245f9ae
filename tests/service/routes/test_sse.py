"""Server-sent events as they go over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from nonet.service.routes.sse import HEARTBEAT, EventStream, format_event, with_heartbeats


def test_an_event_has_id_kind_and_json_in_one_line() -> None:
    event = format_event({"a": "two\nlines", "b": "ü"}, kind="place", id=7)
    assert event == b'id: 7\nevent: place\ndata: {"a":"two\\nlines","b":"\xc3\xbc"}\n\n'


def test_what_is_no_unicode_text_breaks_no_stream() -> None:
    assert format_event({"a": "\ud800"}) == b'data: {"a":"?"}\n\n'


def test_text_is_sent_as_it_is() -> None:
    assert format_event("[DONE]") == b"data: [DONE]\n\n"


def test_silence_is_filled_with_heartbeats_and_no_event_is_lost() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.25)
        yield b"two"

    async def collect() -> list[bytes]:
        return [chunk async for chunk in with_heartbeats(slowly(), 0.1)]

    chunks = asyncio.run(collect())
    assert [chunk for chunk in chunks if chunk != HEARTBEAT] == [b"one", b"two"]
    assert chunks[0] == b"one"
    assert HEARTBEAT in chunks


def test_an_error_of_the_source_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("broken")

    async def collect() -> None:
        async for _ in with_heartbeats(broken(), 10):
            pass

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(collect())


@pytest.mark.parametrize("stuck", [False, True], ids=["while it waits", "while it sends"])
def test_a_client_that_leaves_closes_the_source_at_once(stuck: bool) -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)  # what is awaited here must not be cut short
            closed.append("closed")

    async def ask() -> None:
        gone = asyncio.Event()

        async def send(message: Message) -> None:
            if message.get("body") == b"one":
                gone.set()
                if stuck:
                    await asyncio.sleep(3600)

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
        await EventStream(endless())(scope, receive, send)
        assert closed == ["closed"]

    asyncio.run(asyncio.wait_for(ask(), 20))


def test_the_answer_is_not_kept_or_held_back() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    headers = EventStream(nothing()).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
