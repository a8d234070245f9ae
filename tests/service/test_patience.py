"""Connections that keep the server waiting."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from starlette.types import Receive, Scope, Send

from live_server import served
from nonet.service.patience import HEADER_BYTES, protocol_class

# Twice the largest send and receive buffers that a kernel gives a socket here.
LARGE = 16 << 20


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"keep-alive")]})
    size = LARGE if scope["path"] == "/large" else 2
    await send({"type": "http.response.body", "body": b"x" * size})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served(app, header_seconds=0.5, reader_seconds=0.5) as url:
        yield _place(url)


def closed_after(connection: socket.socket, *, keep_sending: bytes = b"") -> float:
    """Seconds until the server closes the connection."""
    begun = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - begun < 20:
        try:
            if keep_sending:
                connection.send(keep_sending)
            if not connection.recv(65_536):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


def test_headers_that_never_end_are_not_waited_for(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        # One header byte at a time keeps no connection open.
        assert closed_after(connection, keep_sending=b"a") < 10


def test_a_connection_that_says_nothing_is_not_waited_for(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        assert closed_after(connection) < 10


def test_the_second_request_of_a_connection_has_no_more_time(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in connection.recv(65_536)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert closed_after(connection, keep_sending=b"a") < 10


def test_a_connection_that_says_next_to_nothing_after_a_request_is_not_kept(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in connection.recv(65_536)
        connection.sendall(b"\r\n")
        assert closed_after(connection) < 10


def test_headers_have_a_length() -> None:
    """Not only a time: here they would be waited for much longer than the test takes."""
    with served(app, header_seconds=60) as url, socket.create_connection(_place(url)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        # No more than is too long, so that all of it is read and the answer is not lost to a reset.
        connection.sendall(
            b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(HEADER_BYTES // 1000 + 2))
        )
        connection.settimeout(10)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400")
        assert closed_after(connection) < 10


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def test_a_body_is_no_headers_and_may_come_late(address: tuple[str, int]) -> None:
    """The app answers without reading it; then the connection serves the next request."""
    with socket.create_connection(address) as connection:
        connection.settimeout(10)
        size = 4 * HEADER_BYTES
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        assert b"200" in _answer(connection)
        for _ in range(4):
            time.sleep(0.3)
            connection.sendall(b"x" * (size // 4))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in _answer(connection)


def _answer(connection: socket.socket) -> bytes:
    """All of one: it may come in several pieces."""
    got = b""
    while not got.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.recv(65_536)
        assert piece, got
        got += piece
    return got


def test_a_reader_that_takes_nothing_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2)
        got = 0
        connection.settimeout(10)
        try:
            while piece := connection.recv(1 << 20):
                got += len(piece)
        except OSError:
            pass  # reset
        assert got < LARGE


def test_answers_are_not_held_back_until_the_client_acknowledges(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[int] = []

    def observed(header_seconds: float, reader_seconds: float) -> type[asyncio.Protocol]:
        base: Any = protocol_class(header_seconds, reader_seconds)

        class Observed(base):  # type: ignore[misc]
            def data_received(self, data: bytes) -> None:
                connection = self.transport.get_extra_info("socket")
                options.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                super().data_received(data)

        return Observed

    monkeypatch.setattr("live_server.protocol_class", observed)
    with served(app) as url, urlopen(url) as answer:
        assert answer.status == 200
    assert options
    assert all(options)


def test_whoever_reads_gets_everything_and_the_connection_stays(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.settimeout(30)
        for _ in range(2):
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            got = 0
            while got < LARGE:
                piece = connection.recv(1 << 20)
                assert piece
                got += len(piece)
            time.sleep(0.7)  # longer than headers may take, shorter than an idle connection is kept
