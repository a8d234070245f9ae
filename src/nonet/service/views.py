"""How pages are made: templates, their headers, and drawings as templates see them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse

from nonet.errors import NonetError
from nonet.output import slug
from nonet.service.assets import assets
from nonet.service.intake import services_of
from nonet.service.records import Job, Place
from nonet.sheet import grid_shape

# Partials come as data: addresses, the meme maker makes blob: ones. Nothing comes from elsewhere, and no script or
# style stands in a page.
CONTENT_SECURITY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    ]
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # The address of a drawing is what lets people see it; other sites are not to learn it.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TITLE_LENGTH = 120
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nonet.service"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = assets().address
    return environment


def warm_up() -> None:
    """Read and compile all templates: it takes a tenth of a second."""
    for name in _templates().list_templates():
        _templates().get_template(name)


def render(name: str, **values: Any) -> str:
    """A template with its values; everything in them is shown as text."""
    return _templates().get_template(name).render(**values)


def page(
    request: Request, name: str, *, code: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page with the headers that every page has; `code` is HTTP's."""
    text = render(name, here=request.url.path, **values)
    frames = " ".join(services_of(request).settings.frame_ancestors) or "'none'"
    policy = {"Content-Security-Policy": f"{CONTENT_SECURITY}; frame-ancestors {frames}"}
    return HTMLResponse(text, code, {**HEADERS, **policy, **(headers or {})})


def message(
    request: Request, heading: str, text: str, *, code: int = 200, back: str = "", back_name: str = ""
) -> HTMLResponse:
    """A page that says one thing."""
    return page(
        request,
        "message.html",
        code=code,
        heading=heading,
        text=text,
        back=back,
        back_name=back_name,
        mood="failed" if code >= 400 else "idle",
    )


_HEADINGS = {
    404: "Nothing here",
    403: "Not yours",
    413: "Too large",
    429: "A little slower",
    503: "Not just now",
}


def error_page(request: Request, error: NonetError, status: int) -> HTMLResponse:
    """A failure on a page's address, for people; `app.state.html_error`."""
    return message(
        request,
        _HEADINGS.get(status, "That did not work"),
        f"{error.message} {error.hint}".strip(),
        code=status,
    )


def in_words(number: int) -> str:
    """Small numbers as words."""
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"


def about_seconds(seconds: float) -> str:
    """How long, as one says it."""
    whole = max(1, math.ceil(seconds))
    if whole < 100:
        return "about a second" if whole == 1 else f"about {whole} seconds"
    minutes = round(whole / 60)
    return f"about {minutes} minutes" if minutes < 100 else f"about {round(minutes / 60)} hours"


@dataclass(frozen=True)
class PictureView:
    """A picture as templates show it; addresses are without the site's name."""

    index: int
    number: int
    png: str
    webp: str
    alt: str
    sources: list[dict[str, str]]
    hidden: bool


@dataclass(frozen=True)
class DrawingView:
    """A drawing as templates show it.

    Attributes:
        title: the prompt on one line, shortened.
        address: of its page, with the site's name.
        owned: who looks at it made it.
        refresh: seconds after which a page without script looks again.
    """

    id: str
    prompt: str
    title: str
    negative_prompt: str
    seed: int
    count: int
    columns: int
    state: str
    model: str
    seconds: float | None
    notes: list[str]
    published: bool
    owned: bool
    address: str
    slug: str
    refresh: int
    pictures: list[PictureView]

    @property
    def drawn(self) -> bool:
        """Whether its pictures are there."""
        return self.state == "drawn"

    @property
    def working(self) -> bool:
        """Whether it waits or is drawn."""
        return self.state in ("queued", "drawing")

    @property
    def x_url(self) -> str:
        """X's page for a new post about it."""
        return "https://x.com/intent/post?" + urlencode(
            {"text": f"{self.title} (AI-generated)", "url": self.address}
        )

    @property
    def reddit_url(self) -> str:
        """Reddit's page for a new post about it."""
        return "https://www.reddit.com/submit?" + urlencode(
            {"url": self.address, "title": f"{self.title} (AI-generated)"}
        )


def title_of(prompt: str) -> str:
    """A prompt on one line, shortened at a word."""
    line = " ".join(prompt.split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[:TITLE_LENGTH]
    return f"{cut.rpartition(' ')[0] or cut}…"


def drawing_view(job: Job, base: str, *, owned: bool = False, place: Place | None = None) -> DrawingView:
    """What templates need of a job.

    Args:
        base: where the site is reached, without a slash at its end.
        place: where it stands in line, if it does.
    """
    title, count = title_of(job.request.prompt), job.request.count
    pictures = [
        PictureView(
            index=picture.index,
            number=picture.index + 1,
            png=f"/api/drawings/{job.id}/pictures/{picture.index}.png",
            webp=f"/api/drawings/{job.id}/pictures/{picture.index}.webp",
            alt=f"{title}, picture {picture.index + 1} of {count}, AI-generated, may not be true",
            sources=picture.sources,
            hidden=picture.hidden,
        )
        for picture in (sorted(job.pictures, key=lambda one: one.index) if job.state == "drawn" else ())
    ]
    return DrawingView(
        id=job.id,
        prompt=job.request.prompt,
        title=title,
        negative_prompt=job.request.negative_prompt,
        seed=job.request.seed,
        count=count,
        columns=grid_shape(count)[0],
        state=job.state,
        model=job.model,
        seconds=job.seconds,
        notes=job.notes,
        published=job.published,
        owned=owned,
        address=f"{base}/d/{job.id}",
        slug=slug(title),
        refresh=_refresh(place),
        pictures=pictures,
    )


def _refresh(place: Place | None) -> int:
    """Seconds until it is worth looking again: soon when the end is near, seldom in a long line."""
    if place is None or place.eta_seconds is None:
        return 4
    return min(30, max(3, math.ceil(place.eta_seconds / 2)))


def standing(job: Job, place: Place | None) -> tuple[str, str]:
    """How a drawing stands, in a sentence and a detail; the page's script says the same."""
    if job.state == "queued":
        number = place.place if place else 1
        wait = (
            f"{about_seconds(place.eta_seconds)} until yours is drawn" if place and place.eta_seconds else ""
        )
        return ("Next in line" if number <= 1 else f"Number {number} in line"), wait
    if job.state == "drawing":
        return "Drawing", (f"{about_seconds(place.eta_seconds)} left" if place and place.eta_seconds else "")
    if job.state == "drawn":
        count = len(job.pictures)
        return ("Here it is." if count == 1 else f"All {in_words(count)} are drawn."), ""
    _, text, hint = job.error or ("", _ENDS.get(job.state, "It was not drawn."), "")
    return text, hint


_ENDS = {"cancelled": "It was stopped.", "expired": "It waited too long and was not drawn."}


def face(job: Job | None) -> str:
    """The mood of the paint box: classes of static/draw.css."""
    if job is None:
        return "idle"
    return {"queued": "waiting working", "drawing": "drawing working", "drawn": "drawn"}.get(
        job.state, "failed"
    )
