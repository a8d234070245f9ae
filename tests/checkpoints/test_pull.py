"""Pulling from a server that speaks the Hub's protocol, cuts connections and changes bytes.

Each pull runs in a process of its own, as huggingface_hub reads its environment when it is imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hub_server
from hub_server import Hub, Repo
from nonet.checkpoints.places import PUBLISHED, HubRepo, locate, locate_codec, snapshot
from nonet.errors import NonetError

MINI = "e0888f6" + "0" * 33
VQGAN = PUBLISHED["mini"].codec.revision
WEIGHTS = bytes(range(256)) * 800

# huggingface_hub hands over blocks of 10 MB; the files here are smaller.
CODE = """
import json, sys, time
time.sleep = lambda seconds: None
from huggingface_hub import constants
constants.DOWNLOAD_CHUNK_SIZE = 4096
from nonet.checkpoints.pull import pull
from nonet.errors import NonetError
seen = []
try:
    done = pull(sys.argv[1], report=lambda *state: seen.append(state), pause=0.01)
    said = {"folder": str(done.folder), "codec": str(done.codec), "fetched": done.fetched}
except NonetError as error:
    said = {"code": error.code, "message": error.message, "hint": error.hint}
said["torch"] = "torch" in sys.modules
print(json.dumps(said | {"seen": seen}))
"""


def repos() -> dict[str, Repo]:
    text = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "merges.txt": b"#version\n" * 300}
    return {
        "dalle-mini/dalle-mini": Repo(MINI, {**text, "flax_model.msgpack": WEIGHTS}),
        "dalle-mini/vqgan_imagenet_f16_16384": Repo(
            VQGAN, {"config.json": b"{}", "flax_model.msgpack": WEIGHTS[:3000]}
        ),
    }


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(repos()) as running:
        yield running


@pytest.fixture
def environment(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_ETAG_TIMEOUT": "2"}
    return kept | settings | {"HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "127.0.0.1,localhost"}


def run(environment: dict[str, str], name: str = "mini") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, name], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def blobs(tmp_path: Path, repo: str = "dalle-mini--dalle-mini") -> Path:
    return tmp_path / "hf" / "hub" / f"models--{repo}" / "blobs"


def test_a_pull_brings_everything_at_the_pinned_commit(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    said = run(environment)
    folder = Path(said["folder"])
    assert folder.name == MINI
    assert (folder / "flax_model.msgpack").read_bytes() == WEIGHTS
    assert (folder / "merges.txt").is_file(), "extras come along where they are there"
    assert not (folder / "enwiki-words-frequency.txt").exists(), "and are not missed where they are not"
    assert (Path(said["codec"]) / "flax_model.msgpack").read_bytes() == WEIGHTS[:3000]
    assert ["flax_model.msgpack", len(WEIGHTS), len(WEIGHTS)] in said["seen"]
    assert not said["torch"]
    assert locate("mini") == folder
    assert locate_codec(folder) == Path(said["codec"])
    asked = len(hub.tokens)
    assert run(environment)["fetched"] == 0
    assert len(hub.tokens) == asked, "what is here needs no network"


def test_the_pinned_commit_is_found_behind_newer_ones(hub: Hub, environment: dict[str, str]) -> None:
    hub.repos["dalle-mini/dalle-mini"].newest = "f" * 40
    assert Path(run(environment)["folder"]).name == MINI


def test_a_cut_connection_goes_on_where_it_was(hub: Hub, environment: dict[str, str]) -> None:
    hub.cuts["flax_model.msgpack"] = [49_152, 8_192, 100]
    said = run(environment)
    assert (Path(said["folder"]) / "flax_model.msgpack").read_bytes() == WEIGHTS
    offsets = hub.ranges["flax_model.msgpack"]
    assert offsets[:3] == [0, 49_152, 57_344]
    small = sum(
        len(b) for f, b in hub.repos["dalle-mini/dalle-mini"].files.items() if f.endswith(("on", "t"))
    )
    assert said["fetched"] == len(WEIGHTS) + 3000 + small + 2, "no byte is fetched twice"


def size_of(part: Path) -> int:
    """Bytes of a file that may be finished, and so renamed, meanwhile."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def test_a_killed_pull_is_taken_up_by_the_next(hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    hub.slow = 0.05
    with subprocess.Popen(
        [sys.executable, "-c", CODE, "mini"], env=environment, stdout=subprocess.PIPE
    ) as first:
        assert hub.started.wait(60)
        while not any(size_of(part) > 20_000 for part in blobs(tmp_path).glob("*.part")):
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        first.wait()
    hub.slow = 0.0
    assert snapshot(PUBLISHED["mini"].repo) is None, "half a model is no model"
    with pytest.raises(NonetError, match="nonet pull mini"):
        locate("mini")
    said = run(environment)
    assert (Path(said["folder"]) / "flax_model.msgpack").read_bytes() == WEIGHTS
    assert hub.ranges["flax_model.msgpack"][1] >= 20_000
    assert said["fetched"] < len(WEIGHTS)
    assert not list(blobs(tmp_path).glob("*.part")), "nothing is left of the first try"


def test_changed_bytes_are_not_kept(hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    hub.spoiled.add("flax_model.msgpack")
    said = run(environment)
    assert said["code"] == "fetch_failed"
    assert "checksum" in said["message"]
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    assert not [path for path in blobs(tmp_path).iterdir() if path.name.startswith(digest)]
    hub.spoiled.clear()
    assert "folder" in run(environment)


def test_a_connection_that_always_breaks_is_given_up_and_what_came_stays(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.cuts["flax_model.msgpack"] = [4096] + [0] * 100
    said = run(environment | {"HF_HUB_DOWNLOAD_TIMEOUT": "2"})
    assert said["code"] == "fetch_failed"
    assert "goes on from there" in said["hint"]
    assert [part.stat().st_size for part in blobs(tmp_path).glob("*.part")] == [4096]


def test_no_network_is_told_with_the_way_by_hand(environment: dict[str, str]) -> None:
    said = run(environment | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert said["code"] == "offline"
    assert "hf download dalle-mini/dalle-mini config.json flax_model.msgpack" in said["hint"]
    assert f"--revision {VQGAN} --local-dir mini/vqgan" in said["hint"]


def test_offline_mode_is_respected(hub: Hub, environment: dict[str, str]) -> None:
    said = run(environment | {"HF_HUB_OFFLINE": "1"})
    assert said["code"] == "offline"
    assert "HF_HUB_OFFLINE" in said["message"]
    assert not hub.tokens


def test_the_token_goes_to_the_hub_and_not_to_the_storage(hub: Hub, environment: dict[str, str]) -> None:
    hub.token = "hf_secret"
    assert run(environment)["code"] == "fetch_failed", "without the token the repository is not given"
    hub.tokens.clear()
    assert "folder" in run(environment | {"HF_TOKEN": "hf_secret"})
    stored = [told for path, told in hub.tokens if path.startswith("/storage")]
    assert stored
    assert not any(stored)


def test_a_rewritten_history_is_told(hub: Hub, environment: dict[str, str]) -> None:
    hub.repos["dalle-mini/dalle-mini"].commit = "a" * 40
    said = run(environment)
    assert said["code"] == "fetch_failed"
    assert "e0888f6" in said["message"]


def test_a_full_disk_is_told_before_it_is_full(
    hub: Hub, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = CODE.replace("seen = []", "import shutil, collections; seen = []").replace(
        "try:", "shutil.disk_usage = lambda _: collections.namedtuple('U', 'free')(1000)\ntry:", 1
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "mini"], env=environment, capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert said["code"] == "disk_full"
    assert "flax_model.msgpack" not in hub.ranges


FILLS = """
from nonet.checkpoints import pull as module
write = module._Counted.write
def full(self, data):
    if self._stream.tell() >= 40_000:
        raise OSError(28, "No space left on device")
    return write(self, data)
module._Counted.write = full
seen = []"""


def test_a_disk_that_fills_in_the_middle_keeps_what_came(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("seen = []", FILLS), "mini"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["code"] == "disk_full"
    (part,) = blobs(tmp_path).glob("*.part")
    assert 40_000 <= part.stat().st_size < len(WEIGHTS)
    assert snapshot(PUBLISHED["mini"].repo) is None
    again = run(environment)
    assert (Path(again["folder"]) / "flax_model.msgpack").read_bytes() == WEIGHTS
    assert hub.ranges["flax_model.msgpack"][1] >= 40_000


@pytest.mark.parametrize("name", ["doodle", "nothing"])
def test_what_is_not_published_cannot_be_pulled(environment: dict[str, str], name: str) -> None:
    assert run(environment, name)["code"] == "model_unknown"


def test_checksums_of_small_files_are_gits() -> None:
    # What `git hash-object` says of these five bytes.
    assert hub_server.etag_of(b"test\n") == "9daeafb9864cf43055ae93beb0afd6c7d144bfa4"


def test_a_snapshot_needs_all_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    repo = HubRepo("some/model", "abc", ("a", "b"), (), 0)
    for commit in ("abc1", "fff2"):
        folder = tmp_path / "models--some--model" / "snapshots" / commit
        folder.mkdir(parents=True)
        (folder / "a").touch()
    assert snapshot(repo) is None
    (tmp_path / "models--some--model" / "snapshots" / "fff2" / "b").touch()
    assert snapshot(repo) == tmp_path / "models--some--model" / "snapshots" / "fff2"
    (tmp_path / "models--some--model" / "snapshots" / "abc1" / "b").touch()
    assert snapshot(repo) == tmp_path / "models--some--model" / "snapshots" / "abc1"
