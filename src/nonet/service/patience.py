"""Connections that keep the server waiting are closed, and none is kept waiting by the server.

uvicorn waits for ever for the rest of a request's headers, and for ever for a reader that takes nothing more of
its answer: a few hundred such connections (a "slow loris") hold every file descriptor there is. The time for
bodies is `bodies.BodyLimits`' matter.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

HEADER_BYTES = 32_768
HEADER_SECONDS = 10.0
READER_SECONDS = 60.0


def protocol_class(
    header_seconds: float = HEADER_SECONDS, reader_seconds: float = READER_SECONDS
) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol with less patience, for `uvicorn.Config(http=...)`.

    The one whose parser is in C: that of uvicorn's in Python takes a millisecond a request.

    Args:
        header_seconds: how long the headers of a request may take, from the connection or their first byte.
        reader_seconds: how long a reader may take nothing while more than the socket's buffers hold waits for
            it.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    base: Any = HttpToolsProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        _header_timer: asyncio.TimerHandle | None = None
        _reader_timer: asyncio.TimerHandle | None = None
        # Where the parser is: in the headers of a request, in its body, and whether it came any further.
        _in_headers = _in_body = _further = False
        _header_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            # asyncio does so only if the listening socket was made for TCP by name. Without it the second packet of
            # an answer waits 40 ms for the client to acknowledge the first.
            connection = transport.get_extra_info("socket")
            if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wait_for_headers()

        def data_received(self, data: bytes) -> None:
            self._further = False
            super().data_received(data)
            if self._in_body or (self._further and not self._in_headers):
                return
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
                self.send_400_response("The headers are too long.")
            self._wait_for_headers()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_headers = True

        def on_headers_complete(self) -> None:
            self._in_headers, self._in_body, self._further = False, True, True
            self._header_bytes = 0
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._in_body, self._further = False, True
            super().on_message_complete()

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
            if self.cycle is not None and not self.cycle.response_complete:
                self._wait_for_headers()  # its client still gets the answer to the request before
            elif not self.transport.is_closing():
                self.transport.abort()

    return PatientProtocol
