"""What the doctor finds, and that it mends it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

import service_fakes
from nonet.cli import main
from nonet.engine.request import DrawRequest
from nonet.errors import NonetError
from nonet.service.database import Database
from nonet.service.doctor import examine
from nonet.service.records import Caller
from nonet.service.settings import Settings
from nonet.service.site import Site
from nonet.service.store import Store
from service_fakes import until


def over(site: Site, id: str) -> bool:
    return site.services.jobs.get(id).over


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder with two drawings."""
    folder = tmp_path_factory.mktemp("healthy")
    with service_fakes.running(folder) as site:
        jobs = site.services.jobs
        for _ in range(2):
            job = jobs.submit(DrawRequest(prompt="a cat", count=2), caller=Caller("ip:ann"), api="native")
            until(partial(over, site, job.id))
    return folder / "site"


@pytest.fixture
def settings(healthy: Path, tmp_path: Path) -> Settings:
    import shutil

    shutil.copytree(healthy, tmp_path / "site")
    return Settings(data=tmp_path / "site")


def kinds(settings: Settings, *, mend: bool = False) -> list[str]:
    return [finding.kind for finding in examine(settings, mend=mend)]


def run(settings: Settings, sql: str) -> None:
    database = Database(settings.database_url)
    with database.write() as session:
        session.execute(text(sql))
    database.close()


def test_a_healthy_site(settings: Settings) -> None:
    assert kinds(settings) == []
    assert len(list(Store(settings.store_url).keys())) == 4


def test_bytes_without_a_picture(settings: Settings) -> None:
    key = Store(settings.store_url).put(b"nobody's", ".png")
    assert kinds(settings) == ["orphan"]
    assert key in examine(settings)[0].about
    assert kinds(settings, mend=True) == ["orphan"]
    assert kinds(settings) == []
    assert len(list(Store(settings.store_url).keys())) == 4


def test_a_picture_without_bytes(settings: Settings) -> None:
    store = Store(settings.store_url)
    store.delete(next(store.keys()))
    assert kinds(settings) == ["missing"]
    assert kinds(settings, mend=True) == ["missing"]
    assert kinds(settings, mend=True) == []
    database = Database(settings.database_url)
    with database.read() as session:
        states = session.execute(text("SELECT state FROM drawings ORDER BY state")).scalars().all()
    database.close()
    assert states == ["drawn", "failed"]


def test_drawings_that_a_dead_server_holds(settings: Settings) -> None:
    run(settings, "UPDATE drawings SET state = 'drawing', worker = 'dead' WHERE seq = 1")
    assert kinds(settings) == ["stuck"]
    assert kinds(settings, mend=True) == ["stuck"]
    assert kinds(settings) == []


def test_leftovers(settings: Settings) -> None:
    (settings.data / "pictures" / "parts" / "half").write_bytes(b"x")
    assert kinds(settings) == ["leftover"]
    kinds(settings, mend=True)
    assert kinds(settings) == []


def test_a_damaged_database(settings: Settings) -> None:
    path = settings.data / "nonet.sqlite"
    Database(settings.database_url).close()
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    assert kinds(settings) == ["database"]


def test_tables_of_no_version(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    settings = Settings(data=tmp_path / "site")
    assert kinds(settings) == ["database"]
    assert kinds(settings, mend=True) == ["database"]
    assert kinds(settings) == []


def test_not_while_the_site_runs_and_not_without_one(tmp_path: Path) -> None:
    with pytest.raises(NonetError, match="no site"):
        examine(Settings(data=tmp_path / "nothing"))
    site = Site(service_fakes.settings(tmp_path), policy=service_fakes.policy())
    with pytest.raises(NonetError, match="Another nonet"):
        examine(Settings(data=tmp_path / "site"))
    site.stop()


def test_the_command(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(settings.data)
    assert main(["doctor", "--data", folder]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out
    Store(settings.store_url).put(b"nobody's", ".png")
    assert main(["doctor", "--data", folder, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["kind"] == "orphan"
    assert main(["doctor", "--data", folder, "--mend"]) == 0
    assert "(mended)" in capsys.readouterr().out
    assert main(["doctor", "--data", folder]) == 0
