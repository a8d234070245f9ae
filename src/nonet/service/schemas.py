"""What the native API takes and answers, as documented in its OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from nonet.engine.request import (
    CANDIDATES_MAX,
    COUNT_MAX,
    GUIDANCE_MAX,
    PROMPT_CHARACTERS,
    SEED_MAX,
    TEMPERATURE_MAX,
    TOP_K_MAX,
    DrawRequest,
)
from nonet.service.intake import draw_request
from nonet.service.records import Job, Place


def _described(text: str, low: float | None = None, high: float | None = None, **schema: Any) -> Any:
    # The bounds are only described here: `DrawRequest` checks them, with the codes that everything else has.
    bounds = {"minimum": low, "maximum": high, **schema}
    said = {name: value for name, value in bounds.items() if value is not None}
    return Field(description=text, json_schema_extra=said)


class DrawingAsked(BaseModel):
    """What to draw. A setting that is null or left out has the model's default."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"prompt": "a hamster Godzilla in a sombrero"},
                {"prompt": "a blue car", "negative_prompt": "a red car", "count": 4, "seed": 7},
            ]
        },
    )

    prompt: Annotated[str, _described("What to draw.", minLength=1, maxLength=PROMPT_CHARACTERS)]
    negative_prompt: Annotated[str, _described("What to stay away from.", maxLength=PROMPT_CHARACTERS)] = ""
    count: Annotated[StrictInt, _described("Pictures.", 1, COUNT_MAX)] = 9
    seed: Annotated[
        StrictInt | None, _described("Picture n is drawn with seed + n; any if left out.", 0, SEED_MAX)
    ] = None
    guidance: Annotated[float | None, _described("How hard to follow the prompt.", 0, GUIDANCE_MAX)] = None
    temperature: Annotated[float | None, _described("How freely to choose.", 0, TEMPERATURE_MAX)] = None
    top_k: Annotated[StrictInt | None, _described("Choose among the likeliest k; 0: all.", 0, TOP_K_MAX)] = (
        None
    )
    top_p: Annotated[float | None, _described("Choose among the likeliest of this share.", 0, 1)] = None
    candidates: Annotated[
        StrictInt | None,
        _described("Draw so many and keep the judge's best; 0: none.", 0, CANDIDATES_MAX),
    ] = None

    def request(self) -> DrawRequest:
        """The request, checked.

        Raises:
            NonetError: `prompt_empty`, `prompt_too_long`, `setting_invalid`.
        """
        return draw_request(**self.model_dump())


class PictureShown(BaseModel):
    """A drawn picture."""

    index: int = Field(description="From 0; with candidates the judge's best is 0.")
    seed: int = Field(description="Draws this very picture again, alone.")
    score: float | None = Field(description="The judge's; null for a model without one.")
    sources: list[dict[str, str]] = Field(description="The remembered pictures that it was drawn after.")
    png: str
    webp: str
    jpg: str


class ErrorShown(BaseModel):
    """Why something was not done."""

    code: str = Field(description="Stable; see the table in docs/api.md.")
    message: str = Field(description="What went wrong, for people.")
    hint: str = Field(description="What to do; may be empty.")
    category: Annotated[str | None, Field(description="Of a refused prompt.")] = None


class ErrorAnswer(BaseModel):
    """The one shape of every error of this API."""

    error: ErrorShown


_HERE = "http://127.0.0.1:7777/api/drawings/uYA4jqIGTBif5uxD21-WYQ"
EXAMPLE: dict[str, Any] = {
    "id": "uYA4jqIGTBif5uxD21-WYQ",
    "state": "drawn",
    "place": None,
    "eta_seconds": None,
    "queued": None,
    "url": _HERE,
    "page": "http://127.0.0.1:7777/d/uYA4jqIGTBif5uxD21-WYQ",
    "events": f"{_HERE}/events",
    "sheet": f"{_HERE}/sheet.png",
    "prompt": "a cat on the moon",
    "negative_prompt": "",
    "count": 1,
    "seed": 7,
    "guidance": None,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "candidates": None,
    "model": "doodle",
    "created": "2026-11-25T19:30:00Z",
    "started": "2026-11-25T19:30:00Z",
    "ended": "2026-11-25T19:30:03Z",
    "seconds": 2.9,
    "notes": [],
    "error": None,
    "pictures": [
        {
            "index": 0,
            "seed": 7,
            "score": 0.31,
            "sources": [{"title": "black cat", "set": "Fluent Emoji 3D", "licence": "MIT"}],
            **{kind: f"{_HERE}/pictures/0.{kind}" for kind in ("png", "webp", "jpg")},
        }
    ],
}
"""A drawing as it is shown."""


class DrawingShown(BaseModel):
    """A drawing and how far it is."""

    id: str
    state: Literal["queued", "drawing", "drawn", "failed", "cancelled", "expired"]
    place: int | None = Field(description="In line: 1 is drawn next, 0 is being drawn; null when it is over.")
    eta_seconds: float | None = Field(description="Until its last picture; null when over or not known yet.")
    queued: int | None = Field(description="How many drawings wait in all; null when it is over.")
    url: str = Field(description="This answer.")
    page: str = Field(description="The drawing's page for people.")
    events: str = Field(description="Its events, as server-sent events.")
    sheet: str | None = Field(description="All pictures side by side; null until they are drawn.")
    prompt: str
    negative_prompt: str
    count: int
    seed: int
    guidance: float | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    candidates: int | None
    model: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    seconds: float | None = Field(description="That drawing took, without the wait.")
    notes: list[str] = Field(description="What one should know, for example that the prompt was cut.")
    error: ErrorShown | None
    pictures: list[PictureShown] = Field(description="All of them when `state` is drawn.")


def shown(job: Job, place: Place | None, base: str) -> DrawingShown:
    """A job as the API shows it.

    Args:
        place: its place in line, for one that is not over.
        base: where the site is reached, without a slash at its end.
    """
    here = f"{base}/api/drawings/{job.id}"
    request = job.request
    pictures = [
        PictureShown(
            index=picture.index,
            seed=picture.seed,
            score=picture.score,
            sources=picture.sources,
            **{kind: f"{here}/pictures/{picture.index}.{kind}" for kind in ("png", "webp", "jpg")},
        )
        for picture in job.pictures
        if not picture.hidden
    ]
    return DrawingShown(
        id=job.id,
        state=job.state,
        place=place.place if place else None,
        eta_seconds=place.eta_seconds if place else None,
        queued=place.queued if place else None,
        url=here,
        page=f"{base}/d/{job.id}",
        events=f"{here}/events",
        sheet=f"{here}/sheet.png" if job.state == "drawn" else None,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        count=request.count,
        seed=request.seed,
        guidance=request.guidance,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        candidates=request.candidates,
        model=job.model,
        created=job.created,
        started=job.started,
        ended=job.ended,
        seconds=job.seconds,
        notes=job.notes,
        error=ErrorShown(code=job.error[0], message=job.error[1], hint=job.error[2]) if job.error else None,
        pictures=pictures if job.state == "drawn" else [],
    )
