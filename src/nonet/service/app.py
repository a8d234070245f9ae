"""The app: every router, errors in their shapes, and what surrounds each request."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI

from nonet import __version__
from nonet.service.logs import RequestLog
from nonet.service.openapi import describe
from nonet.service.surroundings import surround
from nonet.service.views import error_page

if TYPE_CHECKING:
    from nonet.service.services import Services

# Every route before the right one is looked at in vain, so those that are asked for most come first.
ROUTERS = (
    "native",
    "pages",
    "ops",
    "admin",
    "sse",
    "openai",
    "dallemini",
    "craiyon",
    "pictures",
    "verify",
    "reports",
    "gallery",
)


def create_app(services: Services) -> FastAPI:
    """The site over its parts; it starts and ends nothing."""
    # Without the framework's pages of documentation, whose script comes from another site.
    app = FastAPI(title="Nonet", version=__version__, docs_url=None, redoc_url=None)
    app.state.services = services
    for name in ROUTERS:
        module = f"nonet.service.routes.{name}"
        if find_spec(module) is not None:
            router = getattr(import_module(module), "router", None)
            if router is not None:
                app.include_router(router)
    describe(app)
    app.state.html_error = error_page
    surround(app, services)
    app.add_middleware(RequestLog, metrics=services.metrics)
    return app
