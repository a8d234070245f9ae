from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nonet.checkpoints import places
from nonet.checkpoints.places import PUBLISHED, hub_cache, locate
from nonet.errors import NonetError


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)


def told(name: str | Path) -> NonetError:
    with pytest.raises(NonetError) as caught:
        locate(name)
    return caught.value


@pytest.mark.parametrize(
    ("name", "near"),
    [("meni", "mini"), ("MEGA", "mega"), ("doodel", "doodle"), ("dooodle", "doodle"), ("mimi", "mini")],
)
def test_the_nearest_name_is_offered(name: str, near: str) -> None:
    error = told(name)
    assert error.code == "model_unknown"
    assert f"Did you mean {near}" in error.hint


def test_a_name_like_no_other_is_answered_with_all() -> None:
    error = told("qqq")
    assert error.code == "model_unknown"
    assert "doodle, mini, mega" in error.hint


@pytest.mark.parametrize("name", ["./none", "some/where/else", "/none", "~/none", "org/model"])
def test_a_path_that_is_not_there(name: str) -> None:
    assert told(name).code == "model_missing"
    assert told(Path(name)).code == "model_missing"


@pytest.mark.parametrize("name", ["mini", "mega"])
def test_a_known_model_that_was_not_pulled(name: str) -> None:
    error = told(name)
    assert error.code == "model_missing"
    assert error.hint == f"Get it with: nonet pull {name}"


def test_a_folder_in_the_working_directory_needs_its_dot_where_it_has_a_models_name(tmp_path: Path) -> None:
    (tmp_path / "mini").mkdir()
    assert told("mini").code == "model_missing"
    assert locate("./mini") == Path("mini")
    (tmp_path / "own").mkdir()
    assert locate("own") == Path("own")


def test_a_hub_id_that_was_pulled(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--org--model" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    assert locate("org/model") == folder


def test_the_embedded_model_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "DOODLE", tmp_path / "doodle")
    assert told("doodle").code == "model_missing"
    (tmp_path / "doodle").mkdir()
    (tmp_path / "doodle" / "config.json").touch()
    assert locate("doodle") == tmp_path / "doodle"


def test_the_cache_is_where_huggingface_hub_has_it(tmp_path: Path) -> None:
    # In processes of their own, as the library reads its environment when it is imported.
    code = (
        "from huggingface_hub.constants import HF_HUB_CACHE as theirs; from nonet.checkpoints.places import"
    )
    code += " hub_cache; import sys; sys.exit(0 if str(hub_cache()) == theirs else f'{hub_cache()} {theirs}')"
    for environment in (
        {"HOME": str(tmp_path)},
        {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "xdg")},
        {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")},
        {"HOME": str(tmp_path), "HF_HOME": "~/hf"},
        {"HOME": str(tmp_path), "HF_HOME": "/x", "HF_HUB_CACHE": str(tmp_path / "cache")},
    ):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_nothing_heavy_is_imported_to_look_a_name_up() -> None:
    code = "import sys, nonet.checkpoints as c\ntry:\n    c.locate('mini')\nexcept Exception: pass\n"
    code += "sys.exit(bool({'torch', 'huggingface_hub', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_revisions_are_pinned() -> None:
    for model in PUBLISHED.values():
        for repo in (model.repo, model.codec):
            assert 7 <= len(repo.revision) <= 40
            assert set(repo.revision) <= set("0123456789abcdef")
    assert hub_cache().name == "hub"
