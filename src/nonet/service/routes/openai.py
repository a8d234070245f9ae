"""OpenAI's Images API, as its clients speak it."""

from __future__ import annotations

import base64
import time
from functools import cache, partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Path, Request
from starlette.responses import Response

from nonet.errors import NonetError
from nonet.service.intake import accept, base_url, model_name, services_of
from nonet.service.openai_schemas import ImageAnswered, ImagesAnswered, ImagesAsked, ModelList, ModelShown
from nonet.service.openai_stream import ImageStream
from nonet.service.records import Caller, Job
from nonet.service.routes.answers import ASKING, WAITING, openai_errors, stream
from nonet.service.routes.pictures import picture_of
from nonet.service.routes.sse import EventStream
from nonet.service.services import Services
from nonet.service.surroundings import asker
from nonet.service.waiting import finished

router = APIRouter(prefix="/v1", tags=["openai"])

_STREAM_EXAMPLE = """event: image_generation.partial_image
data: {"type":"image_generation.partial_image","b64_json":"UklGR...","image_index":0,"partial_image_index":0}

event: image_generation.completed
data: {"type":"image_generation.completed","b64_json":"iVBOR...","image_index":0}

data: [DONE]

"""
Asking = Annotated[Caller, Depends(asker)]


@router.post(
    "/images/generations",
    summary="Draw pictures",
    response_model=ImagesAnswered,
    response_model_exclude_none=True,
    responses=stream(_STREAM_EXAMPLE) | openai_errors(*ASKING, *WAITING, "model_unknown", "key_reused"),
)
async def generate(
    asked: ImagesAsked,
    request: Request,
    caller: Asking,
    idempotency_key: Annotated[str | None, Header(description="The same key is the same drawing.")] = None,
) -> ImagesAnswered | Response:
    """Answers when the pictures are drawn, or with `stream` as they are; a client that goes away cancels them."""
    services = services_of(request)
    wanted = asked.request(model_name(services), services.settings.pictures_max)
    job = await anyio.to_thread.run_sync(
        partial(accept, services, wanted, caller=caller, api="openai", key=idempotency_key)
    )
    keep = idempotency_key is not None
    if asked.stream:
        return EventStream(ImageStream(services, job, asked, keep=keep).events())
    job = await finished(services, job, request, keep=keep)
    return await anyio.to_thread.run_sync(_answer, services, job, asked, base_url(services, request))


def _answer(services: Services, job: Job, asked: ImagesAsked, base: str) -> ImagesAnswered:
    data = []
    for picture in job.pictures:
        one = ImageAnswered()
        if asked.response_format != "url":
            file = picture_of(services, job, picture.index, asked.file, quality=asked.file_quality)
            one.b64_json = base64.b64encode(file).decode()
        if asked.response_format != "b64_json":
            quality = f"?quality={asked.file_quality}" if asked.output_compression is not None else ""
            one.url = f"{base}/api/drawings/{job.id}/pictures/{picture.index}.{asked.file}{quality}"
        data.append(one)
    ended = job.ended or job.created
    return ImagesAnswered(created=int(ended.timestamp()), output_format=asked.format, data=data)


@cache
def _since() -> int:
    return int(time.time())


@router.get("/models", summary="The models that can be drawn with", responses=openai_errors("key_unknown"))
def models(request: Request, caller: Asking) -> ModelList:
    """One: a server draws with one model."""
    return ModelList(data=[ModelShown(id=model_name(services_of(request)), created=_since())])


@router.get(
    "/models/{model:path}", summary="A model", responses=openai_errors("key_unknown", "model_unknown")
)
def model(
    request: Request, caller: Asking, model: Annotated[str, Path(description="Its id.", examples=["doodle"])]
) -> ModelShown:
    """404 for a model that this server does not draw with."""
    name = model_name(services_of(request))
    if model != name:
        raise NonetError("model_unknown", "There is no such model here.", f"Ask for {name!r}.")
    return ModelShown(id=name, created=_since())
