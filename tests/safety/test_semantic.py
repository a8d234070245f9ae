"""The second layer judges what a prompt means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nonet.checkpoints.places import DOODLE
from nonet.errors import NonetError
from nonet.safety import semantic
from nonet.safety.lists import LEVELS
from nonet.safety.semantic import CATEGORIES, THRESHOLDS, SceneGuard, embedded_guard, read_levels, read_scenes
from nonet.safety.sentences import SentenceEncoder

HELD_OUT = Path(__file__).parent.parent / "data" / "policy" / "paraphrases_held_out.txt"


@pytest.fixture(scope="module")
def guard() -> SceneGuard:
    found = embedded_guard()
    assert found is not None
    return found


def test_every_category_of_scenes_has_a_level() -> None:
    levels = read_levels()
    assert set(levels) == set(CATEGORIES) - {"harmless"}
    assert levels == {scene.category: scene.level for scene in read_scenes() if scene.category != "harmless"}


def test_choices_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "scenes.txt"
    path.write_text("# a comment\n[gore strict]\n+ (a/the) cat\n- a dog\n", "utf-8")
    scenes = read_scenes(path)
    assert [(s.category, s.level, s.spellings) for s in scenes] == [
        ("gore", "strict", ("a cat", "the cat")),
        ("harmless", "strict", ("a dog",)),
    ]
    path.write_text("+ before any section\n", "utf-8")
    with pytest.raises(NonetError, match="line 1"):
        read_scenes(path)


def test_thresholds_fall_with_care() -> None:
    assert list(THRESHOLDS) == list(LEVELS)
    assert THRESHOLDS["off"] > THRESHOLDS["standard"] > THRESHOLDS["strict"]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("two passenger jets striking a pair of skyscrapers", "tragedies"),
        ("an apple on a table", None),
        ("two children building a tower of blocks", None),
        ("a passenger jet above the skyline", None),
    ],
)
def test_meaning(guard: SceneGuard, text: str, category: str | None) -> None:
    found = guard.nearest([text], "strict")
    assert (found[0] if found else None) == category


def test_off_judges_what_every_level_refuses_and_nothing_else(guard: SceneGuard) -> None:
    prompts = [line.split(" | ") for line in HELD_OUT.read_text("utf-8").splitlines() if " | " in line]
    refused = [category for category, text in prompts if guard.nearest([text], "off")]
    assert set(refused) <= {"minors"}
    assert len(prompts) >= 200


def test_texts_with_the_same_words_are_judged_once(
    monkeypatch: pytest.MonkeyPatch, guard: SceneGuard
) -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> np.ndarray:
        asked.append(list(texts))
        return np.zeros((len(texts), 384), np.float32)

    monkeypatch.setattr(guard, "_embed", embed)
    guard.nearest(["A Cat!", "a cat", " ", "a dog"], "strict")
    assert asked == [["A Cat!", "a dog"]]
    assert guard.nearest(["", " "], "strict") is None


def test_another_encoder_is_noticed() -> None:
    encoder = SentenceEncoder(DOODLE)
    with pytest.raises(NonetError, match="another text encoder"):
        SceneGuard(lambda texts: encoder(texts)[:, ::-1])


def test_damaged_weights_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "guard.safetensors"
    path.write_bytes(b"no such thing")
    with pytest.raises(NonetError) as caught:
        SceneGuard(SentenceEncoder(DOODLE), path)
    assert caught.value.code == "weights_corrupt"
    save_file({"probe": load_file(semantic.WEIGHTS)["probe"]}, path)
    with pytest.raises(NonetError):
        SceneGuard(SentenceEncoder(DOODLE), path)


def test_without_the_embedded_model_the_layer_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nonet.checkpoints.places.DOODLE", tmp_path)
    embedded_guard.cache_clear()
    try:
        assert semantic.EmbeddedScenes().nearest(["two towers hit by planes"], "strict") is None
    finally:
        embedded_guard.cache_clear()
