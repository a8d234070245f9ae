"""The app: every router, errors in their shapes, and what surrounds each request."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from nonet import __version__
from nonet.errors import NonetError
from nonet.service.errors import headers_of, native_body, status_of

if TYPE_CHECKING:
    from nonet.service.services import Services

# In this order: a page that takes everything comes after what is more exact.
ROUTERS = (
    "ops", "admin", "native", "sse", "openai", "dallemini", "craiyon", "pictures", "verify", "reports", "gallery",
    "pages",
)


def create_app(services: Services) -> FastAPI:
    """The site over its parts; it starts and ends nothing."""
    app = FastAPI(title="Nonet", version=__version__, docs_url="/api/docs", openapi_url="/api/openapi.json")
    app.state.services = services
    for name in ROUTERS:
        module = f"nonet.service.routes.{name}"
        if find_spec(module) is not None:
            router = getattr(import_module(module), "router", None)
            if router is not None:
                app.include_router(router)
    app.add_exception_handler(NonetError, _nonet_error)
    return app


def _nonet_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, NonetError)
    return JSONResponse(native_body(error), status_of(error.code), headers_of(error))
