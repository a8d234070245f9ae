"""The log: one JSON object a line on stderr, with the request's id, and never a prompt unless that is asked for."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nonet.service.metrics import Metrics

_PRIVATE = frozenset({"prompt", "negative_prompt", "negative", "body", "query"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
Values = structlog.typing.EventDict


def get_logger(name: str) -> Any:
    """A logger of the site. As long as `set_up` was not called, nothing below a warning is written."""
    return structlog.wrap_logger(
        logging.getLogger(f"nonet.{name}"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def set_up(level: str, *, prompts: bool = False, stream: Any = None) -> logging.Handler:
    """Write the log as JSON from here on, everybody's. Returns the handler, for taking it away again.

    Args:
        level: debug, info, warning or error.
        prompts: leave prompts in it.
        stream: where to; default stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.add_logger_name,
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if prompts else [without_private]),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Its lines hold whole URLs, and with them what people searched for; ours take their place.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    return handler


def without_private(logger: Any, method: str, values: Values) -> Values:
    """Leave out what people wrote, whoever put it into the log."""
    return {name: value for name, value in values.items() if name not in _PRIVATE}


class RequestLog:
    """ASGI middleware, the outermost: measures each request and writes one line about it.

    Args:
        app: what it surrounds.
        metrics: where times go.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = get_logger("request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Made here, so that what stands inside can write into it and we can read it.
        state = scope.setdefault("state", {})
        began = time.perf_counter()
        status, first, streamed = 500, 0.0, False

        async def watched(message: Message) -> None:
            nonlocal status, first, streamed
            if message["type"] == "http.response.start":
                status, first = message["status"], time.perf_counter() - began
                kinds = [
                    value for name, value in message.get("headers", []) if name.lower() == b"content-type"
                ]
                streamed = any(kind.startswith(b"text/event-stream") for kind in kinds)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            # Templates of routes only: what people make up must not become a new time series each.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.http.labels(method, route, str(status)).observe(first if streamed else seconds)
            self._log.info(
                "request",
                request_id=state.get("request_id", ""),
                method=method,
                path=scope["path"],
                status=status,
                milliseconds=round(1000 * seconds, 1),
            )
