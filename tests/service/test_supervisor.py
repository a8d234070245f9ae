"""The engine's process: raise, hang, NaN and death hurt only whom they must, and it is replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import service_fakes
from nonet.engine.request import DrawRequest
from nonet.service.records import Caller, Job
from nonet.service.services import Services
from nonet.service.site import Site
from service_fakes import until

ANN = Caller("ip:ann")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with service_fakes.running(folder, hang_seconds=1.0, attempts=3) as running:
        yield running


@pytest.fixture
def services(site: Site) -> Services:
    """One site for all, because starting an engine takes seconds; each test begins with a ready one."""
    until(lambda: site.services.ready)
    for supervisor in site.services.engines.supervisors:
        supervisor.ends.clear()
    return site.services


def ask(services: Services, prompt: str, caller: Caller = ANN, count: int = 2) -> str:
    return services.jobs.submit(DrawRequest(prompt=prompt, count=count), caller=caller, api="native").id


def ended(services: Services, id: str, seconds: float = 30.0) -> Job:
    until(lambda: services.jobs.get(id).over, seconds)
    return services.jobs.get(id)


def started(services: Services, *ids: str) -> None:
    until(lambda: all(services.jobs.get(id).state == "drawing" for id in ids))


def test_it_is_ready_only_when_it_has_drawn(services: Services) -> None:
    assert services.engines.state == "ready"
    assert services.engines.model == "fake"
    assert services.engines.pids not in ([], [os.getpid()])


@pytest.mark.parametrize(("prompt", "code"), [("raise", "internal"), ("nan", "model_failed")])
def test_a_failure_is_that_drawings_alone_and_the_process_is_replaced(
    services: Services, prompt: str, code: str
) -> None:
    first = services.engines.pids
    other = ask(services, "pause=0.2 a cat", Caller("ip:bob"), count=5)
    started(services, other)
    began = time.monotonic()
    bad = ended(services, ask(services, prompt))
    assert time.monotonic() - began < 5
    assert bad.state == "failed"
    assert bad.error is not None
    assert bad.error[0] == code
    assert bad.pictures == []
    assert not services.ready, "what failed once is not trusted with more"
    assert ended(services, other).state == "drawn"
    until(lambda: services.ready)
    assert services.engines.pids != first
    assert services.engines.ends == {"retired": 1}
    assert ended(services, ask(services, "a dog")).state == "drawn"


def test_a_hang_is_noticed_and_told_within_a_second(services: Services) -> None:
    first = services.engines.pids
    bad = ask(services, "hang")
    started(services, bad)
    began = time.monotonic()
    job = ended(services, bad)
    seconds = time.monotonic() - began
    assert job.error is not None
    assert job.error[0] == "model_failed"
    assert seconds < services.settings.hang_seconds + 4
    until(lambda: services.ready)
    assert services.engines.pids != first
    assert services.engines.ends == {"hung": 1}


def test_of_several_only_the_one_that_hangs_fails(services: Services) -> None:
    services.set_state(paused=True)
    good = [ask(services, "slow a cat", Caller(f"ip:{number}"), count=1) for number in range(2)]
    bad = ask(services, "hang")
    good += [ask(services, "slow a dog", Caller(f"ip:{number}"), count=1) for number in range(2)]
    services.set_state(paused=False)
    assert ended(services, bad, 60).state == "failed"
    assert [ended(services, id, 60).state for id in good] == ["drawn"] * 4


def test_who_meets_an_engine_that_hung_in_a_cancelled_drawing_is_not_to_blame(services: Services) -> None:
    bad = ask(services, "hang", count=1)
    started(services, bad)
    # The fake engine's drawings do not hold each other up, so its process is stopped instead.
    assert services.engines.pids
    os.kill(services.engines.pids[0], signal.SIGSTOP)
    services.jobs.cancel(bad, ANN)
    good = ended(services, ask(services, "a cat"), 60)
    assert good.state == "drawn"
    assert good.losses == 1
    assert services.engines.ends == {"hung": 1}


def test_a_killed_engine_loses_nothing(services: Services) -> None:
    ids = [ask(services, "pause=0.3 a cat", Caller(f"ip:{number}")) for number in range(4)]
    started(services, *ids)
    assert services.engines.pids
    os.kill(services.engines.pids[0], signal.SIGKILL)
    jobs = [ended(services, id) for id in ids]
    assert [job.state for job in jobs] == ["drawn"] * 4
    assert [len(job.pictures) for job in jobs] == [2] * 4
    assert {job.losses for job in jobs} == {1}
    assert services.engines.ends["died"] == 1


def test_what_kills_every_engine_is_given_up_and_takes_nobody_along(services: Services) -> None:
    bad = ask(services, "pause=0.1 die")
    good = [ask(services, "pause=0.3 a cat", Caller(f"ip:{number}")) for number in range(3)]
    job = ended(services, bad, 60)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error[0] == "model_failed"
    assert job.losses == 3
    assert [ended(services, id, 60).state for id in good] == ["drawn"] * 3


def test_a_cancelled_drawing_stops(services: Services) -> None:
    id = ask(services, "slow a cat", count=9)
    started(services, id)
    services.jobs.cancel(id, ANN)
    until(lambda: not services.engines.flying())
    assert services.jobs.get(id).state == "cancelled"
    assert services.jobs.get(id).pictures == []
    assert services.ready, "nothing was wrong with the engine"


def test_the_engine_ends_with_the_site(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path) as site:
        (pid,) = site.services.engines.pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_model_that_cannot_be_loaded_is_said_and_tried_again(tmp_path: Path) -> None:
    with service_fakes.running(tmp_path, model="unloadable", wait=False) as site:
        engines = site.services.engines
        problem = until(lambda: engines.problem)
        assert problem[0] == "model_failed"
        assert "no such weights" in problem[1]
        assert engines.state == "failed"
        assert not site.services.ready
        until(lambda: engines.starts >= 2)
        # Drawings wait rather than fail: the operator can mend it.
        id = ask(site.services, "a cat")
        assert site.services.jobs.get(id).state == "queued"


def test_the_web_process_never_loads_torch(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys, pathlib, service_fakes\n"
        "from nonet.service.server import app_of\n"
        "from nonet.service.site import Site\n"
        "site = Site(service_fakes.settings(pathlib.Path(sys.argv[1]), invisible_mark=True))\n"
        "app_of(site)\n"
        "site.start()\n"
        "site.services.policy.check('a cat on the moon', level='strict')\n"
        "site.stop()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [service_fakes.PYTHON, "-c", code, str(tmp_path)],
        env=service_fakes.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
