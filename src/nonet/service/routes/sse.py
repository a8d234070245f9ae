"""Server-sent events: how they are written, and an answer that streams them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Send

from nonet.service.hub import Hub, HubEvent

HEARTBEAT = b": still here\n\n"
HEARTBEAT_SECONDS = 15.0
"""Proxies close what is silent for 30 to 60 seconds."""
RETRY = b"retry: 2000\n\n"


def format_event(data: Mapping[str, Any] | str, *, kind: str = "", id: int | None = None) -> bytes:
    """One event as it goes over the wire; `data` as JSON, or as it is when it is text of one line."""
    # JSON escapes line breaks, which would end the field.
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    lines = [f"id: {id}"] if id is not None else []
    if kind:
        lines.append(f"event: {kind}")
    lines.append(f"data: {text}")
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


@contextlib.asynccontextmanager
async def followed(
    hub: Hub, job_id: str, last_id: int | None = None
) -> AsyncIterator[AsyncIterator[HubEvent]]:
    """A job's events, let go of at once when the block is left rather than when they are collected."""
    events = hub.follow(job_id, last_id)
    try:
        yield events
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await close()


class EventStream(StreamingResponse):
    """An answer of server-sent events, with a comment whenever nothing else was said for a while.

    One event is taken from `events` when the one before has been handed to the socket, so what a slow reader
    does not take waits in its source, which bounds it; `patience` closes the connection of one that takes
    nothing at all.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[bytes],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # X-Accel-Buffering: nginx would hold events back until its buffer is full.
        always = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        self._chunks = with_heartbeats(events, heartbeat_seconds)
        super().__init__(self._chunks, headers={**always, **(headers or {})})

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            # A client that went away while it was sent something leaves the generator waiting at its yield.
            with anyio.CancelScope(shield=True):
                await self._chunks.aclose()


async def with_heartbeats(events: AsyncIterator[bytes], seconds: float) -> AsyncGenerator[bytes, None]:
    """`events`, and a heartbeat in every `seconds` without one; closes `events` at its own end."""
    waiting: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(_next(events))
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield HEARTBEAT
                continue
            chunk = waiting.result()
            waiting = None
            if chunk is None:
                return
            yield chunk
    finally:
        with anyio.CancelScope(shield=True):
            if waiting is not None:
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await waiting
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()


async def _next(events: AsyncIterator[bytes]) -> bytes | None:
    return await anext(events, None)
