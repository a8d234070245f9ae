"""Writing and reading our own folder, with everything that the embedded model has."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import nonet
from forged import GOLDEN, dalle_folder, edit_json
from nonet.checkpoints import Model
from nonet.checkpoints.convert import FORMATS, convert
from nonet.checkpoints.save import save, save_flax, save_mindalle, staged
from nonet.engine import DrawRequest
from nonet.errors import NonetError
from tiny_doodle import tiny_doodle

REQUEST = DrawRequest(prompt="a red cat on the moon", count=2, seed=4)
FILES = {"config.json", "seq2seq.safetensors", "codec.safetensors", "text.safetensors", "judge.safetensors"}
FILES |= {"memory.safetensors", "sources.json", "tokenizer.json"}


@pytest.fixture(scope="module")
def doodle() -> Model:
    return tiny_doodle()


def answers(model: Model) -> dict[str, torch.Tensor]:
    """What every part of a model says."""
    text = model.encode_text([REQUEST.prompt, ""])
    plan = model.plan(REQUEST, range(REQUEST.pictures))
    tokens_BT = torch.randint(0, model.codebook_size, (2, 256), generator=torch.Generator().manual_seed(0))
    hint = model.decoder.memory_hint(plan.memory_PST)
    with torch.inference_mode():
        pixels = model.codec.decode(tokens_BT).float()
        logits = model.decoder(tokens_BT[:, :9], text.states_BSD, text.mask_BS, hint[:, :9])
    found = {"states": text.states_BSD, "logits": logits, "pixels": pixels}
    return found | {"memory": plan.memory_PST, "scores": model.score(pixels.clamp(0, 1), "a cat")}


def test_everything_comes_back(doodle: Model, tmp_path: Path) -> None:
    save(doodle, tmp_path / "m")
    assert {path.name for path in (tmp_path / "m").iterdir()} == FILES
    again = nonet.load(tmp_path / "m")
    for name in ("name", "config", "defaults", "licence", "origin"):
        assert getattr(again, name) == getattr(doodle, name)
    ours, theirs = answers(doodle), answers(again)
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, msg=name)
    assert (
        again.plan(REQUEST, range(REQUEST.pictures)).sources
        == doodle.plan(REQUEST, range(REQUEST.pictures)).sources
    )
    assert again.plan(REQUEST, range(REQUEST.pictures)).sources[0][0]["licence"] == "CC0-1.0"


@pytest.mark.parametrize(
    ("storage", "tolerance"),
    [
        ("float16", 0.02),
        ("bfloat16", 0.2),
        ("int8", 0.2),
        ({"text": "int8", "seq2seq": "float16"}, 0.2),
    ],
    ids=str,
)
def test_smaller_storage_stays_near(
    doodle: Model, tmp_path: Path, storage: str | dict[str, str], tolerance: float
) -> None:
    save(doodle, tmp_path / "m", storage=storage)
    ours, theirs = answers(doodle), answers(nonet.load(tmp_path / "m"))
    for name in ("states", "logits", "scores"):
        torch.testing.assert_close(theirs[name], ours[name], atol=tolerance, rtol=0, msg=name)


def test_kinds_are_chosen_for_each_network(doodle: Model, tmp_path: Path) -> None:
    save(doodle, tmp_path / "m", storage={"text": "int8", "seq2seq": "float16"})
    text, seq2seq, codec = (
        load_file(tmp_path / "m" / f"{n}.safetensors") for n in ("text", "seq2seq", "codec")
    )
    assert {tensor.dtype for tensor in text.values()} <= {torch.int8, torch.float16}
    assert {tensor.dtype for tensor in seq2seq.values()} == {torch.float16}
    assert {tensor.dtype for tensor in codec.values()} == {torch.float32}


@pytest.mark.parametrize("to", FORMATS)
def test_golden_numbers_survive_every_conversion(tmp_path: Path, to: str) -> None:
    import numpy as np

    source = dalle_folder(tmp_path / "source")
    (source / "enwiki-words-frequency.txt").write_text("cat 2\nart 1\n")
    folder = convert(source, tmp_path / "m", to=to)
    model = nonet.load(folder)
    expected = np.load(GOLDEN / "expected.npz")
    logits = model.logits(*(expected[key] for key in ("input_ids", "attention_mask", "decoder_input_ids")))
    torch.testing.assert_close(logits, torch.from_numpy(expected["logits"]), atol=1e-4, rtol=0)
    text = model.encode_text(["#catart"])
    torch.testing.assert_close(text.states_BSD, nonet.load(source).encode_text(["#catart"]).states_BSD)
    if to != "min-dalle":
        codes = model.codec.encode(torch.from_numpy(expected["pixels_to_encode"]))
        assert codes.tolist() == expected["encoded_codes"].tolist()
        back = convert(folder, tmp_path / "back", to="flax")
        ours = (back / "flax_model.msgpack").read_bytes()
        assert ours == (convert(source, tmp_path / "direct", to="flax") / "flax_model.msgpack").read_bytes()


def test_what_the_original_cannot_be_is_refused(doodle: Model, tmp_path: Path) -> None:
    for write in (save_flax, save_mindalle):
        with pytest.raises(NonetError, match="picture memory") as caught:
            write(doodle, tmp_path / "m")
        assert caught.value.code == "config_invalid"
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_not_touched_unless_asked(doodle: Model, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(NonetError, match="there already") as caught:
        save(doodle, folder)
    assert caught.value.code == "output_unwritable"
    with pytest.raises(NonetError, match="there already"):
        convert(GOLDEN / "dalle", folder)
    save(doodle, folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == FILES | {"notes.txt"}


@pytest.mark.parametrize("code", ["disk_full", "output_unwritable"])
def test_a_failed_writing_leaves_nothing(
    doodle: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC if code == "disk_full" else errno.EACCES, "no")

    monkeypatch.setattr("nonet.checkpoints.save.write_json", fail)
    with pytest.raises(NonetError) as caught:
        save(doodle, tmp_path / "m")
    assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_a_staged_folder_that_fails_otherwise_is_removed(tmp_path: Path) -> None:
    def fill() -> None:
        with staged(tmp_path / "m") as stage:
            (stage / "a").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fill()
    assert not list(tmp_path.iterdir())


def test_settings_that_there_are_not(doodle: Model, tmp_path: Path) -> None:
    for act in (
        lambda: save(doodle, tmp_path / "m", storage="float8"),
        lambda: convert(GOLDEN / "dalle", tmp_path / "m", to="pickle"),
        lambda: convert(GOLDEN / "dalle", tmp_path / "m", storage="int4"),
        lambda: convert(GOLDEN / "dalle", tmp_path / "m", to="flax", storage="int8"),
    ):
        with pytest.raises(NonetError) as caught:
            act()
        assert caught.value.code == "setting_invalid"
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["memory", "text", "judge", "codec", "seq2seq"])
def test_a_damaged_part_is_told(doodle: Model, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "m"
    save(doodle, folder)
    path = folder / f"{name}.safetensors"
    tensors = load_file(path)
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, path)
    with pytest.raises(NonetError, match=gone) as caught:
        nonet.load(folder)
    assert caught.value.code == "weights_corrupt"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NonetError, match="cut off"):
        nonet.load(folder)


def test_a_memory_of_another_codec_is_told(doodle: Model, tmp_path: Path) -> None:
    save(doodle, tmp_path / "m")
    path = tmp_path / "m" / "memory.safetensors"
    tensors = load_file(path)
    # 15 codes, and the number after them for places without anything.
    tensors["full"][3, 7] = 16
    save_file(tensors, path)
    with pytest.raises(NonetError, match="full that are not below 16"):
        nonet.load(tmp_path / "m")


@pytest.mark.parametrize("key", ["seq2seq", "codec", "judge", "text_encoder", "defaults"])
def test_a_damaged_config_is_told(doodle: Model, tmp_path: Path, key: str) -> None:
    save(doodle, tmp_path / "m")
    edit_json(tmp_path / "m" / "config.json", **{key: 3})
    with pytest.raises(NonetError, match=key) as caught:
        nonet.load(tmp_path / "m")
    assert caught.value.code == "config_invalid"


def test_sources_are_json_that_a_person_can_read(doodle: Model, tmp_path: Path) -> None:
    save(doodle, tmp_path / "m")
    text = (tmp_path / "m" / "sources.json").read_text()
    assert json.loads(text)["pictures"][2]["title"] == "picture 2"
    assert "\n" in text
