"""Was this picture made here? A page and an API; what is sent in is looked at and forgotten."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import JSONResponse, Response

from nonet.errors import NonetError
from nonet.safety.provenance.decoding import MAX_BYTES
from nonet.service.callers import caller_of
from nonet.service.errors import OverloadedError, headers_of, status_of
from nonet.service.records import Caller
from nonet.service.routes.answers import errors
from nonet.service.verifying import verify_apart
from nonet.service.views import page
from nonet.service.visitors import not_too_often

router = APIRouter()

Asking = Annotated[Caller, Depends(caller_of)]
BODY_BYTES = MAX_BYTES + 100_000
"""The largest body: a file and the form around it."""
_RATE = "30/10minute"
_places = threading.BoundedSemaphore(4)
_VERDICTS = {
    "nonet": "Made by Nonet",
    "generated": "The file says that a model generated it",
    "unknown": "Cannot tell",
}


class _InMemory(MultiPartParser):
    # Starlette would write what is larger than a megabyte to the disk; here nothing is ever stored.
    spool_max_size = BODY_BYTES


@router.get("/verify", include_in_schema=False)
def ask(request: Request) -> Response:
    """The form."""
    return _page(request)


@router.post("/verify", include_in_schema=False)
async def look(request: Request, caller: Asking) -> Response:
    """The form with what was found."""
    try:
        report = await _verified(request, caller)
    except NonetError as error:
        return _page(request, text=f"{error.message} {error.hint}".strip(), error=error)
    return _page(request, report=report)


@router.post(
    "/api/verify",
    tags=["verification"],
    summary="Was this picture made here?",
    responses=errors("file_unreadable", "too_large", "request_invalid", "rate_limited", "unavailable"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": {"type": "string", "format": "binary"}},
                    }
                },
                "image/*": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def look_api(request: Request, caller: Asking) -> JSONResponse:
    """Looks for the invisible mark, a signature and metadata in a PNG, JPEG or WebP file of up to 25 MB.

    `verdict` is `nonet`, `generated` or `unknown`; `unknown` never means that no model made it. The file comes as the
    body itself, or as `file` of a form. It is not stored.
    """
    return JSONResponse(await _verified(request, caller))


async def _verified(request: Request, caller: Caller) -> dict[str, Any]:
    """What was found in the picture that was sent.

    Raises:
        NonetError: `unavailable` or `rate_limited`, and then nothing of it is kept; see `_picture` and `verify_apart`.
    """
    # Each holds up to 25 MB and one of the threads that serve everything else.
    if not _places.acquire(blocking=False):
        await _throw_away(request)
        raise OverloadedError(
            "unavailable",
            "Others are having their pictures looked at.",
            "Try again in a moment.",
            retry_after=10,
        )
    try:
        try:
            not_too_often(caller, "verify", _RATE)
        except NonetError:
            await _throw_away(request)
            raise
        data = await _picture(request)
        return await anyio.to_thread.run_sync(verify_apart, data)
    finally:
        _places.release()


async def _throw_away(request: Request) -> None:
    """Read a body to its end: most clients send all of it before they listen, and would never see why it is refused."""
    async for _ in request.stream():
        pass


async def _picture(request: Request) -> bytes:
    """The file that was sent, kept in memory.

    Raises:
        NonetError: `too_large`, `request_invalid`, or `file_unreadable` when there is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return b"".join([chunk async for chunk in _bounded(request)])
    try:
        form = await _InMemory(request.headers, _bounded(request), max_files=1, max_fields=4).parse()
    except MultiPartException as error:
        raise NonetError(
            "request_invalid", "The form cannot be read.", "Send one file, called file."
        ) from error
    try:
        sent = form.get("file")
        data = await sent.read() if isinstance(sent, UploadFile) else b""
    finally:
        await form.close()
    if not data:
        raise NonetError("file_unreadable", "No file was sent.", "Choose a PNG, JPEG or WebP file.")
    return data


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES:
            raise NonetError(
                "too_large", f"The file has over {MAX_BYTES // 1_000_000} MB.", "Send a smaller one."
            )
        yield chunk


def _page(
    request: Request, *, report: dict[str, Any] | None = None, text: str = "", error: NonetError | None = None
) -> Response:
    verdict = _VERDICTS[report["verdict"]] if report else ""
    return page(
        request,
        "verify.html",
        mood="failed" if error else "idle",
        code=status_of(error.code) if error else 200,
        headers=headers_of(error) if error else None,
        text=text or verdict,
        verdict=verdict,
        report=report,
        megabytes=MAX_BYTES // 1_000_000,
    )
