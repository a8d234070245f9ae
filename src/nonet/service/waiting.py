"""Waiting for a drawing's end, for APIs that answer with the pictures."""

from __future__ import annotations

import asyncio
import contextlib

import anyio.to_thread
from fastapi import Request

from nonet.errors import NonetError
from nonet.service.errors import OverloadedError
from nonet.service.hub import Hub
from nonet.service.records import Job
from nonet.service.routes.sse import followed
from nonet.service.services import Services

WAIT_SECONDS = 590.0
"""Just under the ten minutes after which the clients of these APIs give up."""


async def finished(services: Services, job: Job, request: Request, *, keep: bool = False) -> Job:
    """The job when it has been drawn.

    A client that goes away can never get the pictures of these APIs, so its job is cancelled; so is one that
    takes too long.

    Args:
        keep: do not cancel it: who sent an idempotency key can ask again.

    Raises:
        NonetError: with the job's own code when it failed; `cancelled`; `unavailable` when it takes too long.
    """
    end = asyncio.create_task(_end(services.hub, job.id))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({end, gone}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not end.done():
            if not keep:
                await anyio.to_thread.run_sync(services.jobs.cancel, job.id, None)
            if gone.done():
                raise NonetError("cancelled", "The client went away before its drawing was done.")
            raise OverloadedError("unavailable", "The drawing was not done in time.", retry_after=60)
        end.result()  # its error, if it had one
    finally:
        for task in (end, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    return outcome(await anyio.to_thread.run_sync(services.jobs.get, job.id))


def outcome(job: Job) -> Job:
    """The job, if it was drawn.

    Raises:
        NonetError: with its own code when it ended otherwise; `unavailable` when it has not ended, which is so
            when the server ends first.
    """
    if job.state == "drawn":
        return job
    if not job.over:
        raise OverloadedError("unavailable", "The server is being restarted.", "Ask again.", retry_after=5)
    if job.error is not None:
        raise NonetError(*job.error)
    raise NonetError("cancelled" if job.state == "cancelled" else "expired", "The drawing was not drawn.")


async def _end(hub: Hub, job_id: str) -> None:
    async with followed(hub, job_id) as events:
        async for _ in events:
            pass


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
