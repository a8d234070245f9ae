"""The documented error answers of the native API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nonet.errors import NonetError
from nonet.service.errors import status_of
from nonet.service.schemas import ErrorAnswer
from nonet.service.shapes import openai_body, openai_status, plain_body

_EXAMPLES = {
    "prompt_empty": ("The prompt is empty.", "Say what to draw."),
    "prompt_too_long": ("The prompt has 2,400 characters, but at most 2,000 are read.", "Shorten it."),
    "prompt_refused": (
        "Not drawn, because it asks for cruelty or bloody violence.",
        "If this is a mistake, please word it differently; whoever runs this can change the list.",
    ),
    "setting_invalid": ("count is 0, but must be a whole number from 1 to 64.", ""),
    "request_invalid": ("The body is no JSON.", "Send one JSON object in UTF-8."),
    "too_large": ("The body is over 65,536 bytes.", ""),
    "key_unknown": ("This API key is not known here.", ""),
    "not_allowed": ("Whoever runs this site lets no drawings be made from here.", ""),
    "key_reused": ("This idempotency key was used for another drawing.", "Use a new key."),
    "rate_limited": ("Too many drawings were asked for from here.", "Try again in a while."),
    "queue_full": ("Too many drawings are waiting.", "Try again in a while."),
    "model_unknown": ("There is no such model here.", "Ask for 'doodle'."),
    "model_failed": ("The model could not be run.", "Try again."),
    "expired": ("The drawing waited longer than the site lets it.", "Ask again."),
    "cancelled": ("The drawing was cancelled.", ""),
    "unavailable": ("The site is loading, ending or paused.", "Try again in a while."),
    "not_found": ("There is no such drawing.", "Drawings are deleted after a while."),
    "file_unreadable": ("This is no PNG, JPEG or WebP picture.", ""),
}
_WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


ASKING = (
    *("prompt_empty", "prompt_too_long", "prompt_refused", "setting_invalid", "request_invalid", "too_large"),
    *("key_unknown", "not_allowed", "rate_limited", "queue_full", "unavailable"),
)
"""What can be answered to somebody who asks for a drawing."""
WAITING = ("cancelled", "expired", "model_failed")
"""What else can be answered to somebody who waits for it."""
Responses = dict[int | str, dict[str, Any]]


def stream(example: str) -> Responses:
    """FastAPI's `responses` for an answer of server-sent events."""
    content = {"text/event-stream": {"example": example}}
    return {200: {"description": "Server-sent events.", "content": content}}


def files(*media: str) -> Responses:
    """FastAPI's `responses` for a file in one of these media types."""
    content = {one: {"schema": {"type": "string", "format": "binary"}} for one in media}
    kept = {"description": "The client has it already: its ETag came in If-None-Match."}
    return {200: {"description": "The file.", "content": content}, 304: kept}


def errors(*codes: str) -> Responses:
    """FastAPI's `responses` for these codes: by HTTP status, with an example of each."""
    found = _collected(codes, status_of, lambda error, status: _native(error))
    for answer in found.values():
        answer["model"] = ErrorAnswer
    return found


def openai_errors(*codes: str) -> Responses:
    """The same in OpenAI's shape."""
    return _collected(codes, openai_status, openai_body)


def plain_errors(*codes: str) -> Responses:
    """The same in the shape of DALL-E Mini's and Craiyon's APIs."""
    return _collected(codes, status_of, lambda error, status: plain_body(error))


def _native(error: NonetError) -> dict[str, Any]:
    more = {"category": "gore"} if error.code == "prompt_refused" else {}
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint, **more}}


def _collected(
    codes: tuple[str, ...],
    status_of: Callable[[str], int],
    body: Callable[[NonetError, int], dict[str, Any]],
) -> Responses:
    found: Responses = {}
    answered = [(code, status_of(code), _EXAMPLES[code]) for code in codes]
    if "too_large" in codes:  # where there is a body
        answered.append(("request_invalid", 408, ("The body did not come within 10 seconds.", "")))
    for code, status, said in answered:
        answer = found.setdefault(status, {"content": {"application/json": {"examples": {}}}})
        examples = answer["content"]["application/json"]["examples"]
        examples[code] = {"value": body(NonetError(code, *said), status)}
        answer["description"] = ", ".join(f"`{name}`" for name in examples)
        if status in (429, 503):
            answer["headers"] = _WAIT
    return found
