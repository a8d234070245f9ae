from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nonet.data.fetch import adopt, cache_folder, downloaded, fetch, unpacked, version_in_cache
from nonet.data.sources import SOURCES, Source, source_named
from nonet.errors import NonetError

CONTENT = b"a package"
SOURCE = Source(
    "things", "npm", "@tests/things", "1.2.3", hashlib.sha256(CONTENT).hexdigest(), "MIT", True, "nobody", 0.1
)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Puts a shell script in front of a real client; it notes its arguments in `calls`."""

    def install(name: str, script: str) -> Path:
        folder, calls = tmp_path / "bin", tmp_path / "calls"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return calls

    return install


def test_a_package_is_fetched_once(tmp_path: Path, client) -> None:  # type: ignore[no-untyped-def]
    calls = client("npm", "printf 'a package' > things.tgz")
    seen = []
    cache = tmp_path / "cache"
    files = fetch([SOURCE], cache, lambda name, done, total: seen.append((name, done, total)))
    assert files["things"].read_bytes() == CONTENT
    assert seen == [("things", 0, 1), ("", 1, 1)]
    assert calls.read_text() == "pack --silent @tests/things@1.2.3\n"
    fetch([SOURCE], cache)
    assert len(calls.read_text().splitlines()) == 1
    assert version_in_cache(SOURCE, cache) == SOURCE.sha256


def test_a_file_without_a_seal_is_checked_before_it_counts(tmp_path: Path, client) -> None:  # type: ignore[no-untyped-def]
    calls = client("npm", "printf 'a package' > things.tgz")
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "things-partial.tgz").write_bytes(CONTENT[:4])
    assert downloaded(SOURCE, tmp_path) is None
    fetch([SOURCE], tmp_path)
    assert len(calls.read_text().splitlines()) == 1
    assert downloaded(SOURCE, tmp_path) is not None


def test_a_package_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "things-1.2.3.tgz").write_bytes(CONTENT)
    # Would fail: there is no such package to fetch.
    assert fetch([SOURCE], tmp_path)["things"].read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path: Path, client) -> None:  # type: ignore[no-untyped-def]
    client("npm", "printf 'another thing' > things.tgz")
    with pytest.raises(NonetError) as caught:
        fetch([SOURCE], tmp_path)
    assert caught.value.code == "fetch_failed"
    assert "checksum" in caught.value.message
    assert list((tmp_path / "downloads").iterdir()) == []


def test_another_version_of_a_debian_package_is_taken_with_a_warning(tmp_path: Path) -> None:
    source = replace(SOURCE, kind="apt")
    file = tmp_path / "things_2.deb"
    file.write_bytes(b"a newer package")
    with pytest.warns(UserWarning, match=r"not the recorded version 1\.2\.3"):
        path = adopt(source, file, tmp_path)
    assert downloaded(source, tmp_path) == path
    assert version_in_cache(source, tmp_path) == hashlib.sha256(b"a newer package").hexdigest()


def test_the_mirror_s_version_is_asked_for_when_the_recorded_one_is_gone(tmp_path: Path, client) -> None:  # type: ignore[no-untyped-def]
    calls = client(
        "apt-get",
        "case \"$2\" in *=*) echo \"E: Version '1.2.3' for 'things' was not found\" >&2; exit 100;; esac\n"
        "printf 'a package' > things_9.deb",
    )
    fetch([replace(SOURCE, kind="apt", package="things")], tmp_path)
    assert calls.read_text().splitlines() == ["download things=1.2.3", "download things"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'npm error network is down' >&2; exit 1", "network is down"),
        ("exit 3", "exit status 3"),
        ("true", "no file"),
    ],
)
def test_a_client_s_failure_says_why_and_what_next(tmp_path: Path, client, script: str, words: str) -> None:  # type: ignore[no-untyped-def]
    client("npm", script)
    with pytest.raises(NonetError) as caught:
        fetch([SOURCE], tmp_path)
    assert caught.value.code == "fetch_failed"
    assert words in caught.value.message
    assert "npm" in caught.value.hint


def test_a_missing_client_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NonetError, match="not installed"):
        fetch([SOURCE], tmp_path)


def test_unpacking_what_was_not_fetched_is_told(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        unpacked("openclipart", tmp_path)
    assert caught.value.code == "data_missing"


def test_the_cache_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NONET_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("NONET_CACHE")
    assert cache_folder().name == "nonet"


def test_the_table_is_sound() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    assert all(len(source.sha256) == 64 and source.licence and source.attribution for source in SOURCES)
    assert source_named("openclipart").permissive
    with pytest.raises(KeyError):
        source_named("unknown")
