"""DALL-E Mini's own backend: a prompt in, nine base64 JPEGs out.

Its clients were a Gradio page, a Streamlit page and many scripts: they post to `/generate`, look at nothing but
the status when it is not 200, and ask the address itself for the model's version.
"""

from __future__ import annotations

import base64
from importlib.metadata import version
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from nonet.service.intake import accept, draw_request, model_name, services_of
from nonet.service.records import Caller, Job
from nonet.service.routes.answers import ASKING, WAITING, plain_errors
from nonet.service.routes.pictures import picture_of
from nonet.service.services import Services
from nonet.service.surroundings import asker
from nonet.service.waiting import finished

COUNT = 9
# Libraries that programs ask with say `Accept: */*`, as do the bots that make previews of links.
_LIBRARIES = (
    "python-requests/",
    "python-urllib",
    "aiohttp",
    "httpx",
    "node-fetch",
    "axios/",
    "okhttp/",
    "undici",
)

router = APIRouter(tags=["dall-e mini"])


class PromptAsked(BaseModel):
    """What DALL-E Mini's clients send; other fields are ignored."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"prompt": "an avocado armchair"}]}
    )

    prompt: str = Field(description="What to draw.", json_schema_extra={"minLength": 1, "maxLength": 2000})


class PicturesAnswered(BaseModel):
    """Nine pictures and what drew them."""

    images: list[str] = Field(description="Base64 of nine JPEG files.")
    version: str = Field(description="The model and the version of Nonet.")


def version_of(services: Services) -> str:
    """What this API calls its version: the model's name and Nonet's version."""
    return f"{model_name(services)}-{version('nonet')}"


def wants_json(request: Request) -> bool:
    """Whether `GET /` was asked by a program for the version rather than by a person for the page.

    The old clients say `Accept: */*`. So do the bots that show a preview of a link, and these need the page: a
    program is known by its HTTP library.
    """
    accepted = request.headers.get("accept", "*/*").lower()
    if "text/html" in accepted:
        return False
    if "application/json" in accepted:
        return True
    agent = request.headers.get("user-agent", "").lower()
    return "*/*" in accepted and any(library in agent for library in _LIBRARIES) and "bot" not in agent


def version_answer(request: Request) -> JSONResponse:
    """The answer to `GET /` for a program."""
    return JSONResponse({"version": version_of(services_of(request))}, headers={"Vary": "Accept, User-Agent"})


@router.post(
    "/generate",
    summary="Nine pictures, as DALL-E Mini's backend gave them",
    responses=plain_errors(*ASKING, *WAITING),
)
async def generate(
    asked: PromptAsked, request: Request, caller: Annotated[Caller, Depends(asker)]
) -> PicturesAnswered:
    """Answers when the pictures are drawn; a client that goes away cancels them."""
    services = services_of(request)
    wanted = draw_request(prompt=asked.prompt, count=count_of(services))
    job = await anyio.to_thread.run_sync(lambda: accept(services, wanted, caller=caller, api="dallemini"))
    return await anyio.to_thread.run_sync(_answer, services, await finished(services, job, request))


def count_of(services: Services) -> int:
    """How many pictures these APIs draw: nine, if the site allows so many."""
    return min(COUNT, services.settings.pictures_max)


def _answer(services: Services, job: Job) -> PicturesAnswered:
    images = [
        base64.b64encode(picture_of(services, job, picture.index, "jpg")).decode() for picture in job.pictures
    ]
    return PicturesAnswered(images=images, version=version_of(services))
