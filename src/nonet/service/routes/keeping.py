"""Taking a drawing along: its sheet, card, small picture, zip file, and the meme maker."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from nonet.errors import NonetError
from nonet.output import slug
from nonet.service import keepsakes
from nonet.service.intake import base_url, services_of, visible
from nonet.service.records import Job
from nonet.service.routes.pictures import as_format, file_answer
from nonet.service.services import Services
from nonet.service.views import drawing_view, page, title_of

router = APIRouter(include_in_schema=False)


def drawn(services: Services, id: str) -> Job:
    """The drawing, if it is there to be seen.

    Raises:
        NonetError: `not_found`.
    """
    job = visible(services, id)
    if job.state != "drawn":
        raise NonetError(
            "not_found", "This drawing has no pictures.", "" if job.over else "It is not drawn yet."
        )
    return job


@router.api_route("/d/{id}/sheet.{format}", methods=["GET", "HEAD"])
def sheet(id: str, format: str, request: Request) -> Response:
    """The pictures with their prompt over them: what people post."""
    services = services_of(request)
    job, kind = drawn(services, id), as_format(format)
    return file_answer(request, keepsakes.sheet(services, job, kind), kind, f"{_slug(job)}.{kind}")


@router.api_route("/d/{id}/card.jpg", methods=["GET", "HEAD"])
def card(id: str, request: Request) -> Response:
    """The preview of links to the drawing."""
    services = services_of(request)
    job = drawn(services, id)
    return file_answer(request, keepsakes.card(services, job), "jpg", f"{_slug(job)}-card.jpg")


@router.get("/d/{id}/small.webp")
def small(id: str, request: Request) -> Response:
    """The picture in lists."""
    services = services_of(request)
    job = drawn(services, id)
    return file_answer(request, keepsakes.small(services, job), "webp", f"{_slug(job)}-small.webp")


@router.get("/d/{id}/all.zip")
def archive(id: str, request: Request) -> Response:
    """All pictures and the sheet in one file."""
    services = services_of(request)
    job = drawn(services, id)
    headers = {
        "Content-Disposition": f'attachment; filename="{_slug(job)}.zip"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(
        keepsakes.archive(services, job, _slug(job)), media_type="application/zip", headers=headers
    )


@router.get("/d/{id}/meme/{index}")
def meme(id: str, index: str, request: Request) -> Response:
    """Top and bottom text on a picture; drawn by the browser."""
    services = services_of(request)
    drawing = drawing_view(drawn(services, id), base_url(services, request))
    shown = [one for one in drawing.pictures if not one.hidden]
    picture = next((one for one in shown if str(one.index) == index), None)
    if picture is None:
        raise NonetError("not_found", "This drawing has no such picture.")
    return page(request, "meme.html", drawing=drawing, picture=picture)


def _slug(job: Job) -> str:
    return slug(title_of(job.request.prompt))
