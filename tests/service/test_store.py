"""The store: whole or not there, in a folder and in S3."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nonet.errors import NonetError
from nonet.service.store import Store


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a real S3 server of our own."""
    import boto3  # type: ignore[import-untyped]
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="pictures")
    yield url
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    url = request.getfixturevalue("s3")
    prefix = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    return Store(
        f"s3://pictures/{prefix}", endpoint_url=url, key="test", secret="test", skip_instance_cache=True
    )


def test_bytes_come_back_under_the_hash_of_themselves(store: Store) -> None:
    key = store.put(b"nine cats", ".png")
    assert key.replace("/", "") == hashlib.sha256(b"nine cats").hexdigest() + ".png"
    assert key == store.key_of(b"nine cats", ".png")
    assert store.get(key) == b"nine cats"
    assert store.exists(key)
    assert store.put(b"nine cats", ".png") == key
    assert list(store.keys()) == [key]


def test_deleting(store: Store) -> None:
    key = store.put(b"nine cats", ".png")
    assert not store.delete_unless(key, lambda: True)
    assert store.exists(key)
    assert store.delete_unless(key, lambda: False)
    assert not store.exists(key)
    store.delete(key)
    with pytest.raises(NonetError) as caught:
        store.get(key)
    assert caught.value.code == "not_found"
    assert list(store.keys()) == []


@pytest.mark.parametrize(
    "key", ["", "..", "../../etc/passwd", "ab/../../x", "/etc/passwd", "ab/cd", "parts/x"]
)
def test_what_is_no_key_is_not_found(store: Store, key: str) -> None:
    assert not store.exists(key)
    for call in (store.get, store.delete):
        with pytest.raises(NonetError) as caught:
            call(key)
        assert caught.value.code == "not_found"


def test_it_can_be_written_to(store: Store) -> None:
    store.check()
    assert list(store.keys()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NonetError) as caught:
        store.put(b"nine cats", ".png")
    assert caught.value.code == "disk_full"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_writer_left_is_cleaned(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "parts" / "half").write_bytes(b"nine c")
    key = store.put(b"nine cats", ".png")
    assert store.leftovers() == 1
    assert store.clean() == 1
    assert store.leftovers() == 0
    assert list(store.keys()) == [key]


def test_a_put_during_a_delete_of_the_same_key_is_not_lost(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    key = store.put(b"x", ".png")
    putter = threading.Thread(target=lambda: store.put(b"x", ".png"))

    def needed() -> bool:
        # It was not needed when the sweeper looked; now somebody stores it again.
        putter.start()
        putter.join(0.3)
        return False

    store.delete_unless(key, needed)
    putter.join()
    assert store.exists(key)


def test_a_store_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(NonetError) as caught:
        Store("nosuch://x/y")
    assert caught.value.code == "config_invalid"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(NonetError) as caught:
        Store(str(tmp_path / "file" / "store"))
    assert caught.value.code == "output_unwritable"


def test_s3_that_does_not_answer_is_a_typed_error() -> None:
    config = {"connect_timeout": 0.2, "retries": {"max_attempts": 0}}
    store = Store(
        "s3://pictures/x",
        endpoint_url="http://127.0.0.1:9",
        key="test",
        secret="test",
        skip_instance_cache=True,
        config_kwargs=config,
    )
    with pytest.raises(NonetError) as caught:
        store.put(b"x", ".png")
    assert caught.value.code == "output_unwritable"
