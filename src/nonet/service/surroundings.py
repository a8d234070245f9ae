"""What surrounds every request: its id, the limits of its body, its caller's rate, other sites' access."""

from __future__ import annotations

import math
import re
import secrets
from typing import cast

import structlog
from fastapi import FastAPI, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nonet.service import shapes
from nonet.service.bodies import BodyLimits
from nonet.service.callers import caller_of
from nonet.service.limits import Rate
from nonet.service.records import Caller
from nonet.service.services import Services

REQUEST_ID = "x-request-id"
# Pictures are sent in to be verified; these routes count for themselves too.
LARGER = {"/verify": (26_000_000, 60.0), "/api/verify": (26_000_000, 60.0)}
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EXPOSED = (
    REQUEST_ID,
    "Retry-After",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
)


def surround(app: FastAPI, services: Services) -> None:
    """Add the middleware, from the inside out, and the errors' shapes."""
    shapes.install(app)
    app.add_middleware(BodyLimits, larger=LARGER)
    origins = services.settings.cors_origins
    if origins:
        # Public reading and drawing from other sites' pages, never with cookies or keys.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(AnswerHeaders, services=services)


async def asker(request: Request) -> Caller:
    """FastAPI dependency: who asks for a drawing; the answer will say how often they still may.

    Raises:
        NonetError: `key_unknown`.
    """
    caller = await caller_of(request)
    request.state.asker = caller
    return caller


class AnswerHeaders:
    """ASGI middleware: a request id on every answer, and in the log's context; rates where a drawing is asked for.

    A client's own id is kept, so that its log and ours can be laid side by side.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        id = given if _GIVEN.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        state = scope.setdefault("state", {})
        state["request_id"] = id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = id
                caller = cast("Caller | None", state.get("asker"))
                rate = self.services.jobs.rate(caller) if caller is not None else None
                if rate is not None:
                    headers.update(rate_headers(rate, openai=shapes.is_openai(scope["path"])))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=id):
            await self.app(scope, receive, send_with_headers)


def rate_headers(rate: Rate, *, openai: bool) -> dict[str, str]:
    """How often a caller may still ask, as clients read it."""
    seconds = max(0, math.ceil(rate.reset_seconds))
    if openai:
        return {
            "x-ratelimit-limit-requests": str(rate.limit),
            "x-ratelimit-remaining-requests": str(rate.remaining),
            "x-ratelimit-reset-requests": f"{seconds}s",
        }
    return {
        "RateLimit-Limit": str(rate.limit),
        "RateLimit-Remaining": str(rate.remaining),
        "RateLimit-Reset": str(seconds),
    }
