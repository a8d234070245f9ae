"""The web server around the app: listens, and on SIGTERM ends in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from nonet.errors import NonetError
from nonet.service import views
from nonet.service.app import create_app
from nonet.service.logs import get_logger
from nonet.service.metrics import Metrics
from nonet.service.patience import protocol_class
from nonet.service.settings import Settings
from nonet.service.site import Site

CLOSE_SECONDS = 3
"""So long open connections may take to end after everything else has."""
LAG_SECONDS = 0.1
THREADS = 100
_log = get_logger("server")


def listen(settings: Settings) -> socket.socket:
    """The listening socket.

    Raises:
        NonetError: `config_invalid` if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise NonetError(
            "config_invalid",
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}.",
            "Choose another with --host and --port.",
        ) from None
    listening.listen(1024)
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn that closes the site's doors at the first signal and ends when running drawings have.

    Status and events are still answered meanwhile, so whoever waits for a running drawing gets it. A second signal
    ends at once.
    """

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site
        self._asked = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        self._asked += 1
        if self._asked > 1:
            self.should_exit = self.force_exit = True
            return
        self._site.close_doors()
        # Not here: a signal handler runs between two instructions of the event loop.
        threading.Thread(target=self._drain, name="nonet-drain", daemon=True).start()

    def _drain(self) -> None:
        _log.info("draining", seconds=self._site.settings.drain_seconds)
        try:
            self._site.drain(self._site.settings.drain_seconds)
        finally:
            self._site.services.hub.close()
            self.should_exit = True


async def _probe(metrics: Metrics) -> None:
    """Measure how late the loop runs."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LAG_SECONDS)
        metrics.loop_lag.observe(max(0.0, time.perf_counter() - began - LAG_SECONDS))


def _lifespan(site: Site) -> Callable[[FastAPI], AsyncIterator[None]]:
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # More than the writers and judges that may be waiting together, so that reading never waits for them.
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        probe = asyncio.create_task(_probe(site.services.metrics))
        yield
        probe.cancel()

    return lifespan


def app_of(site: Site) -> FastAPI:
    """The app of a site, with the probe of the event loop."""
    app = create_app(site.services)
    app.router.lifespan_context = asynccontextmanager(_lifespan(site))
    return app


def keep_loaded(site: Site) -> None:
    """Load what the first requests need, and take what is loaded out of the garbage collector's rounds.

    There are 200,000 objects of it, and to go through them takes a tenth of a second, in which nothing is answered.
    """
    views.warm_up()
    site.warmed_up.wait()
    gc.collect()
    gc.freeze()


def serve(settings: Settings, *, announce: Callable[[str], None] = lambda address: None) -> None:
    """Run the site until a signal ends it.

    Args:
        settings: all settings.
        announce: called with the address when it is answered there.

    Raises:
        NonetError: if it cannot start.
    """
    listening = listen(settings)
    try:
        site = Site(settings)
    except BaseException:
        listening.close()
        raise
    config = uvicorn.Config(
        app_of(site),
        http=protocol_class(),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        proxy_headers=False,
    )
    server = Server(config, site)
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        site.start()
        threading.Thread(target=keep_loaded, args=(site,), name="nonet-keep-loaded", daemon=True).start()
        announce(address_of(listening))
        server.run(sockets=[listening])
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
        site.stop()
        listening.close()
