"""A drawing as the stream of events that OpenAI's Images API sends."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread
from PIL import Image

from nonet.errors import NonetError
from nonet.service.hub import HubEvent
from nonet.service.openai_schemas import SIZE, ImagesAsked, OutputFormat
from nonet.service.records import Job
from nonet.service.routes.pictures import picture_of
from nonet.service.routes.sse import followed, format_event
from nonet.service.services import Services
from nonet.service.shapes import openai_body, openai_status
from nonet.service.waiting import outcome

DONE = format_event("[DONE]")
_SIDE = int(SIZE.split("x")[0])


class ImageStream:
    """The events of one accepted request.

    Args:
        job: accepted, not over.
        asked: how it was asked for.
        keep: do not cancel it when the client goes away: who sent an idempotency key can ask again.
    """

    def __init__(self, services: Services, job: Job, asked: ImagesAsked, *, keep: bool = False) -> None:
        self._services = services
        self._job = job
        self._asked = asked
        self._keep = keep
        self._partials = asked.partial_images or 0
        self._sent: defaultdict[int, int] = defaultdict(int)
        self._share: dict[int, float] = {}
        self._completed: set[int] = set()

    async def events(self) -> AsyncIterator[bytes]:
        """Partial pictures, completed ones, an error if there is one, and `[DONE]`.

        A client that goes away cancels the drawing: nobody else knows of it.
        """
        over = False
        try:
            try:
                async with followed(self._services.hub, self._job.id) as events:
                    async for event in events:
                        for chunk in await self._chunks(event):
                            yield chunk
                over = True
                for chunk in await self._rest():
                    yield chunk
            except NonetError as error:
                over = True
                yield format_event(
                    {"type": "error", **openai_body(error, openai_status(error.code))}, kind="error"
                )
            yield DONE
        finally:
            if not over and not self._keep:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._services.jobs.cancel, self._job.id, None)

    async def _chunks(self, event: HubEvent) -> list[bytes]:
        picture = event.data.get("picture")
        if not isinstance(picture, int) or picture >= self._job.request.count:
            return []
        if event.kind == "progress":
            self._share[picture] = event.data["done"] / event.data["total"]
        elif event.kind == "partial" and self._is_due(picture):
            return [await anyio.to_thread.run_sync(self._partial, picture, event.data["webp"])]
        elif event.kind == "drawn":
            return await anyio.to_thread.run_sync(self._finished, {picture})
        return []

    def _is_due(self, picture: int) -> bool:
        """Whether the picture has come far enough for its next partial: k of them at the k + 1st parts of it."""
        sent = self._sent[picture]
        due = (sent + 1) / (self._partials + 1)
        return sent < self._partials and self._share.get(picture, 0.0) >= due

    async def _rest(self) -> list[bytes]:
        """The pictures that were not sent yet.

        Raises:
            NonetError: the drawing's own.
        """
        job = outcome(await anyio.to_thread.run_sync(self._services.jobs.get, self._job.id))
        return await anyio.to_thread.run_sync(self._finished, {picture.index for picture in job.pictures})

    def _finished(self, wanted: set[int]) -> list[bytes]:
        job = self._services.jobs.get(self._job.id)
        chunks = []
        for picture in job.pictures:
            if picture.index in wanted - self._completed:
                self._completed.add(picture.index)
                file = picture_of(
                    self._services, job, picture.index, self._asked.file, quality=self._asked.file_quality
                )
                # OpenAI's client has the field; only its own models count tokens.
                chunks.append(self._event("completed", picture.index, file, job, usage=None))
        return chunks

    def _partial(self, picture: int, webp: str) -> bytes:
        number = self._sent[picture]
        self._sent[picture] += 1
        small = Image.open(io.BytesIO(base64.b64decode(webp))).convert("RGB")
        stream = io.BytesIO()
        small.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).save(stream, self._asked.format)
        return self._event("partial_image", picture, stream.getvalue(), self._job, partial_image_index=number)

    def _event(self, name: str, picture: int, file: bytes, job: Job, **more: Any) -> bytes:
        kind = f"image_generation.{name}"
        output: OutputFormat = self._asked.format
        data = {
            "type": kind,
            "b64_json": base64.b64encode(file).decode(),
            "created_at": int((job.ended or job.started or job.created).timestamp()),
            "size": SIZE,
            "quality": "auto",
            "background": "opaque",
            "output_format": output,
            "image_index": picture,
            **more,
        }
        return format_event(data, kind=kind)
