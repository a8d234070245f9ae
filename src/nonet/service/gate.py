"""Who may come into the line of drawings, told from memory: under load a refusal is the answer that most get."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nonet.errors import NonetError
from nonet.service.errors import OverloadedError
from nonet.service.limits import Limits
from nonet.service.records import Caller
from nonet.service.settings import Settings


class Gate:
    """Thread-safe; what it knows of the line may be a moment old.

    Attributes:
        closed: why no drawing is accepted at present; empty when they are.
        queued: how many wait, as last counted.
        waiting: how many of each caller.
        banned: callers who may not draw.
        limits: how often a caller may ask.
        refused: hear the code of each refusal.

    Args:
        look: counts anew, if that was not just done.
        soonest: seconds until the next drawing ends, after which there is room again.
    """

    def __init__(
        self, settings: Settings, *, look: Callable[[], object], soonest: Callable[[], float]
    ) -> None:
        self.closed = ""
        self.queued = 0
        self.waiting: Counter[str] = Counter()
        self.banned: frozenset[str] = frozenset()
        self.limits = Limits(settings)
        self.refused: list[Callable[[str], None]] = []
        self._settings = settings
        self._look, self._soonest = look, soonest
        self._coming, self._lock = 0, threading.Lock()

    @contextmanager
    def room(self, caller: Caller) -> Iterator[None]:
        """Keep a place in line while a drawing is looked at: nobody is looked at for a place that another will take.

        Raises:
            NonetError: see `check`.
        """
        with self._lock:
            self.check(caller, self._coming)
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1

    def check(self, caller: Caller | None = None, coming: int = 0) -> None:
        """Refuse at once, without the database, what would be refused anyway.

        Args:
            coming: places in line that are taken by what is not in it yet.

        Raises:
            NonetError: `unavailable`, `queue_full`, `rate_limited` (`OverloadedError`s) or `not_allowed`.
        """
        if self.closed:
            raise self._refusal(OverloadedError("unavailable", self.closed, "Try again in a moment."))
        if caller is not None and caller.id in self.banned:
            raise NonetError("not_allowed", "Whoever runs this site lets no drawings be made from here.")
        self.check_full(coming)
        if caller is not None:
            if self.waiting[caller.id] >= self._settings.caller_queue_max:
                self._look()  # some may have been taken from the line since
                self.check_waiting(caller, self.waiting[caller.id])
            try:
                self.limits.check(caller)
            except OverloadedError as error:
                raise self._refusal(error) from None

    def check_full(self, coming: int = 0) -> None:
        """Whether there is room in the line.

        Raises:
            OverloadedError: `queue_full`.
        """
        if self.queued + coming >= self._settings.queue_max:
            raise self._refusal(
                OverloadedError(
                    "queue_full",
                    f"{self.queued} drawings are waiting, which is all that this site lets wait.",
                    "Try again in a moment.",
                    retry_after=self._soonest(),
                )
            )

    def check_waiting(self, caller: Caller, waiting: int) -> None:
        """Whether a caller of whom so many wait may have one more.

        Raises:
            OverloadedError: `rate_limited`.
        """
        if waiting >= self._settings.caller_queue_max and caller.kind != "admin":
            raise self._refusal(
                OverloadedError(
                    "rate_limited",
                    f"{waiting} drawings asked for from here are still waiting.",
                    "Wait until some are drawn, or cancel them.",
                    retry_after=self._soonest(),
                )
            )

    def _refusal(self, error: OverloadedError) -> OverloadedError:
        for hear in self.refused:
            hear(error.code)
        return error
