"""The native API: ask for a drawing, look at it, follow it, cancel it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Path, Request, Response

from nonet.service.errors import OverloadedError
from nonet.service.hub import Hub
from nonet.service.intake import accept, base_url, services_of, visible, visible_lately
from nonet.service.records import Caller, Job
from nonet.service.routes.answers import ASKING, errors, stream
from nonet.service.routes.sse import RETRY, EventStream, followed, format_event
from nonet.service.schemas import DrawingAsked, DrawingShown, shown
from nonet.service.services import Services
from nonet.service.surroundings import asker

STREAMS_MAX = 2_000
"""Each holds a connection for as long as its client likes."""
EXAMPLE = """retry: 2000

id: 41
event: place
data: {"place":2,"eta_seconds":9.5,"queued":3}

id: 42
event: started
data: {"notes":[],"model":"doodle"}

id: 57
event: progress
data: {"picture":0,"done":32,"total":64}

id: 64
event: drawn
data: {"picture":0,"url":"/api/drawings/uYA4jqIGTBif5uxD21-WYQ/pictures/0.png","seed":7}

id: 73
event: done
data: {"pictures":9,"seconds":6.1}

"""

router = APIRouter(prefix="/api/drawings", tags=["drawings"])

Asking = Annotated[Caller, Depends(asker)]
Id = Annotated[
    str, Path(description="The drawing's id, as it was answered.", examples=["uYA4jqIGTBif5uxD21-WYQ"])
]


def _shown(services: Services, job: Job, request: Request) -> DrawingShown:
    place = None if job.over else services.jobs.place(job.id)
    return shown(job, place, base_url(services, request))


@router.post(
    "",
    status_code=202,
    summary="Ask for a drawing",
    responses=errors(*ASKING, "key_reused"),
)
def create(
    asked: DrawingAsked,
    request: Request,
    response: Response,
    caller: Asking,
    idempotency_key: Annotated[
        str | None, Header(description="The same key with the same drawing is the same drawing, asked once.")
    ] = None,
) -> DrawingShown:
    """Accepted drawings are kept before this answers, and are drawn even if the server is restarted."""
    services = services_of(request)
    job = accept(services, asked.request(), caller=caller, api="native", key=idempotency_key)
    answer = _shown(services, job, request)
    response.headers["Location"] = answer.url
    return answer


@router.get("/{id}", summary="Look at a drawing", response_model=DrawingShown, responses=errors("not_found"))
async def show(id: Id, request: Request) -> Response:
    """How far it is, its place in line, and its pictures once they are drawn."""
    job = visible_lately(services_of(request), id)
    return await anyio.to_thread.run_sync(_look, id, request) if job is None else _told(job, request)


def _look(id: str, request: Request) -> Response:
    return _told(visible(services_of(request), id), request)


def _told(job: Job, request: Request) -> Response:
    # Written here and now: this is asked most, and FastAPI would check it once more in another thread.
    text = _shown(services_of(request), job, request).model_dump_json()
    return Response(text, media_type="application/json")


@router.delete("/{id}", summary="Cancel a drawing", responses=errors("not_found", "key_unknown"))
def cancel(id: Id, request: Request, caller: Asking) -> DrawingShown:
    """Only who asked for it can; for others there is no such drawing. One that is over stays as it is."""
    services = services_of(request)
    visible(services, id)
    return _shown(services, services.jobs.cancel(id, caller), request)


@router.get(
    "/{id}/events",
    summary="Follow a drawing",
    response_class=EventStream,
    status_code=200,
    responses=stream(EXAMPLE) | errors("not_found", "unavailable"),
)
async def events(
    id: Id,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="Only what came after it is sent.")] = None,
) -> EventStream:
    """What happens to a drawing, until it is over; a comment every 15 seconds when nothing does.

    Kinds: `place`, `started`, `progress`, `partial` (a small WebP, base64), `drawn` (one picture), and last
    `done`, `failed` or `cancelled`. Who reads slowly or comes back with `Last-Event-ID` gets the newest state
    rather than every step, and always the end.
    """
    services = services_of(request)
    if services.hub.followers() >= STREAMS_MAX:
        raise OverloadedError(
            "unavailable", "Too many drawings are being watched.", "Look at it without events."
        )
    job = await anyio.to_thread.run_sync(visible, services, id)
    return EventStream(_written(services.hub, job.id, _number(last_event_id)))


async def _written(hub: Hub, job_id: str, last_id: int | None) -> AsyncIterator[bytes]:
    yield RETRY
    async with followed(hub, job_id, last_id) as events:
        async for event in events:
            yield format_event(event.data, kind=event.kind, id=event.id)


def _number(last_event_id: str | None) -> int | None:
    # Not ours, or too large to be: then everything is sent, which is never wrong.
    text = last_event_id or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
