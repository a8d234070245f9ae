"""The encoder without torch is the encoder with torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nonet.checkpoints.places import DOODLE
from nonet.errors import NonetError
from nonet.safety.sentences import SentenceEncoder

TEXTS = ["a red apple on a table", "Ein Café, «naïve»!", "a 🐱 on the moon", "", "tree " * 200, "x"]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder(DOODLE)


def test_embeddings_are_those_of_the_model(encoder: SentenceEncoder) -> None:
    import json

    import torch

    from nonet.checkpoints.components import minilm_side

    values = json.loads((DOODLE / "config.json").read_text("utf-8"))
    side = minilm_side(DOODLE, values, 64, torch.device("cpu"))
    assert np.abs(encoder(TEXTS) - side.sentences(TEXTS).numpy()).max() < 1e-5


def test_a_text_is_embedded_alone_as_among_others(encoder: SentenceEncoder) -> None:
    many = encoder([*TEXTS, *(f"picture {number}" for number in range(100))])
    assert many.shape == (len(TEXTS) + 100, 384)
    assert np.abs(many[0] - encoder(TEXTS[:1])[0]).max() < 1e-5
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)


def test_texts_are_begun_with_their_words_and_some_are_finished(encoder: SentenceEncoder) -> None:
    reading = encoder.begin(TEXTS)
    assert reading.embeddings.shape == (len(TEXTS), 384)
    assert np.allclose(np.linalg.norm(reading.embeddings, axis=1), 1, atol=1e-5)
    cat, kitten, car = encoder.begin(["a cat", "a small kitten", "a red car"]).embeddings
    assert cat @ kitten > cat @ car
    some = encoder.finish(reading, [4, 0])
    assert np.abs(some - encoder([TEXTS[4], TEXTS[0]])).max() < 1e-5


def test_no_text_is_no_embedding(encoder: SentenceEncoder) -> None:
    assert encoder([]).shape == (0, 384)


def test_nearness_is_what_it_should_be(encoder: SentenceEncoder) -> None:
    cat, kitten, car = encoder(["a cat", "a small kitten", "a red car"])
    assert cat @ kitten > cat @ car + 0.2


def test_one_text_takes_few_milliseconds(encoder: SentenceEncoder) -> None:
    start = time.thread_time()
    for _ in range(5):
        encoder(["an old man reads a newspaper on the moon"])
    assert (time.thread_time() - start) / 5 < 0.1, "15 ms with the rest of the check on an idle core"


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "text.safetensors"])
def test_damaged_files_are_an_error(tmp_path: Path, file: str) -> None:
    for name in ("config.json", "tokenizer.json", "text.safetensors"):
        shutil.copy(DOODLE / name, tmp_path / name)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:1000])
    with pytest.raises(NonetError) as caught:
        SentenceEncoder(tmp_path)
    assert caught.value.code == "weights_corrupt"


def test_a_check_imports_no_torch() -> None:
    code = (
        "import sys; from nonet.safety import policy; "
        "refusal = policy.check('jetliners flying into a Manhattan high rise', level='strict'); "
        "assert refusal.layer == 'scenes'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
