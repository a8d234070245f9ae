"""How often a caller may ask, and for how much."""

from __future__ import annotations

import time
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.errors import OverloadedError
from nonet.service.records import Caller
from nonet.service.settings import Settings

_JUMP_SECONDS = 5.0


@dataclass(frozen=True)
class Rate:
    """How often a caller may still ask, by the rate that they are nearest to.

    Attributes:
        limit: drawings in the rate's time.
        remaining: that are left of them.
        reset_seconds: until the next one is given back.
    """

    limit: int
    remaining: int
    reset_seconds: float


class Limits:
    """Rates by kind of caller, kept in memory; thread-safe. Admins have none."""

    def __init__(self, settings: Settings) -> None:
        self._rates = {
            "anonymous": parse_many(settings.rate_anonymous),
            "key": parse_many(settings.rate_key),
        }
        self._new()

    def take(self, caller: Caller) -> None:
        """Count one drawing.

        Raises:
            OverloadedError: `rate_limited`, and nothing is counted.
        """
        self.check(caller)
        for rate in self._rates.get(caller.kind, ()):
            if not self._window.hit(rate, caller.id):
                raise self._refusal(rate, caller)

    def check(self, caller: Caller) -> None:
        """Whether one more would be counted.

        Raises:
            OverloadedError: `rate_limited`.
        """
        self._notice_jumps()
        for rate in self._rates.get(caller.kind, ()):
            if not self._window.test(rate, caller.id):
                raise self._refusal(rate, caller)

    def rate(self, caller: Caller) -> Rate | None:
        """How often a caller may still ask; None where there is no limit."""
        rates = self._rates.get(caller.kind)
        if not rates:
            return None
        nearest: Rate | None = None
        for rate in rates:
            stats = self._window.get_window_stats(rate, caller.id)
            if nearest is None or stats.remaining < nearest.remaining:
                wait = min(max(0.0, stats.reset_time - time.time()), rate.get_expiry())
                nearest = Rate(rate.amount, max(0, stats.remaining), wait)
        return nearest

    def _refusal(self, rate: RateLimitItem, caller: Caller) -> OverloadedError:
        wait = self._window.get_window_stats(rate, caller.id).reset_time - time.time()
        return OverloadedError(
            "rate_limited",
            f"More than {rate.amount} drawings in {_span(rate)} were asked for from here.",
            "Wait a little and ask again.",
            retry_after=min(max(1.0, wait), rate.get_expiry()),
        )

    def _new(self) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._offset = time.time() - time.monotonic()

    def _notice_jumps(self) -> None:
        # The windows are kept by the wall clock. Set back an hour, it would shut a caller out for an hour.
        if abs(time.time() - time.monotonic() - self._offset) > _JUMP_SECONDS:
            self._new()


def check_size(request: DrawRequest, settings: Settings) -> None:
    """Whether the site draws so many pictures at a time.

    Raises:
        NonetError: `setting_invalid`.
    """
    if request.count > settings.pictures_max:
        raise NonetError(
            "setting_invalid",
            f"count is {request.count}, but this site draws at most {settings.pictures_max} pictures.",
            "Ask for fewer.",
        )
    most = max(settings.candidates_max, request.count)
    if request.pictures > most:
        raise NonetError(
            "setting_invalid",
            f"candidates is {request.candidates}, but this site draws at most {most}.",
            "Leave candidates out.",
        )


def _span(rate: RateLimitItem) -> str:
    name = rate.GRANULARITY.name
    return f"{rate.multiples} {name}s" if rate.multiples > 1 else f"a {name}"
