"""Whose drawing is it? Without accounts: whoever got its token when it was accepted.

The token is a keyed hash of the drawing's id, so nothing is stored for it, and it goes into a cookie that the browser
sends to that drawing's own address only: it proves one thing and follows nobody.
"""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import Response

from nonet.service.callers import Callers
from nonet.service.records import Caller, Job

COOKIE = "nonet_mine"


def token(callers: Callers, job_id: str) -> str:
    """What proves that a drawing is one's own."""
    # Keyed with the site's salt, which outlives restarts and is the same for all servers. No address looks like this.
    return callers.hashed(f"owner of {job_id}").partition(":")[2]


def give(response: Response, request: Request, callers: Callers, job_id: str, *, days: float) -> None:
    """Put the token of a drawing into the browser that asked for it."""
    response.set_cookie(
        COOKIE,
        token(callers, job_id),
        max_age=round(days * 86_400),
        path=f"/d/{job_id}",
        secure=request.url.scheme == "https",
        httponly=True,
        # Links from elsewhere still show one's own drawing as one's own; posts from elsewhere do not carry it.
        samesite="lax",
    )


def owns(request: Request, callers: Callers, job: Job, caller: Caller) -> bool:
    """Whether the request comes from who made `job`: by its token, by its API key, or as admin.

    An address alone does not count: whole schools share one.
    """
    if caller.kind == "admin" or (caller.kind == "key" and caller.id == job.caller):
        return True
    shown = request.cookies.get(COOKIE, "")
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token(callers, job.id).encode())


def as_owner(job: Job, caller: Caller) -> Caller:
    """Who acts on a drawing that is theirs: the queue knows it by the caller that it came from."""
    return caller if caller.kind == "admin" else Caller(job.caller, caller.kind, caller.priority)
