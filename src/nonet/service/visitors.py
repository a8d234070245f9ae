"""Posts from forms: are they from one's own pages, and are they too many?"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from fastapi import Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from nonet.errors import NonetError
from nonet.service.errors import OverloadedError
from nonet.service.intake import base_url, services_of
from nonet.service.records import Caller


def own_form(request: Request) -> None:
    """FastAPI dependency: the post does not come from another site's page.

    Browsers say where a post comes from, in one of two headers. Programs say nothing, and carry no cookie of somebody
    else either, so nothing can be done through them.

    Raises:
        NonetError: `not_allowed`.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        # Older browsers, and plain http. Behind a proxy the site may be asked by another name than browsers know.
        hosts = {request.headers.get("host", ""), urlsplit(base_url(services_of(request), request)).netloc}
        foreign = origin is not None and urlsplit(origin).netloc not in hosts
    if foreign:
        raise NonetError(
            "not_allowed", "This was sent from another site's page.", "Go to the drawing's own page."
        )


@cache
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


def not_too_often(caller: Caller, what: str, rate: str) -> None:
    """Count something that a caller does besides drawing.

    Args:
        what: what is counted.
        rate: in the words of `limits`, such as `20/hour`.

    Raises:
        NonetError: `rate_limited`.
    """
    limit = parse(rate)
    if caller.kind != "admin" and not _limiter().hit(limit, what, caller.id):
        again = _limiter().get_window_stats(limit, what, caller.id).reset_time
        raise OverloadedError(
            "rate_limited",
            "That was done very often from here.",
            "Try again in a while.",
            retry_after=_seconds_until(again),
        )


def _seconds_until(moment: float) -> float:
    import time

    return max(1.0, moment - time.time())
