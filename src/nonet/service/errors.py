"""Errors on their way out: which HTTP status a code has, and the one shape of the native API."""

from __future__ import annotations

import math
from typing import Any

from nonet.errors import NonetError

STATUS = {
    "prompt_empty": 400,
    "prompt_too_long": 400,
    "prompt_refused": 400,
    "setting_invalid": 422,
    "model_unknown": 404,
    "model_missing": 503,
    "model_failed": 500,
    "weights_corrupt": 503,
    "output_unwritable": 503,
    "disk_full": 503,
    "queue_full": 503,
    "unavailable": 503,
    "rate_limited": 429,
    "not_found": 404,
    "not_allowed": 403,
    "key_unknown": 401,
    "key_reused": 409,
    "request_invalid": 400,
    "too_large": 413,
    "file_unreadable": 422,
    "expired": 410,
    "cancelled": 409,
    "internal": 500,
}
RETRY_SECONDS = 5.0
"""When to ask again if nothing better is known."""


class OverloadedError(NonetError):
    """`queue_full`, `rate_limited` or `unavailable`: the same request may do later.

    Attributes:
        retry_after: seconds after which to ask again.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", *, retry_after: float = RETRY_SECONDS
    ) -> None:
        super().__init__(code, message, hint)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return (_overloaded, (self.code, self.message, self.hint, self.retry_after))


def _overloaded(code: str, message: str, hint: str, retry_after: float) -> OverloadedError:
    return OverloadedError(code, message, hint, retry_after=retry_after)


def status_of(code: str) -> int:
    """The HTTP status of an error code; 500 for one that no request can cause."""
    return STATUS.get(code, 500)


def native_body(error: NonetError) -> dict[str, Any]:
    """`{"error": {"code", "message", "hint"}}`, with `category` for a refused prompt."""
    inner = {"code": error.code, "message": error.message, "hint": error.hint}
    category = getattr(error, "category", None)
    if isinstance(category, str):
        inner["category"] = category
    return {"error": inner}


def headers_of(error: NonetError) -> dict[str, str]:
    """`Retry-After` in whole seconds for what may do later; nothing for the rest."""
    if isinstance(error, OverloadedError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return {"Retry-After": str(round(RETRY_SECONDS))} if status_of(error.code) == 503 else {}
