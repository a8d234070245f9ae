"""The description of the APIs, and the APIs asked at random by their description."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import schemathesis
from fastapi import Body, FastAPI, Response
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api_site import LiveSite, live_site
from live_server import served
from nonet.errors import CODES

EXAMPLES = int(os.environ.get("NONET_SCHEMATHESIS_EXAMPLES", "15"))
"""For each address; more of them in a longer run."""
OPENAI = {"message", "type", "param", "code"}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    # A full line is answered with 503, rightly, so it must not become full.
    many = {"queue_max": 100_000, "caller_queue_max": 100_000, "rate_anonymous": "1000000/minute"}
    with live_site(tmp_path_factory.mktemp("openapi"), **many) as live:
        yield live


@pytest.fixture(scope="module")
def described(live: LiveSite) -> dict[str, Any]:
    found: dict[str, Any] = live.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def schema(live: LiveSite) -> Any:
    return schemathesis.openapi.from_url(f"{live.url}/openapi.json")


OPERATIONS = [
    "POST /api/drawings",
    "GET /api/drawings/{id}",
    "DELETE /api/drawings/{id}",
    "GET /api/drawings/{id}/events",
    "GET /api/drawings/{id}/pictures/{n}.{format}",
    "GET /api/drawings/{id}/sheet.{format}",
    "POST /v1/images/generations",
    "GET /v1/models",
    "GET /v1/models/{model}",
    "POST /generate",
    "POST /draw",
    "POST /v3",
    "POST /v4",
    "POST /upscale",
    "GET /{day}/{name}.webp",
    "POST /api/verify",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
]


def ask_at_random(schema: Any, name: str, mode: GenerationMode, examples: int = EXAMPLES) -> None:
    """Send what the description of an operation allows, or what it does not, and look at the answers.

    Raises:
        FailureGroup: an answer of 500 or above, or one that the description does not have.
    """
    method, path = name.split(" ")

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    ask()


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_that_may_be_sent_breaks_the_site(schema: Any, name: str) -> None:
    # Each picture is looked at in a process of its own, which takes seconds.
    ask_at_random(schema, name, GenerationMode.POSITIVE, 3 if "verify" in name else EXAMPLES)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "POST" in name and "verify" not in name])
def test_nothing_that_may_not_be_sent_breaks_it_either(schema: Any, name: str) -> None:
    ask_at_random(schema, name, GenerationMode.NEGATIVE)


def test_a_site_that_breaks_would_be_found_out() -> None:
    app = FastAPI()

    @app.post("/draw")
    def draw(prompt: Annotated[str, Body(embed=True)]) -> int:
        return 1 // len(prompt.strip())

    @app.get("/undocumented")
    def undocumented() -> Response:
        return Response("I am a teapot", 418)

    with served(app) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for name in ("POST /draw", "GET /undocumented"):
            with pytest.raises(FailureGroup):
                ask_at_random(schema, name, GenerationMode.POSITIVE, 50)


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_address_of_the_apis_is_described(described: dict[str, Any]) -> None:
    # One that is not in the list would not be asked at random.
    assert {name for name, _ in operations(described)} == set(OPERATIONS)


def test_every_operation_says_what_it_does_and_how_it_fails(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    assert "HTTPValidationError" not in text
    for name, operation in operations(described):
        assert operation["summary"], name
        assert operation["description"], name
        if operation["tags"][0] not in ("drawings", "openai", "dall-e mini", "craiyon"):
            continue
        failures = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert failures, name
        for status, answer in failures.items():
            examples = answer["content"]["application/json"]["examples"]
            assert examples, f"{name} {status}"
            if operation["tags"][0] == "openai":
                assert all(example["value"]["error"].keys() == OPENAI for example in examples.values())
            assert set(examples) <= CODES


def test_the_example_of_an_answer_is_what_is_answered(live: LiveSite, described: dict[str, Any]) -> None:
    (example,) = described["components"]["schemas"]["DrawingShown"]["examples"]
    real = live.drawn(example["prompt"], count=1, seed=7)
    assert real.keys() == example.keys()
    assert real["pictures"][0].keys() == example["pictures"][0].keys()
    assert {name for name, value in real.items() if value is None} <= {
        name for name, value in example.items() if value is None
    }


def test_the_examples_of_requests_are_taken(live: LiveSite, described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name, path in (("DrawingAsked", "/api/drawings"), ("ImagesAsked", "/v1/images/generations")):
        examples = schemas[name]["examples"]
        assert examples
        for example in examples:
            assert live.post(path, example).status in (200, 202)
