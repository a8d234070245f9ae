"""Connections that keep the server waiting are closed, and none is kept waiting by the server.

uvicorn waits for ever for the rest of a request's headers, and for ever for a reader that takes nothing more of
its answer: a few hundred such connections (a "slow loris") hold every file descriptor there is. The time for
bodies is `bodies.BodyLimits`' matter.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

HEADER_SECONDS = 10.0
READER_SECONDS = 60.0


def protocol_class(
    header_seconds: float = HEADER_SECONDS, reader_seconds: float = READER_SECONDS
) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol with less patience, for `uvicorn.Config(http=...)`.

    Args:
        header_seconds: how long the headers of a request may take, from the connection or their first byte.
        reader_seconds: how long a reader may take nothing while more than the socket's buffers hold waits for
            it.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        _header_timer: asyncio.TimerHandle | None = None
        _reader_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            # asyncio does so only if the listening socket was made for TCP by name. Without it the second packet of
            # an answer waits 40 ms for the client to acknowledge the first.
            connection = transport.get_extra_info("socket")
            if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wait_for_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._wait_for_headers()
            elif self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._reader_timer is None:
                self._reader_timer = self.loop.call_later(reader_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._reader_timer is not None:
                self._reader_timer.cancel()
                self._reader_timer = None

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._header_timer, self._reader_timer):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def _wait_for_headers(self) -> None:
            # Not set anew for each byte: one header byte every nine seconds is what this is against.
            if self._header_timer is None:
                self._header_timer = self.loop.call_later(header_seconds, self._out_of_patience)

        def _out_of_patience(self) -> None:
            self._header_timer = None
            if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
                self.transport.abort()

    return PatientProtocol
