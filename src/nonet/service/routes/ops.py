"""For those who run the site: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from nonet.errors import NonetError
from nonet.service.metrics import CONTENT_TYPE
from nonet.service.services import Services

router = APIRouter(tags=["operations"])


def services_of(request: Request) -> Services:
    """FastAPI dependency: the parts of the site."""
    return cast("Services", request.app.state.services)


@router.get("/healthz")
def healthz(services: Annotated[Services, Depends(services_of)]) -> Response:
    """Whether this process works at all; if not, start it again."""
    alive = services.alive or services.draining
    return JSONResponse({"status": "ok" if alive else "broken"}, 200 if alive else 500)


@router.get("/readyz")
def readyz(services: Annotated[Services, Depends(services_of)]) -> Response:
    """Whether drawings asked for now would be drawn: not while loading, draining, or without an engine."""
    state = "draining" if services.draining else services.engines.state
    ready = services.ready
    if ready:
        try:
            services.database.ping()
        except NonetError:
            ready, state = False, "no database"
    body: dict[str, object] = {"ready": ready, "state": state, "model": services.engines.model}
    if services.engines.problem is not None:
        body["problem"] = services.engines.problem[0]
    return JSONResponse(body, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(services: Annotated[Services, Depends(services_of)]) -> Response:
    """What the site measures of itself, for Prometheus."""
    return PlainTextResponse(services.metrics.text(), media_type=CONTENT_TYPE)
