"""Telling whoever runs the site that a picture should not be seen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from nonet.errors import NonetError
from nonet.service.callers import caller_of
from nonet.service.intake import base_url, services_of
from nonet.service.records import Caller
from nonet.service.routes.keeping import drawn
from nonet.service.views import drawing_view, message, page
from nonet.service.visitors import not_too_often, own_form

router = APIRouter(include_in_schema=False)

REASONS = (
    ("person", "It shows or humiliates a real person"),
    ("sexual", "It is sexual"),
    ("violence", "It is cruel or bloody"),
    ("hate", "It is hateful"),
    ("tragedy", "It shows a real tragedy, or passes for news"),
    ("copy", "It copies somebody's work"),
    ("other", "Something else"),
)
_RATE = "20/hour"
_WORDS = 500


@router.get("/d/{id}/report")
def ask(id: str, request: Request, picture: Annotated[str, Query()] = "") -> Response:
    """The form; `picture` is the index of the one that it is about."""
    services = services_of(request)
    drawing = drawing_view(drawn(services, id), base_url(services, request))
    chosen = next(
        (one.index for one in drawing.pictures if str(one.index) == picture and not one.hidden), None
    )
    return page(request, "report.html", drawing=drawing, picture=chosen, reasons=REASONS, status="")


@router.post("/d/{id}/report", dependencies=[Depends(own_form)])
def report(
    id: str,
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    picture: Annotated[str, Form()] = "all",
    reason: Annotated[str, Form()] = "other",
    words: Annotated[str, Form()] = "",
) -> Response:
    """Put it before an admin."""
    services = services_of(request)
    job = drawn(services, id)
    if reason not in dict(REASONS):
        raise NonetError("setting_invalid", "There is no such reason.")
    indexes = {str(one.index): one.index for one in job.pictures}
    if picture != "all" and picture not in indexes:
        raise NonetError("not_found", "This drawing has no such picture.")
    not_too_often(caller, "report", _RATE)
    said = " ".join(words.replace("\0", " ").split())[:_WORDS]
    services.jobs.report(job.id, indexes.get(picture), f"{reason}: {said}" if said else reason, caller)
    return message(
        request,
        "Thank you",
        "The report is with whoever runs this site.",
        back=f"/d/{job.id}",
        back_name="Back to the drawing",
    )
