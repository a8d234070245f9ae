"""Errors in the shape that the asked API has, whatever raised them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from nonet.errors import NonetError
from nonet.service.errors import OverloadedError, headers_of, native_body, status_of

_PLAIN = re.compile(r"/(generate|draw|v3|v4|upscale)$|/\d{4}-\d\d-\d\d/")
_API = re.compile(r"/(api|v1)/|/openapi\.json$|/(healthz|readyz|metrics)$")
_BY_STATUS = {404: "not_found", 413: "too_large", 401: "key_unknown", 403: "not_allowed", 503: "unavailable"}
_MESSAGES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
_PARAMS = dict.fromkeys(("prompt_empty", "prompt_too_long", "prompt_refused"), "prompt")
_PARAMS["model_unknown"] = "model"
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# A client that tries these again gets the same answer, or pays twice; OpenAI's would try 409 and 500 again.
_NO_RETRY = {"cancelled", "key_reused", "model_failed", "internal", "expired"}


class SettingError(NonetError):
    """`setting_invalid` that knows which setting it is about."""

    def __init__(self, param: str, message: str, hint: str = "") -> None:
        super().__init__("setting_invalid", message, hint)
        self.param = param

    def __reduce__(self) -> tuple[type[SettingError], tuple[str, str, str]]:
        return (SettingError, (self.param, self.message, self.hint))


def is_openai(path: str) -> bool:
    """Whether a path belongs to the OpenAI API."""
    return path.startswith("/v1/")


def openai_body(error: NonetError, status: int) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    text = f"{error.message} {error.hint}".strip()
    param = getattr(error, "param", None) or _PARAMS.get(error.code)
    return {"error": {"message": text, "type": kind, "param": param, "code": error.code}}


def plain_body(error: NonetError) -> dict[str, Any]:
    """DALL-E Mini's and Craiyon's clients look at the status, or for a text under `error`."""
    return {"error": error.message, "code": error.code, "hint": error.hint}


def openai_status(code: str) -> int:
    """OpenAI's client has its own class for 422, which OpenAI's Images API never answers with."""
    status = status_of(code)
    return 400 if status == 422 else status


def error_answer(
    path: str, error: NonetError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a failed request, in the shape of the API at `path`.

    Args:
        status: of HTTP, where it is not the code's own.
        headers: besides `Retry-After`.
    """
    sent = {**headers_of(error), **(headers or {})}
    if is_openai(path):
        status = status or openai_status(error.code)
        body = openai_body(error, status)
        if isinstance(error, OverloadedError):
            sent["retry-after-ms"] = str(max(1, math.ceil(error.retry_after * 1000)))
        if error.code in _NO_RETRY:
            sent["x-should-retry"] = "false"
    else:
        status = status or status_of(error.code)
        body = plain_body(error) if _PLAIN.match(path) else native_body(error)
    return JSONResponse(body, status, sent)


def install(app: FastAPI) -> None:
    """Have `app` answer every failure in the right shape; pages by `app.state.html_error`, if there is one.

    `html_error` gets the request, the error and the status.
    """

    def answer(
        request: Request,
        error: NonetError,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        path = request.url.path
        html = getattr(request.app.state, "html_error", None)
        api = _API.match(path) or _PLAIN.match(path)
        if html is not None and not api and "text/html" in request.headers.get("accept", ""):
            page: Response = html(request, error, status or status_of(error.code))
            page.headers.update({**headers_of(error), **(headers or {})})
            return page
        return error_answer(path, error, status=status, headers=headers)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, NonetError)
        return answer(request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, from_http(error), error.status_code, error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, from_validation(error.errors()))

    async def fault(request: Request, error: Exception) -> Response:
        # The traceback is for the log alone; `ServerErrorMiddleware` raises on, and the server logs it.
        found = answer(request, NonetError("internal", "Something went wrong here.", "Try again later."))
        # It is answered outside of the middleware that does this for all others.
        found.headers["x-request-id"] = getattr(request.state, "request_id", "")
        return found

    app.add_exception_handler(NonetError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, fault)


def from_http(error: HTTPException) -> NonetError:
    """What the framework refused, with a code of ours."""
    code = _BY_STATUS.get(error.status_code, "request_invalid" if error.status_code < 500 else "internal")
    return NonetError(code, _MESSAGES.get(error.status_code) or f"{_clean(str(error.detail))}.")


def from_validation(problems: Sequence[Any]) -> NonetError:
    """What is wrong with a request's fields; what was sent is not said again.

    The first three are enough to act on, and bound the answer.
    """
    first = problems[0]
    if first["type"] == "json_invalid":
        return NonetError("request_invalid", "The body is no JSON.", "Send one JSON object in UTF-8.")
    if tuple(first["loc"]) == ("body",):
        return NonetError(
            "request_invalid",
            "The body is no JSON object.",
            "Send one, with the header Content-Type: application/json.",
        )
    said = []
    for problem in problems[:3]:
        name = _clean(".".join(str(part) for part in problem["loc"][1:]))
        said.append(f"{name}: {_clean(problem['msg'])}")
    # A union's errors name the type after the field.
    param = _clean(str(first["loc"][1])) if len(first["loc"]) > 1 else ""
    return SettingError(param, "; ".join(said) + ".")


def _clean(text: str) -> str:
    # The names of unknown fields are a stranger's: any length, half surrogates.
    return text.encode("ascii", "backslashreplace").decode()[:200].rstrip(".")
