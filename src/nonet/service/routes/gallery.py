"""The gallery: only what people chose to show, and what they take out again."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from nonet.errors import NonetError
from nonet.safety.policy import PromptRefusedError
from nonet.service import owners
from nonet.service.callers import caller_of
from nonet.service.intake import base_url, services_of, visible
from nonet.service.records import Caller, Job
from nonet.service.services import Services
from nonet.service.views import drawing_view, message, page, title_of
from nonet.service.visitors import own_form

router = APIRouter(include_in_schema=False)

Asking = Annotated[Caller, Depends(caller_of)]
PAGE = 24
_SEARCH_LENGTH = 100


@router.get("/gallery")
def gallery(
    request: Request, q: Annotated[str, Query()] = "", after: Annotated[str, Query()] = ""
) -> Response:
    """What was published, the newest first; `q` are words that all stand in the prompt."""
    services = services_of(request)
    words = " ".join(q.replace("\0", " ").split())[:_SEARCH_LENGTH]
    found = services.jobs.gallery(after.replace("\0", "")[:64] or None, PAGE + 1, words)
    shown, more = found[:PAGE], len(found) > PAGE
    following = ""
    if more:
        following = "/gallery?" + urlencode(
            {name: value for name, value in (("q", words), ("after", shown[-1].id)) if value}
        )
    base = base_url(services, request)
    return page(
        request,
        "gallery.html",
        q=words,
        status=_status(words, len(shown), more, bool(after)),
        drawings=[drawing_view(job, base) for job in shown],
        next=following,
    )


def _status(words: str, count: int, more: bool, later: bool) -> str:
    if not count:
        if words:
            return f"Nothing here with “{words}”."
        return "That was all." if later else "Nothing is here yet. Draw something and put it in."
    if words:
        return f"{count}{' or more' if more else ''} with “{words}”."
    return "What people chose to show, the newest first."


@router.post("/d/{id}/publish", dependencies=[Depends(own_form)])
def publish(id: str, request: Request, caller: Asking) -> Response:
    """Show a drawing in the gallery, if it is one's own and the policy, asked again, lets everybody see it."""
    services = services_of(request)
    job = _own(services, id, request, caller)
    try:
        # The lists may have grown since it was drawn, and a gallery is always held to what is right for everybody.
        services.policy.require(job.request.prompt, negative=job.request.negative_prompt, level="strict")
    except PromptRefusedError as refused:
        text = f"{refused.message.replace('Not drawn', 'Not shown', 1)} {refused.hint}".strip()
        return message(request, "Not in the gallery", text, code=400, back=f"/d/{id}", back_name="Back to it")
    if any(picture.hidden for picture in job.pictures):
        raise NonetError(
            "not_allowed", "A picture of it was withheld after a report.", "It cannot be published."
        )
    services.jobs.publish(id, caller=owners.as_owner(job, caller))
    return RedirectResponse(f"/d/{id}", 303)


@router.post("/d/{id}/unpublish", dependencies=[Depends(own_form)])
def unpublish(id: str, request: Request, caller: Asking) -> Response:
    """Take one's drawing out of the gallery."""
    services = services_of(request)
    job = _own(services, id, request, caller)
    services.jobs.unpublish(id, caller=owners.as_owner(job, caller))
    return RedirectResponse(f"/d/{id}", 303)


@router.get("/d/{id}/delete")
def ask_delete(id: str, request: Request, caller: Asking) -> Response:
    """Ask once more before a drawing is deleted."""
    job = _own(services_of(request), id, request, caller)
    return page(
        request,
        "confirm.html",
        mood="waiting",
        heading="Delete this drawing?",
        text=f"“{title_of(job.request.prompt)}”, its pictures and its place in the gallery go for good.",
        action=f"/d/{id}/delete",
        button="Delete it",
        back=f"/d/{id}",
    )


@router.post("/d/{id}/delete", dependencies=[Depends(own_form)])
def delete(id: str, request: Request, caller: Asking) -> Response:
    """Delete one's drawing with its pictures."""
    services = services_of(request)
    job = _own(services, id, request, caller)
    services.jobs.delete(id, caller=owners.as_owner(job, caller))
    return message(request, "Deleted", "The drawing and its pictures are gone.")


@router.post("/d/{id}/cancel", dependencies=[Depends(own_form)])
def cancel(id: str, request: Request, caller: Asking) -> Response:
    """Stop one's drawing."""
    services = services_of(request)
    job = _own(services, id, request, caller)
    services.jobs.cancel(id, owners.as_owner(job, caller))
    return RedirectResponse(f"/d/{id}", 303)


def _own(services: Services, id: str, request: Request, caller: Caller) -> Job:
    job = visible(services, id)
    if not owners.owns(request, services.callers, job, caller):
        raise NonetError(
            "not_allowed", "Only who made this drawing can do that.", "Use the browser that it was made with."
        )
    return job
