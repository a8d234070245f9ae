"""min-dalle's `.pt` sets; that they agree with min-dalle itself is tested at Mini's size, marked slow."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nonet
from forged import GOLDEN, dalle_folder
from nonet.checkpoints.convert import convert
from nonet.checkpoints.mindalle import find_set, open_pt
from nonet.errors import NonetError

EXPECTED = np.load(GOLDEN / "expected.npz")


@pytest.fixture(scope="module")
def torch_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    return convert(dalle_folder(folder / "flax"), folder / "pt", to="min-dalle", storage="float32")


def test_a_set_gives_the_golden_numbers(torch_set: Path) -> None:
    model = nonet.load(torch_set)
    inputs = [EXPECTED[key] for key in ("input_ids", "attention_mask", "decoder_input_ids")]
    torch.testing.assert_close(model.logits(*inputs), torch.from_numpy(EXPECTED["logits"]), atol=1e-4, rtol=0)
    pixels = model.codec.decode(torch.from_numpy(EXPECTED["image_tokens"]))
    torch.testing.assert_close(pixels, torch.from_numpy(EXPECTED["decoded_pixels"]), atol=1e-4, rtol=0)
    assert model.encode_text([" an avocado", ""]).mask_BS[1].sum() == 2


def test_its_names_are_those_of_min_dalle(torch_set: Path) -> None:
    names = set(torch.load(torch_set / "decoder.pt", weights_only=True))
    for name in (
        "lm_head.weight",
        "embed_tokens.weight",
        "final_ln.bias",
        "layers.2.self_attn.q_proj.weight",
        "layers.0.pre_encoder_attn_layer_norm.bias",
        "layers.0.encoder_attn_layer_norm.weight",
        "layers.1.encoder_attn.out_proj.weight",
        "layers.1.glu.ln1.bias",
        "layers.1.glu.fc2.weight",
    ):
        assert name in names
    detoker = set(torch.load(torch_set / "detoker.pt", weights_only=True))
    assert {"embedding.weight", "post_quant_conv.bias", "decoder.up.4.attn.1.q.weight"} <= detoker


def test_its_codec_decodes_only(torch_set: Path) -> None:
    with pytest.raises(NonetError, match="tokens into pixels only"):
        nonet.load(torch_set).codec.encode(torch.zeros(1, 256, 256, 3))


def test_a_file_may_be_named_where_a_folder_holds_two_models(torch_set: Path, tmp_path: Path) -> None:
    for file in torch_set.iterdir():
        stem, _, suffix = file.name.partition(".")
        small = stem in ("encoder", "decoder", "config", "vocab", "merges")
        (tmp_path / (f"{stem}_mini.{suffix}" if small else file.name)).write_bytes(file.read_bytes())
    assert nonet.load(tmp_path).name.endswith("_mini")
    (tmp_path / "decoder.pt").touch()
    with pytest.raises(NonetError, match=r"decoder\.pt, decoder_mini\.pt") as caught:
        nonet.load(tmp_path)
    assert caught.value.code == "setting_invalid"
    model = nonet.load(tmp_path / "decoder_mini.pt")
    assert model.config.d_model == 96
    assert model.encode_text([" an avocado"]).cut == [0]


def test_a_set_without_a_config_is_known_by_its_shapes_only_if_it_is_min_dalles(
    torch_set: Path, tmp_path: Path
) -> None:
    for file in torch_set.glob("*.pt"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(NonetError, match=r"no config\.json") as caught:
        nonet.load(tmp_path)
    assert caught.value.code == "config_invalid"


def test_a_missing_half_is_told(torch_set: Path, tmp_path: Path) -> None:
    (tmp_path / "decoder.pt").write_bytes((torch_set / "decoder.pt").read_bytes())
    with pytest.raises(NonetError, match=r"encoder\.pt does not exist") as caught:
        nonet.load(tmp_path)
    assert caught.value.code == "model_missing"


def test_every_wrong_tensor_is_named(torch_set: Path, tmp_path: Path) -> None:
    for file in torch_set.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = torch.load(tmp_path / "encoder.pt", weights_only=True)
    del tensors["final_ln.bias"]
    tensors["layers.1.glu.fc0.weight"] = torch.zeros(2, 3)
    tensors["more"] = torch.zeros(1)
    torch.save(tensors, tmp_path / "encoder.pt")
    with pytest.raises(NonetError) as caught:
        nonet.load(tmp_path)
    for told in ("missing: encoder.final_ln.bias", "left over: encoder.more", "[2, 3], not [130, 96]"):
        assert told in caught.value.message


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_of_both_of_torchs_formats(tmp_path: Path, zipped: bool) -> None:
    whole = torch.randn(6, 4)
    tensors = {"a": whole.half(), "view": whole[2:5], "turned": torch.randn(3, 4).T, "none": torch.zeros(0)}
    torch.save(tensors, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with open_pt(tmp_path / "w.pt") as files:
        for name, tensor in tensors.items():
            assert torch.equal(files.read(name), tensor)
        assert torch.equal(files.read("view", 1), whole[3])


def test_large_files_are_not_read_to_find_their_tensors(tmp_path: Path) -> None:
    torch.save({"a": torch.randn(64, 64)}, tmp_path / "w.pt")
    entry = open_pt(tmp_path / "w.pt")["a"]
    assert entry.value is None
    assert entry.chunks[0].length == 64 * 64 * 4


class Harm:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (os.environ["NONET_TEST_HARM"],)


@pytest.mark.parametrize("kind", ["pickle", "inside", "alone", "legacy"])
def test_code_in_a_file_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    harm = tmp_path / "harm"
    monkeypatch.setenv("NONET_TEST_HARM", str(harm))
    path = tmp_path / "decoder.pt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Harm()))
    else:
        value = Harm() if kind == "alone" else {"a": torch.zeros(2), "b": Harm()}
        torch.save(value, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(NonetError, match="never run") as caught:
        open_pt(path)
    assert caught.value.code == "weights_corrupt"
    assert not harm.exists()


@pytest.mark.parametrize(
    "value", [[torch.zeros(2)], {"a": 1}, {"a": {"b": torch.zeros(2)}}, {1: torch.zeros(2)}]
)
def test_what_is_no_map_of_tensors(tmp_path: Path, value: Any) -> None:
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(NonetError, match="no map of names"):
        open_pt(tmp_path / "w.pt")


def test_truncated_and_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.zeros(500)}, path)
    data = path.read_bytes()
    for cut in (b"", data[:3], data[: len(data) // 2], data[:-10], b"nothing of this kind"):
        path.write_bytes(cut)
        with pytest.raises(NonetError) as caught:
            open_pt(path)
        assert caught.value.code == "weights_corrupt"
    path.write_bytes(data)
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(NonetError, match="compressed"):
        open_pt(packed)


def test_folders_without_a_set(tmp_path: Path) -> None:
    assert find_set(tmp_path) is None
    (tmp_path / "other.pt").touch()
    assert find_set(tmp_path) is None
    assert find_set(tmp_path / "other.pt") is None
