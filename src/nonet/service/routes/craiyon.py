"""Craiyon's APIs of 2023 and later: a prompt in, paths of nine WebP pictures out, and twice their size on demand.

The clients put the paths behind the address of an image host, which is this server too. A path holds all that is
needed to find its picture, so nothing is kept for it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import Convertor, register_url_convertor

from nonet.errors import NonetError
from nonet.service.intake import accept, draw_request, services_of, visible
from nonet.service.pictures import visible as there
from nonet.service.records import Caller, Job
from nonet.service.routes.answers import ASKING, WAITING, files, plain_errors
from nonet.service.routes.dallemini import count_of
from nonet.service.routes.pictures import file_answer, picture_of
from nonet.service.suggestions import alike, surprise
from nonet.service.surroundings import asker
from nonet.service.waiting import finished

FACTOR = 2
_IMAGE = re.compile(r"(?:.*/)?\d{4}-\d\d-\d\d/([0-9a-f]{36})\.webp", re.ASCII)
_NAME = re.compile(r"([0-9a-f]{32})([0-9a-f]{2})(0[12])")
_ID = re.compile(r"([A-Za-z0-9_-]{22})\.(\d{1,3})", re.ASCII)

router = APIRouter(tags=["craiyon"])


class _Day(Convertor[str]):
    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


# Other addresses have two parts too; only a date is ours.
register_url_convertor("day", _Day())


@dataclass(frozen=True)
class ImagePath:
    """What a path of Craiyon's says: whose drawing, which picture, how large."""

    job: str
    index: int
    scale: int = 1

    def text(self, day: str) -> str:
        """`<day>/<hex>.webp`."""
        name = urlsafe_b64decode(self.job + "==").hex()
        return f"{day}/{name}{self.index:02x}{self.scale:02x}.webp"

    @property
    def id(self) -> str:
        """The short form that stands under `ids`."""
        return f"{self.job}.{self.index}"

    @classmethod
    def parse(cls, name: str) -> ImagePath:
        """From the part of a path between day and ending.

        Raises:
            NonetError: `not_found`.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise NonetError("not_found", "There is no such picture.")
        job = urlsafe_b64encode(bytes.fromhex(match[1])).decode().rstrip("=")
        return cls(job, int(match[2], 16), int(match[3], 16))


class _Asked(BaseModel):
    """What every version of the API takes; token, version and unknown fields are ignored."""

    model_config = ConfigDict(strict=True)

    prompt: str = Field(description="What to draw.", json_schema_extra={"minLength": 1, "maxLength": 2000})
    token: str | None = Field(None, description="No effect; never kept.")


class DrawAsked(_Asked):
    """Version 2."""

    version: str | None = Field(None, description="No effect.")


class V3Asked(DrawAsked):
    """Version 3."""

    negative_prompt: str | None = Field(None, description="What to stay away from.")
    model: str | None = Field(None, description="art, drawing, photo, none or auto: no effect.")


class V4Asked(V3Asked):
    """Version 4."""

    size: Literal["256x256", "auto"] | None = Field(None, description="Pictures have this one size.")


class UpscaleAsked(BaseModel):
    """A picture to make larger; the other fields are ignored."""

    model_config = ConfigDict(strict=True)

    image_id: str = Field(description="A picture's path, with or without a host before it, or one of `ids`.")
    prompt: str | None = Field(None, description="No effect.")
    negative_prompt: str | None = Field(None, description="No effect.")
    model: str | None = Field(None, description="No effect.")
    token: str | None = Field(None, description="No effect; never kept.")
    version: str | None = Field(None, description="No effect.")


class DrawAnswered(BaseModel):
    """Paths of pictures, to be put behind the address of the image host, which is this server."""

    images: list[str]


class UpscaleAnswered(DrawAnswered):
    """Paths and ids of pictures."""

    ids: list[str]


class V3Answered(UpscaleAnswered):
    """Pictures, and a line to draw next."""

    next_prompt: str


Asking = Annotated[Caller, Depends(asker)]


@router.post("/draw", summary="Craiyon version 2", responses=plain_errors(*ASKING, *WAITING))
async def draw(asked: DrawAsked, request: Request, caller: Asking) -> DrawAnswered:
    """Answers when the pictures are drawn; a client that goes away cancels them."""
    return DrawAnswered(images=_paths(await _drawn(asked, request, caller)))


@router.post("/v3", summary="Craiyon version 3", responses=plain_errors(*ASKING, *WAITING))
async def v3(asked: V3Asked, request: Request, caller: Asking) -> V3Answered:
    """As version 2, with `ids` and a line to draw next."""
    job = await _drawn(asked, request, caller, asked.negative_prompt)
    following = await anyio.to_thread.run_sync(_following, asked.prompt)
    return V3Answered(images=_paths(job), ids=_ids(job), next_prompt=following)


@router.post("/v4", summary="Craiyon version 4", responses=plain_errors(*ASKING, *WAITING))
async def v4(asked: V4Asked, request: Request, caller: Asking) -> V3Answered:
    """As version 3."""
    return await v3(asked, request, caller)


@router.post(
    "/upscale",
    summary="A picture of twice the size",
    responses=plain_errors("setting_invalid", "request_invalid", "too_large", "not_found"),
)
def upscale(asked: UpscaleAsked, request: Request) -> UpscaleAnswered:
    """Lanczos interpolation: twice as many pixels and no new detail. The picture says so of itself."""
    image = _image(asked.image_id)
    services = services_of(request)
    job = visible(services, image.job)
    there(job, image.index)  # it is made when it is fetched
    larger = ImagePath(image.job, image.index, FACTOR)
    return UpscaleAnswered(images=[larger.text(_day(job))], ids=[larger.id])


@router.head("/{day:day}/{name}.webp", include_in_schema=False)
@router.get(
    "/{day:day}/{name}.webp",
    summary="A picture by the path that a Craiyon API answered",
    response_class=Response,
    responses=files("image/webp") | plain_errors("not_found"),
)
def image(
    request: Request,
    day: Annotated[str, Path(description="The day it was asked for.", examples=["2026-11-25"])],
    name: Annotated[str, Path(description="36 hexadecimal digits.")],
) -> Response:
    """WebP, 256x256, or twice that for a path of `/upscale`."""
    services = services_of(request)
    wanted = ImagePath.parse(name)
    job = visible(services, wanted.job)
    if _day(job) != day:
        raise NonetError("not_found", "There is no such picture.")
    if wanted.scale == FACTOR:
        data = services.pictures.picture(job, wanted.index, "webp", scale=FACTOR)
    else:
        data = picture_of(services, job, wanted.index, "webp")
    return file_answer(request, data, "webp", f"{name}.webp")


async def _drawn(asked: _Asked, request: Request, caller: Caller, negative: str | None = None) -> Job:
    services = services_of(request)
    wanted = draw_request(prompt=asked.prompt, negative_prompt=negative or "", count=count_of(services))
    job = await anyio.to_thread.run_sync(partial(accept, services, wanted, caller=caller, api="craiyon"))
    return await finished(services, job, request)


def _following(prompt: str) -> str:
    return (alike(prompt, 1) or [surprise()])[0]


def _image(text: str) -> ImagePath:
    match = _ID.fullmatch(text)
    if match is not None:
        return ImagePath(match[1], int(match[2]))
    path = _IMAGE.fullmatch(text)
    return ImagePath.parse(path[1] if path else "")


def _day(job: Job) -> str:
    return f"{job.created:%Y-%m-%d}"


def _paths(job: Job) -> list[str]:
    return [ImagePath(job.id, picture.index).text(_day(job)) for picture in job.pictures]


def _ids(job: Job) -> list[str]:
    return [ImagePath(job.id, picture.index).id for picture in job.pictures]
