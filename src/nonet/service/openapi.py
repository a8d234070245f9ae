"""The description of the APIs for programs, at `/openapi.json`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nonet.service.schemas import EXAMPLE

TAGS = [
    {"name": "drawings", "description": "Nonet's own API: ask, look, follow, cancel, fetch."},
    {"name": "openai", "description": "OpenAI's Images API, for its clients."},
    {
        "name": "dall-e mini",
        "description": "The backend of DALL-E Mini and Craiyon version 1, for their clients.",
    },
    {"name": "craiyon", "description": "Craiyon's versions 2 to 4, for their clients."},
]
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the site has any."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}
DESCRIPTION = (
    "Pictures from one line of text. Errors have stable codes; docs/api.md lists them with their HTTP statuses. "
    "Every answer carries `x-request-id`; a request that should be tried again later gets `Retry-After`."
)


def describe(app: FastAPI) -> None:
    """Have `app` describe what it really answers."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_description(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _description(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes
    )
    for path in found["paths"].values():
        for operation in path.values():
            _mend(operation)
    components = found.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    # The framework leaves nulls out of examples; here and below they are put back.
    schemas["DrawingShown"]["examples"] = [EXAMPLE]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return found


def _mend(operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation.get("responses", {})
    # The framework adds its own 422 wherever there is a parameter; ours have another shape.
    if "HTTPValidationError" in str(answers.get("422", "")):
        del answers["422"]
    if "401" in answers:
        operation["security"] = [{}, {"bearer": []}, {"key": []}]
    if "openai" in operation["tags"]:
        for answer in answers.values():
            for example in answer["content"].get("application/json", {}).get("examples", {}).values():
                example["value"]["error"].setdefault("param", None)
