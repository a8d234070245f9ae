from __future__ import annotations

import json
from pathlib import Path

import pytest

from nonet.checkpoints import places
from nonet.checkpoints.models import list_models
from nonet.checkpoints.places import PUBLISHED, HubRepo


def cached(cache: Path, repo: HubRepo, size: int = 1000) -> Path:
    folder = cache / f"models--{repo.id.replace('/', '--')}" / "snapshots" / (repo.revision or "abc")
    folder.mkdir(parents=True)
    for file in repo.files:
        (folder / file).write_bytes(b" " * size)
    return folder


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("nonet.checkpoints.models.DOODLE", tmp_path / "doodle")
    monkeypatch.setattr(places, "DOODLE", tmp_path / "doodle")
    return tmp_path / "hub"


def test_what_is_not_here_says_how_to_get_it_and_how_large_it_is(cache: Path) -> None:
    doodle, mini, mega = list_models()
    assert not doodle.here
    assert not mini.here
    assert mini.note == "Get it with: nonet pull mini"
    assert 1_900_000_000 < mini.bytes < 2_200_000_000
    assert mega.bytes > 10_000_000_000
    assert mega.licence == "Apache-2.0"
    assert mega.origin.endswith("dalle-mini/dalle-mega")


def test_what_is_here_is_measured(cache: Path, tmp_path: Path) -> None:
    folder = cached(cache, PUBLISHED["mini"].repo)
    _, mini, _ = list_models()
    assert not mini.here, "without its codec it cannot draw"
    assert "nonet pull mini" in mini.note
    cached(cache, PUBLISHED["mini"].codec, 500)
    (tmp_path / "doodle").mkdir()
    (tmp_path / "doodle" / "config.json").write_text('{"licence": "CC0-1.0"}')
    doodle, mini, mega = list_models()
    assert mini.here
    assert mini.folder == folder
    assert mini.bytes == 3 * 1000 + 2 * 500
    assert not mega.here
    assert (doodle.here, doodle.licence, doodle.origin) == (True, "CC0-1.0", "part of nonet")
    assert doodle.bytes == 22


def test_other_models_in_the_cache_are_listed_if_they_can_be_loaded(cache: Path) -> None:
    for name, config in (
        ("org/ours", {"format": "nonet-1", "name": "garden", "seq2seq": {}, "licence": "MIT"}),
        ("org/theirs", {"model_type": "dallebart"}),
        ("org/bert", {"model_type": "bert"}),
    ):
        folder = cached(cache, HubRepo(name, "", ("config.json",), (), 0))
        (folder / "config.json").write_text(json.dumps(config))
    cached(cache, HubRepo("org/broken", "", ("config.json",), (), 0))
    cached(cache, HubRepo("org/empty", "", (), (), 0))
    others = {model.name: model for model in list_models()[3:]}
    assert set(others) == {"org/ours", "org/theirs"}
    assert others["org/ours"].title == "garden"
    assert others["org/ours"].licence == "MIT"
    assert others["org/theirs"].origin == "https://huggingface.co/org/theirs"
