"""Bounds on what a request may bring: size and time of its body, kept while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 65_536
"""Enough for a prompt of 2,000 characters in any encoding, and every setting beside it."""
BODY_SECONDS = 10.0
DRAIN_BYTES = 16 << 20
"""So much of a body that is too large is still read, and thrown away: most clients send all before they listen,
and one that is cut off never sees why."""


class BodyLimits:
    """ASGI middleware: a body that is too large is answered with 413, one that comes too slowly with 408.

    The answer is an `HTTPException` raised where the body is read, so that it gets the shape of the API asked.

    Args:
        app: the application.
        limit_bytes: the largest body.
        seconds: how long a body may take in all.
        larger: other limits, bytes and seconds, for paths that begin with a key, for example where pictures are
            sent in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int = BODY_BYTES,
        seconds: float = BODY_SECONDS,
        larger: Mapping[str, tuple[int, float]] | None = None,
    ) -> None:
        self.app = app
        self.limits = (limit_bytes, seconds)
        self.larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _Body(receive, *self._limits(scope["path"])).receive
        await self.app(scope, receive, send)

    def _limits(self, path: str) -> tuple[int, float]:
        fitting = [prefix for prefix in self.larger if path.startswith(prefix)]
        return self.larger[max(fitting, key=len)] if fitting else self.limits


class _Body:
    """One request's body as it is received."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._ends: float | None = None
        self._bytes = 0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # from here on it only says that the client has gone
        message = await self._in_time()
        while self._bytes > self._limit and not self._complete and self._bytes <= DRAIN_BYTES:
            await self._in_time()
        if self._bytes > self._limit:
            raise _refused(413, f"The body is over {self._limit:,} bytes.")
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        if self._ends is None:
            self._ends = now + self._seconds
        try:
            async with asyncio.timeout(max(self._ends - now, 0.001)):
                message = await self._receive()
        except TimeoutError:
            raise _refused(408, f"The body did not come within {self._seconds:g} seconds.") from None
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message


def _refused(status: int, message: str) -> HTTPException:
    # What is left of the body must not be taken for the next request.
    return HTTPException(status, message, {"Connection": "close"})
