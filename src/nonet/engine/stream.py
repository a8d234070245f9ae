"""The events of one request, handed from the engine's thread to whoever reads them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from nonet.engine.events import Done, Event, Failed
from nonet.engine.request import DrawRequest

# Waiting in short pieces, because on some systems Ctrl-C does not interrupt a wait without an end.
_PIECE_SECONDS = 0.2


class DrawStream:
    """Iterate over it, plainly or with `async for`, to get the events up to `Done` or `Failed`.

    It may be read and cancelled from any thread. As a context it cancels what is not finished when it is
    left.

    Attributes:
        request: as it was submitted.
    """

    def __init__(self, request: DrawRequest, on_cancel: Callable[[], None] = lambda: None) -> None:
        self.request = request
        self._on_cancel = on_cancel
        self._ready = threading.Condition()
        self._events: deque[Event] = deque()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._ended = False
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called before the end."""
        return self._cancelled

    @property
    def ended(self) -> bool:
        """Whether the last event was sent; it may not have been read yet."""
        return self._ended

    def cancel(self) -> None:
        """Stop drawing at the next token; the stream then ends with `Failed("cancelled")`.

        After the end this does nothing.
        """
        with self._ready:
            if self._ended or self._cancelled:
                return
            self._cancelled = True
        self._on_cancel()

    def send(self, *events: Event) -> None:
        """Add events, waking who waits only once; the engine's side. After `Done` or `Failed` nothing more is taken."""
        with self._ready:
            if self._ended:
                return
            for event in events:
                self._events.append(event)
                self._ended = isinstance(event, Done | Failed)
                if self._ended:
                    break
            waiting, self._waiting = self._waiting, []
            self._ready.notify_all()
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                # The loop was closed meanwhile; nobody waits there any more.
                continue

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        with self._ready:
            while not self._events:
                if self._ended:
                    raise StopIteration
                self._ready.wait(_PIECE_SECONDS)
            return self._events.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            with self._ready:
                if self._events:
                    return self._events.popleft()
                if self._ended:
                    raise StopAsyncIteration
                loop = asyncio.get_running_loop()
                future = loop.create_future()
                self._waiting.append((loop, future))
            await future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
