"""The admin's page, behind a token: the line, complaints, pausing, closing, banning."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy import select
from starlette.responses import Response

from nonet.errors import NonetError
from nonet.service.hub import not_found
from nonet.service.intake import base_url
from nonet.service.logs import get_logger
from nonet.service.records import Job, Report
from nonet.service.routes.ops import services_of
from nonet.service.rows import jobs_of
from nonet.service.services import Services
from nonet.service.tables import DrawingRow
from nonet.service.views import HEADERS, message, page, title_of
from nonet.service.visitors import own_form

router = APIRouter(include_in_schema=False)
SHOWN = 100
_ASK = {"WWW-Authenticate": 'Basic realm="Nonet admin", charset="UTF-8"'}
_log = get_logger("admin")


def allowed(request: Request) -> Services:
    """FastAPI dependency: the parts of the site, for who has the token.

    Raises:
        NonetError: `not_found` on a site without a token; `key_unknown` for a wrong one.
    """
    services = services_of(request)
    if not services.settings.admin_token.get_secret_value():
        raise NonetError("not_found", "There is nothing here.")
    if not services.callers.is_admin(request):
        raise NonetError("key_unknown", "This needs the admin's token.")
    return services


Allowed = Annotated[Services, Depends(allowed)]
Own = Depends(own_form)


@router.get("/admin")
def admin(request: Request) -> Response:
    """The page; a browser asks for the token as a password, the user's name is any."""
    try:
        services = allowed(request)
    except NonetError as error:
        if error.code != "key_unknown":
            raise
        answer = message(request, "The admin's page", error.message, code=401)
        answer.headers.update({**HEADERS, **_ASK})
        return answer
    engines = services.engines
    return page(
        request,
        "admin.html",
        engine={
            "state": engines.state,
            "model": engines.model or services.settings.model,
            "processes": ", ".join(map(str, engines.pids)) or "none",
            "starts": engines.starts,
            "ends": ", ".join(f"{count} {reason}" for reason, count in engines.ends.items()) or "none",
            "problem": " ".join(engines.problem or ()),
            "rows": "{} of {}".format(*engines.rows),
        },
        paused=services.dispatcher.paused,
        closed=services.jobs.gate.closed,
        queued=services.jobs.queued(),
        drawing=services.dispatcher.drawing(),
        followers=services.hub.followers(),
        jobs=[_shown(job) for job in _line(services)],
        reports=[_reported(services, report) for report in services.jobs.reports()],
        banned=services.jobs.banned(),
    )


@router.post("/admin/state", dependencies=[Own])
def set_state(
    services: Allowed,
    paused: Annotated[str | None, Form()] = None,
    closed: Annotated[str | None, Form()] = None,
) -> Response:
    """Pause or go on; close the line for new drawings or open it."""
    services.set_state(paused=_yes(paused), closed=_yes(closed))
    return _done("state", paused=paused, closed=closed)


@router.post("/admin/engine", dependencies=[Own])
def replace_engine(services: Allowed) -> Response:
    """Start a new engine when what is being drawn is done."""
    services.engines.retire()
    return _done("engine")


@router.post("/admin/drawings/{id}/cancel", dependencies=[Own])
def cancel(id: str, services: Allowed) -> Response:
    """Stop somebody's drawing."""
    services.jobs.cancel(id, None)
    return _done("cancel", job=id)


@router.post("/admin/drawings/{id}/hide", dependencies=[Own])
def hide(
    id: str,
    services: Allowed,
    picture: Annotated[int | None, Form()] = None,
    hidden: Annotated[str, Form()] = "1",
) -> Response:
    """Take a drawing or one of its pictures out of sight, or show it again."""
    services.jobs.hide(id, picture, hidden=hidden == "1")
    return _done("hide", job=id, picture=picture, hidden=hidden)


@router.post("/admin/drawings/{id}/delete", dependencies=[Own])
def delete(id: str, services: Allowed) -> Response:
    """Delete a drawing with its pictures."""
    services.jobs.delete(id, caller=None)
    return _done("delete", job=id)


@router.post("/admin/ban", dependencies=[Own])
def ban(
    services: Allowed, caller: Annotated[str, Form()], reason: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Accept nothing more from a caller."""
    if not caller.startswith(("ip:", "key:")) or len(caller) > 120:
        raise NonetError("setting_invalid", "A caller is ip:... or key:..., as the lists show it.")
    services.jobs.ban(caller, reason)
    return _done("ban", caller=caller)


@router.post("/admin/unban", dependencies=[Own])
def unban(services: Allowed, caller: Annotated[str, Form()]) -> Response:
    """Accept drawings of a caller again."""
    services.jobs.unban(caller)
    return _done("unban", caller=caller)


@router.get("/admin/reports.json")
def export_reports(request: Request, services: Allowed) -> Response:
    """Every complaint, also those dealt with, with what was drawn: for records, and for who must be told."""
    found: list[Report] = []
    while more := services.jobs.reports(only_open=False, after=found[-1].id if found else 0):
        found += more
    where = base_url(services, request)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="nonet-reports.json"'}
    # A drawing that is deleted meanwhile takes its complaints with it.
    jobs = ((report, _job_of(services, report)) for report in found)
    reports = [_exported(report, job, where) for report, job in jobs if job is not None]
    return JSONResponse({"reports": reports}, headers=headers)


@router.post("/admin/reports/{number}/close", dependencies=[Own])
def close_report(number: int, services: Allowed) -> Response:
    """Say that a complaint was dealt with."""
    services.jobs.close_report(number)
    return _done("close report", report=number)


def _yes(value: str | None) -> bool | None:
    return None if value is None else value == "1"


def _done(what: str, **values: Any) -> Response:
    _log.info("admin", what=what, **{name: value for name, value in values.items() if value is not None})
    return RedirectResponse("/admin", 303)


def _line(services: Services) -> list[Job]:
    """What is drawn and what comes next."""
    query = select(DrawingRow).where(DrawingRow.state.in_(("drawing", "queued")))
    query = query.order_by(DrawingRow.state, DrawingRow.priority, DrawingRow.turn, DrawingRow.seq)
    with services.database.read() as session:
        return jobs_of(session, session.scalars(query.limit(SHOWN)))


def _shown(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": job.state,
        "caller": job.caller,
        "api": job.api,
        "priority": job.priority,
        "created": f"{job.created:%Y-%m-%d %H:%M:%S}",
        "title": title_of(job.request.prompt),
        "hidden": job.hidden,
        "attempt": job.attempt,
    }


def _job_of(services: Services, report: Report) -> Job | None:
    """What a complaint is about; None if it was deleted since the complaint was read."""
    try:
        return services.jobs.get(report.job)
    except NonetError as error:
        if error.code != not_found().code:
            raise
        return None


def _exported(report: Report, job: Job, where: str) -> dict[str, Any]:
    picture = "" if report.picture is None else f"/pictures/{report.picture}.png"
    return {
        "number": report.id,
        "created": report.created.isoformat(),
        "open": report.open,
        "reason": report.reason,
        "caller": report.caller,
        "picture": report.picture,
        "url": f"{where}/api/drawings/{job.id}{picture}",
        "drawing": {
            "id": job.id,
            "page": f"{where}/d/{job.id}",
            "prompt": job.request.prompt,
            "negative_prompt": job.request.negative_prompt,
            "seed": job.request.seed,
            "model": job.model,
            "caller": job.caller,
            "created": job.created.isoformat(),
            "published": job.published,
            "hidden": job.hidden,
        },
    }


def _reported(services: Services, report: Report) -> dict[str, Any]:
    job = _job_of(services, report)
    return {
        "number": report.id,
        "job": _shown(job) if job is not None else None,
        "picture": report.picture,
        "reason": report.reason,
        "caller": report.caller,
        "created": f"{report.created:%Y-%m-%d %H:%M}",
    }
