"""The event loop is never held: no `async def` that does not await, and a probe of its lateness under load."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import httpx
import pytest

import service_fakes
from live_server import served
from nonet.engine.request import DrawRequest
from nonet.service.records import Caller
from nonet.service.server import app_of
from nonet.service.site import Site
from service_fakes import until

ROUTES = Path(__file__).resolve().parents[2] / "src" / "nonet" / "service" / "routes"
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def never_wait(source: str) -> list[str]:
    """Names of the `async def`s that hold the loop from their beginning to their end.

    What an inner function awaits does not count: it is another coroutine.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.AsyncFunctionDef):
            continue
        inner = {
            below
            for child in ast.walk(node)
            if child is not node and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for below in ast.walk(child)
        }
        own = [below for below in ast.walk(node) if below not in inner]
        # A generator is read by who awaits it, but it must give way itself all the same.
        if not any(isinstance(below, WAITS) or getattr(below, "is_async", 0) for below in own):
            found.append(node.name)
    return found


def test_the_rule_sees_what_it_must() -> None:
    assert never_wait("async def a():\n    return open('x').read()\n") == ["a"]
    assert never_wait("async def a():\n    await b()\n") == []
    assert never_wait("async def a():\n    async for x in b():\n        yield x\n") == []
    assert never_wait("async def a():\n    return [x async for x in b()]\n") == []
    assert never_wait("async def a():\n    async def b():\n        await c()\n    return b\n") == ["a"]
    assert never_wait("def a():\n    return 1\n") == []


@pytest.mark.parametrize("path", sorted(ROUTES.rglob("*.py")), ids=lambda path: path.name)
def test_async_routes_await(path: Path) -> None:
    assert never_wait(path.read_text(encoding="utf-8")) == [], (
        f"{path.name}: write `def`, then it runs in a thread"
    )


def test_what_is_looked_at_most_needs_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished drawing that was looked at within the last second."""

    async def no_thread(*_: object, **__: object) -> None:
        raise RuntimeError("it asked for a thread")

    with (
        service_fakes.running(tmp_path) as site,
        served(app_of(site)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        jobs = site.services.jobs
        id = jobs.submit(DrawRequest(prompt="a cat", count=1), caller=Caller("ip:a"), api="native").id
        until(lambda: jobs.get(id).state == "drawn")
        assert jobs.get(id).state == "drawn"
        looks = [f"/d/{id}", f"/api/drawings/{id}"]
        with monkeypatch.context() as patch:
            # Not by the clock: this machine may be slow.
            patch.setattr("nonet.service.lately.SECONDS", 600.0)
            patch.setattr("anyio.to_thread.run_sync", no_thread)
            assert [client.get(path).status_code for path in looks] == [200, 200]
            assert client.get("/api/drawings/unknown").status_code == 500
        jobs.hide(id)
        assert [client.get(path).status_code for path in looks] == [404, 404]
        assert jobs.lately.find(id) is not None
        assert [client.get(path).status_code for path in looks] == [404, 404]


def test_every_route_of_the_app_is_async_only_if_it_awaits(tmp_path: Path) -> None:
    import inspect

    from fastapi.routing import APIRoute

    site = Site(service_fakes.settings(tmp_path), policy=service_fakes.policy())
    for route in app_of(site).routes:
        if isinstance(route, APIRoute) and inspect.iscoroutinefunction(route.endpoint):
            source = inspect.cleandoc("\n" + inspect.getsource(route.endpoint))
            assert never_wait(source[source.index("async def") :]) == [], route.path
    site.stop()


def test_the_loop_stays_quick_while_much_is_going_on(tmp_path: Path) -> None:
    """Drawing, encoding, hashing, SQL and a crowd that asks: the loop is late by little, and nobody by seconds."""
    lags: list[float] = []
    with service_fakes.running(tmp_path, queue_max=500, safety="strict") as site:
        app = app_of(site)
        stop = threading.Event()

        async def probe() -> None:
            import asyncio

            while not stop.is_set():
                began = time.perf_counter()
                await asyncio.sleep(0.02)
                lags.append(time.perf_counter() - began - 0.02)

        @app.get("/probe")
        async def start_probe() -> dict[str, bool]:
            import asyncio

            app.state.probe = asyncio.create_task(probe())
            await asyncio.sleep(0)
            return {"ok": True}

        with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
            client.get("/probe")
            ids = [
                site.services.jobs.submit(
                    DrawRequest(prompt="pause=0.02 a cat", count=9),
                    caller=Caller(f"ip:{n % 5}"),
                    api="native",
                ).id
                for n in range(20)
            ]

            def crowd() -> None:
                with httpx.Client(base_url=url, timeout=30) as one:
                    for number in range(25):
                        one.get(f"/api/drawings/{ids[number % 20]}")
                        one.post("/api/drawings", json={"prompt": f"a dog number {number}", "count": 1})

            threads = [threading.Thread(target=crowd) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            until(lambda: all(site.services.jobs.get(id).state == "drawn" for id in ids))
            sheet = client.get(f"/api/drawings/{ids[0]}/sheet.png")
            assert sheet.status_code == 200
            stop.set()
            client.get("/healthz")
    lags.sort()
    assert len(lags) > 20
    # Bounds for a machine that does other things too. A route that held the loop while it drew a sheet or waited for
    # a lock would show in the median.
    assert lags[len(lags) // 2] < 0.05, f"median {lags[len(lags) // 2]:.3f} s"
    assert lags[int(len(lags) * 0.99)] < 1.0, f"p99 {lags[int(len(lags) * 0.99)]:.3f} s"
