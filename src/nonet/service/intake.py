"""How a request from outside becomes an accepted job; the same for every API and for the page's form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import Request

from nonet.engine.request import DrawRequest, random_seed
from nonet.errors import NonetError
from nonet.service.records import Caller, Job
from nonet.service.services import Services

# Tab and line breaks come with pasted text. NUL can be kept by no database, and the others are seen by nobody.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_KEY = re.compile(r"[!-~]{1,200}")


def services_of(request: Request) -> Services:
    """The services of the app that got this request."""
    services: Services = request.app.state.services
    return services


def base_url(services: Services, request: Request) -> str:
    """Where the site is reached from outside, without a slash at its end."""
    return (services.settings.public_url or str(request.base_url)).rstrip("/")


def model_name(services: Services) -> str:
    """What the site's model is called; of a folder with weights its own name alone, not the way to it."""
    name = services.settings.model
    return Path(name).name if Path(name).exists() else name


def draw_request(
    *, prompt: str, negative_prompt: str = "", seed: int | None = None, **settings: Any
) -> DrawRequest:
    """A checked request from what somebody sent.

    Args:
        settings: `DrawRequest`'s other fields.

    Raises:
        NonetError: `prompt_empty`, `prompt_too_long` or `setting_invalid`.
    """
    for name, text in (("prompt", prompt), ("negative prompt", negative_prompt)):
        if isinstance(text, str) and _CONTROL.search(text):
            raise NonetError("setting_invalid", f"The {name} holds control characters.", "Send plain text.")
    settled = random_seed() if seed is None else seed
    return DrawRequest(prompt=prompt, negative_prompt=negative_prompt, seed=settled, **settings)


def accept(
    services: Services, request: DrawRequest, *, caller: Caller, api: str, key: str | None = None
) -> Job:
    """Ask the policy, then put the request in line.

    Args:
        key: an idempotency key: the same caller's same key is the same job.

    Raises:
        NonetError: `prompt_refused`, `setting_invalid` for the key, and what `Jobs.submit` raises.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise NonetError("setting_invalid", "An idempotency key has 1 to 200 visible ASCII characters.")
    # What was accepted before is told again, however full the line is now: its answer may have been lost.
    known = services.jobs.known(request, caller=caller, key=key)
    if known is not None:
        return known
    # Without the database and before the policy's work: under load a refusal is the answer that most get.
    with services.jobs.gate.room(caller):
        services.judge(request)
        return services.jobs.submit(request, caller=caller, api=api, key=key)


def visible(services: Services, id: str) -> Job:
    """The job of that id, if anybody may see it.

    Raises:
        NonetError: `not_found`, also for one that was hidden: 403 would say that it is there.
    """
    return _in_sight(services.jobs.get(id))


def visible_lately(services: Services, id: str) -> Job | None:
    """The job of that id if it is over and was looked at a moment ago, else None; waits for nothing.

    Raises:
        NonetError: `not_found` for one that was hidden.
    """
    job = services.jobs.lately.find(id)
    return None if job is None else _in_sight(job)


def _in_sight(job: Job) -> Job:
    if job.hidden:
        raise NonetError("not_found", "There is no such drawing.")
    return job
