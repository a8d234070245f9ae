"""The pictures of a drawing and their sheet, as files."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Path, Query, Request, Response

from nonet.errors import NonetError
from nonet.service.intake import services_of, visible
from nonet.service.pictures import QUALITY
from nonet.service.records import Job
from nonet.service.routes.answers import errors, files
from nonet.service.services import Services

Format = Literal["png", "webp", "jpg"]
MEDIA = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
_NAME = re.compile(r"\d{1,3}")
# A hidden or deleted picture must leave caches soon; an ETag makes asking again cheap.
_CACHE = "public, max-age=300"

router = APIRouter(prefix="/api/drawings", tags=["drawings"])

Kind = Annotated[
    str, Path(description="png, webp or jpg", examples=["png"], json_schema_extra={"enum": list(MEDIA)})
]
Download = Annotated[bool, Query(description="Have a browser save the file rather than show it.")]


def as_format(text: str) -> Format:
    """The format of a file's ending.

    Raises:
        NonetError: `not_found` for one that pictures do not have.
    """
    if text not in MEDIA:
        raise NonetError("not_found", "Pictures end with .png, .webp or .jpg.")
    return cast(Format, text)


def picture_of(services: Services, job: Job, index: int, format: Format, *, quality: int = QUALITY) -> bytes:
    """A picture's file; `quality` from 1 to 100 for jpg and webp.

    Raises:
        NonetError: `not_found` where there is none, none yet, or it was hidden.
    """
    if not job.over and all(picture.index != index for picture in job.pictures):
        raise NonetError("not_found", "This picture is not drawn yet.", "Ask again later.")
    return services.picture_bytes(job, index, format, quality)


def file_answer(
    request: Request, data: bytes, format: Format, name: str, *, download: bool = False
) -> Response:
    """An answer with a picture file, or 304 for a client that has it."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    kind = "attachment" if download else "inline"
    headers = {
        "ETag": tag,
        "Cache-Control": _CACHE,
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'{kind}; filename="{name}"',
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA[format], headers=headers)


@router.head("/{id}/pictures/{n}.{format}", include_in_schema=False)
@router.get(
    "/{id}/pictures/{n}.{format}",
    summary="One picture",
    response_class=Response,
    responses=files(*MEDIA.values()) | errors("not_found"),
)
def picture(
    request: Request,
    id: Annotated[str, Path(description="The drawing's id.")],
    n: Annotated[
        str, Path(description="From 0.", examples=["0"], json_schema_extra={"pattern": r"^\d{1,3}$"})
    ],
    format: Kind,
    quality: Annotated[int, Query(ge=1, le=100, description="Of webp and jpg.")] = QUALITY,
    download: Download = False,
) -> Response:
    """The picture as a file that says of itself what it is, how it was drawn and after which pictures."""
    services = services_of(request)
    job = visible(services, id)
    kind = as_format(format)
    index = int(n) if _NAME.fullmatch(n) and n.isascii() else -1
    data = picture_of(services, job, index, kind, quality=quality)
    return file_answer(request, data, kind, f"{job.id}-{index}.{kind}", download=download)


@router.head("/{id}/sheet.{format}", include_in_schema=False)
@router.get(
    "/{id}/sheet.{format}",
    summary="All pictures side by side",
    response_class=Response,
    responses=files(*MEDIA.values()) | errors("not_found"),
)
def sheet(
    request: Request,
    id: Annotated[str, Path(description="The drawing's id.")],
    format: Kind,
    download: Download = False,
) -> Response:
    """The pictures in the squarest grid that holds them; 3x3 for nine."""
    services = services_of(request)
    job = visible(services, id)
    kind = as_format(format)
    if not job.over:
        raise NonetError("not_found", "This drawing is not drawn yet.", "Ask again later.")
    return file_answer(request, services.sheet_bytes(job, kind), kind, f"{job.id}.{kind}", download=download)
