"""Events of drawings that are going on, from the threads that draw to everybody who watches.

Each job has one buffer that all its watchers read from. What a newer event makes worthless (an older partial of the
same picture) leaves it, so it stays small, and a watcher that reads slowly costs nothing: it finds the newest state
when it comes back, and always the end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from nonet.errors import NonetError
from nonet.service.records import Job, Place

FINAL = frozenset({"done", "failed", "cancelled"})
KEPT_SECONDS = 120.0
"""So long after its end a job's buffer is kept; later its row tells the end."""
CHANNELS_MAX = 4096
_PASSING = frozenset({"place", "started", "progress", "partial"})


@dataclass(frozen=True)
class HubEvent:
    """Something that happened to a job.

    Attributes:
        id: rises within a job, also over restarts of the server.
        kind: place, started, progress, partial, drawn, done, failed or cancelled; the last three are final.
        data: JSON values. place: place, eta_seconds, queued. started: notes, model. progress: picture, done, total.
            partial: picture, webp (base64, 128 pixels). drawn: picture, url, seed. done: pictures, seconds.
            failed and cancelled: code, message, hint.
    """

    id: int
    kind: str
    data: dict[str, Any]

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return self.kind in FINAL


@dataclass
class _Channel:
    last_id: int
    slots: OrderedDict[tuple[str, Any], HubEvent] = field(default_factory=OrderedDict)
    waiting: set[_Waiter] = field(default_factory=set)
    followers: int = 0
    ended: float | None = None


class _Waiter:
    """Wakes one follower in its loop; further calls before it has woken do nothing."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        self.called = False

    def wake(self) -> None:
        if self.called:
            return
        self.called = True
        try:
            self.loop.call_soon_threadsafe(self.event.set)
        except RuntimeError:
            return  # its loop was closed; nobody waits there any more


class Hub:
    """The buffers of all jobs; `publish` may be called from any thread, `follow` in any loop.

    Args:
        look: the row of a job, for those whose buffer is gone; raises `not_found`.
        place: where a job stands.
        first_id: ids start above it; it must rise with every start of the server.
        poll_seconds: how often to look at the row of a job that another server may be drawing; None for never.
    """

    def __init__(
        self,
        look: Callable[[str], Job],
        place: Callable[[str], Place] | None = None,
        *,
        first_id: int = 0,
        poll_seconds: float | None = None,
    ) -> None:
        self._look = look
        self._place = place
        self._first_id = first_id
        self._poll = poll_seconds
        self._lock = threading.Lock()
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        self._closed = False

    def publish(self, job_id: str, kind: str, data: dict[str, Any]) -> None:
        """Tell everybody who follows the job; nothing is kept of what a final event makes worthless."""
        with self._lock:
            channel = self._channel(job_id)
            if channel.ended is not None:
                return
            channel.last_id += 1
            event = HubEvent(channel.last_id, kind, data)
            picture = data.get("picture")
            if kind in FINAL:
                channel.ended = time.monotonic()
                self._forget(channel, _PASSING)
            elif kind == "drawn":
                channel.slots.pop(("progress", picture), None)
                channel.slots.pop(("partial", picture), None)
            elif kind == "started":
                channel.slots.pop(("place", None), None)
            channel.slots.pop((kind, picture), None)
            channel.slots[kind, picture] = event
            waiting = list(channel.waiting)
        for waiter in waiting:
            waiter.wake()

    def again(self, job_id: str) -> None:
        """Forget what was shown of a job that is drawn once more."""
        with self._lock:
            channel = self._channels.get(job_id)
            if channel is not None and channel.ended is None:
                channel.slots.clear()

    def followed(self) -> list[str]:
        """Jobs that somebody follows."""
        with self._lock:
            return [job_id for job_id, channel in self._channels.items() if channel.followers]

    def followers(self) -> int:
        """How many follow something."""
        with self._lock:
            return sum(channel.followers for channel in self._channels.values())

    def close(self) -> None:
        """End all followers, without a final event: they ask again and the next server answers."""
        with self._lock:
            self._closed = True
            waiting = [waiter for channel in self._channels.values() for waiter in channel.waiting]
        for waiter in waiting:
            waiter.wake()

    def sweep(self) -> None:
        """Forget jobs that ended a while ago, and the oldest of too many."""
        now = time.monotonic()
        with self._lock:
            for job_id, channel in list(self._channels.items()):
                old = channel.ended is not None and now - channel.ended > KEPT_SECONDS
                if not channel.followers and (old or len(self._channels) > CHANNELS_MAX):
                    del self._channels[job_id]

    async def follow(self, job_id: str, last_id: int | None = None) -> AsyncGenerator[HubEvent]:
        """The events of a job that are newer than `last_id`, up to its final one.

        Raises:
            NonetError: `not_found`.
        """
        with self._lock:
            channel = self._channel(job_id)
            channel.followers += 1
            # An id that was never given comes from another server: begin from what is known here.
            seen = last_id if last_id is not None and last_id <= channel.last_id else 0
        try:
            first = True
            while not self._closed:
                waiter = _Waiter()
                with self._lock:
                    channel.waiting.add(waiter)
                    fresh = [event for event in channel.slots.values() if event.id > seen]
                    over = channel.ended is not None
                    mark = max(seen, channel.last_id)
                try:
                    if not over and not fresh and (first or self._poll is not None):
                        # After registering: what happens from here on wakes us.
                        fresh = await asyncio.to_thread(self._from_row, job_id, mark, first)
                    for event in fresh:
                        yield event
                        seen = max(seen, event.id)
                        if event.final:
                            return
                    if over and not fresh:
                        # It has seen the end already; say it again rather than leave it waiting.
                        yield next(reversed(channel.slots.values()))
                        return
                    first = False
                    if not fresh:
                        await self._wait(waiter)
                finally:
                    with self._lock:
                        channel.waiting.discard(waiter)
        finally:
            with self._lock:
                channel.followers -= 1
                if not channel.followers and not channel.slots:
                    self._channels.pop(job_id, None)

    async def _wait(self, waiter: _Waiter) -> None:
        try:
            await asyncio.wait_for(waiter.event.wait(), self._poll)
        except TimeoutError:
            return

    def _from_row(self, job_id: str, mark: int, first: bool) -> list[HubEvent]:
        """What a job's row tells: its end, or for a new follower where it stands.

        All of it has the id of the last event before the row was looked at: what is published meanwhile is newer.
        """
        job = self._look(job_id)
        told: list[tuple[str, dict[str, Any]]] = []
        if job.state == "queued" and self._place is not None and first:
            told.append(("place", place_data(self._place(job_id))))
        elif job.state == "drawing" and first:
            told.append(("started", {"notes": job.notes, "model": job.model}))
        if job.over or first:
            told += [("drawn", drawn_data(job.id, one.index, one.seed)) for one in job.pictures]
        if job.over:
            told.append(final_of(job))
        return [HubEvent(mark, kind, data) for kind, data in told]

    def _channel(self, job_id: str) -> _Channel:
        channel = self._channels.get(job_id)
        if channel is None:
            channel = self._channels[job_id] = _Channel(self._first_id)
        return channel

    @staticmethod
    def _forget(channel: _Channel, kinds: frozenset[str]) -> None:
        for slot in [slot for slot in channel.slots if slot[0] in kinds]:
            del channel.slots[slot]


def picture_url(job_id: str, index: int, suffix: str = "png") -> str:
    """The path of a picture on this site."""
    return f"/api/drawings/{job_id}/pictures/{index}.{suffix}"


def place_data(place: Place) -> dict[str, Any]:
    """A place as an event carries it."""
    eta = None if place.eta_seconds is None else round(place.eta_seconds, 1)
    return {"place": place.place, "eta_seconds": eta, "queued": place.queued}


def drawn_data(job_id: str, index: int, seed: int) -> dict[str, Any]:
    """A drawn picture as an event carries it."""
    return {"picture": index, "url": picture_url(job_id, index), "seed": seed}


def final_of(job: Job) -> tuple[str, dict[str, Any]]:
    """Kind and data of the event that ends a job."""
    if job.state == "drawn":
        return "done", {"pictures": len(job.pictures), "seconds": job.seconds}
    code, message, hint = job.error or (job.state if job.state != "failed" else "internal", "", "")
    kind = "cancelled" if job.state == "cancelled" else "failed"
    return kind, {"code": code, "message": message, "hint": hint}


def not_found() -> NonetError:
    """What is said of a job that is not there or not yours to see."""
    return NonetError("not_found", "There is no such drawing.", "Drawings are deleted after a while.")
