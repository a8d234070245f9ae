"""The page where one line becomes nine pictures, the page of each drawing, and the small ones around them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Header, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from nonet.errors import NonetError
from nonet.service import owners, suggestions
from nonet.service.assets import assets
from nonet.service.callers import caller_of
from nonet.service.errors import headers_of, native_body, status_of
from nonet.service.intake import accept, base_url, draw_request, services_of, visible, visible_lately
from nonet.service.modelcard import read_card
from nonet.service.records import Caller, Job
from nonet.service.routes import keeping
from nonet.service.routes.dallemini import version_answer, wants_json
from nonet.service.views import about_seconds, drawing_view, face, page, standing
from nonet.service.visitors import own_form

router = APIRouter(include_in_schema=False)
router.include_router(keeping.router)

Asking = Annotated[Caller, Depends(caller_of)]
_FOR_EVER = "public, max-age=31536000, immutable"
_IDEAS = 4
_WELCOME = "No sign-up. Every drawing gets an address of its own."


@router.api_route("/", methods=["GET", "HEAD"])
def home(request: Request, prompt: Annotated[str, Query()] = "") -> Response:
    """The start; `prompt` fills the box, which is what links to a line do."""
    if wants_json(request):
        return version_answer(request)
    return _studio(request, None, prompt=prompt[:2000])


@router.get("/surprise")
def surprise() -> Response:
    """A line that nobody would think of, in the box; for those without script."""
    return RedirectResponse(
        "/?" + urlencode({"prompt": suggestions.surprise()}), 303, {"Cache-Control": "no-store"}
    )


@router.post("/d", dependencies=[Depends(own_form)])
def draw(
    request: Request,
    caller: Asking,
    prompt: Annotated[str, Form()] = "",
    negative_prompt: Annotated[str, Form()] = "",
    seed: Annotated[str, Form()] = "",
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Hand a line in: a redirect to the drawing's page, or JSON for the page's own script."""
    services = services_of(request)
    scripted = "application/json" in request.headers.get("accept", "")
    try:
        wanted = draw_request(
            prompt=" ".join(prompt.split()),
            negative_prompt=negative_prompt,
            seed=_seed(seed),
            count=min(9, services.settings.pictures_max),
        )
        job = accept(services, wanted, caller=caller, api="page", key=idempotency_key)
    except NonetError as error:
        status, headers = status_of(error.code), headers_of(error)
        if scripted:
            return JSONResponse(native_body(error), status, headers)
        detail = error.hint
        if "Retry-After" in headers:
            wait = about_seconds(int(headers["Retry-After"]))
            detail = f"{detail} Try again in {wait}; your line is still there.".strip()
        return _studio(
            request,
            None,
            prompt=prompt[:2000],
            negative_prompt=negative_prompt[:2000],
            seed=seed[:16],
            status=error.message,
            detail=detail,
            # A line that is not drawn is no accident, and some are no joke.
            mood="calm" if error.code == "prompt_refused" else "failed",
            joking=getattr(error, "category", "") != "self-harm",
            code=status,
            headers=headers,
        )
    answer: Response
    if scripted:
        answer = JSONResponse({"id": job.id, "page": f"/d/{job.id}"}, 202)
    else:
        answer = RedirectResponse(f"/d/{job.id}", 303)
    answer.headers["Cache-Control"] = "no-store"
    owners.give(answer, request, services.callers, job.id, days=services.settings.retention_days)
    return answer


@router.api_route("/d/{id}", methods=["GET", "HEAD"])
async def drawing(id: str, request: Request) -> Response:
    """A drawing from its first second on; the same on every device that has the address."""
    # Not as a dependency: it is read so often that what the framework does for one is worth saving.
    caller = await caller_of(request)
    job = visible_lately(services_of(request), id)
    if job is not None:
        return _studio(request, job, caller=caller)
    return await anyio.to_thread.run_sync(_drawing, id, request, caller)


def _drawing(id: str, request: Request, caller: Caller) -> Response:
    return _studio(request, visible(services_of(request), id), caller=caller)


def _seed(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise NonetError("setting_invalid", "The seed is no whole number.", "Leave it empty for any.")
    return int(text)


def _studio(
    request: Request,
    job: Job | None,
    *,
    caller: Caller | None = None,
    prompt: str = "",
    negative_prompt: str = "",
    seed: str = "",
    status: str = "",
    detail: str = "",
    mood: str = "",
    joking: bool = True,
    code: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    services = services_of(request)
    drawing = None
    if job is not None:
        place = None if job.over else services.jobs.place(job.id)
        owned = caller is not None and owners.owns(request, services.callers, job, caller)
        drawing = drawing_view(job, base_url(services, request), owned=owned, place=place)
        status, detail = standing(job, place)
        prompt, negative_prompt = job.request.prompt, job.request.negative_prompt
    return page(
        request,
        "draw.html",
        code=code,
        headers=headers,
        drawing=drawing,
        prompt=prompt,
        negative_prompt=negative_prompt,
        seed=seed,
        status=status or _WELCOME,
        detail=detail if status else "",
        face=mood or face(job),
        placeholder=suggestions.ideas(1)[0],
        ideas=suggestions.ideas(_IDEAS) if joking else [],
        alike=suggestions.alike(prompt, 3) if drawing and drawing.drawn else [],
    )


@router.get("/mine")
def mine(request: Request) -> Response:
    """What was drawn on this device; the list is the browser's."""
    return page(request, "mine.html", days=f"{services_of(request).settings.retention_days:g}")


@router.get("/about")
def about(request: Request) -> Response:
    """What this is, and the limits that the model's own card states."""
    settings = services_of(request).settings
    return page(
        request,
        "about.html",
        mood="idle",
        card=read_card(settings.model),
        days=f"{settings.retention_days:g}",
    )


@router.get("/docs")
def docs(request: Request) -> Response:
    """The APIs for people, from the same description that machines read."""
    described = request.app.openapi()
    groups: dict[str, list[dict[str, str]]] = {}
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            tag = (call.get("tags") or ["more"])[0]
            # The first paragraph; the rest is in the description for machines.
            text = " ".join(call.get("description", "").split("\n\n")[0].split()).replace("`", "")
            said = {
                "method": method.upper(),
                "path": path,
                "summary": call.get("summary", path),
                "text": text,
            }
            groups.setdefault(tag, []).append(said)
    # What draws comes before what runs the site.
    groups = dict(sorted(groups.items(), key=lambda group: group[0] in ("operations", "more")))
    base = base_url(services_of(request), request)
    return page(request, "api.html", mood="idle", groups=groups, base=base, openapi=request.app.openapi_url)


@router.api_route("/static/{version}/{name}", methods=["GET", "HEAD"])
def static(version: str, name: str, request: Request) -> Response:
    """Styles, scripts and icons."""
    asset = assets().files.get(name)
    if asset is None:
        raise NonetError("not_found", "There is no such file.")
    headers = {
        # An old address still gives the file, for pages that are open during an update, but not for ever.
        "Cache-Control": _FOR_EVER if version == assets().version else "public, max-age=60",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.body, media_type=asset.type, headers=headers)


@router.get("/favicon.ico")
def favicon() -> Response:
    """For browsers that know no SVG icons."""
    icon = assets().files["favicon.ico"]
    return Response(icon.body, media_type=icon.type, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/robots.txt")
def robots() -> Response:
    """The gallery may be found; drawings that nobody published ask for it themselves."""
    return Response("User-agent: *\nDisallow: /api/\nDisallow: /surprise\n", media_type="text/plain")
