"""`nonet.load` on forged checkpoints of every published form, good and bad."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from torch import Tensor

import forged
import nonet
from forged import GOLDEN, Tree, dalle_folder, edit_json
from nonet.checkpoints import Model, loader
from nonet.errors import NonetError

EXPECTED = np.load(GOLDEN / "expected.npz")
INPUTS = [EXPECTED[key][:, :20] for key in ("decoder_input_ids",)]


def logits(model: Model) -> Tensor:
    return model.logits(
        EXPECTED["input_ids"], EXPECTED["attention_mask"], EXPECTED["decoder_input_ids"][:, :20]
    )


WANTED = torch.from_numpy(EXPECTED["logits"][:, :20])


def refused(folder: Path, code: str, **options: Any) -> str:
    with pytest.raises(NonetError) as caught:
        nonet.load(folder, **options)
    assert caught.value.code == code, caught.value
    assert caught.value.hint or code == "config_invalid"
    return caught.value.message


# What must load


@pytest.mark.parametrize(
    ("change", "pack", "tolerance"),
    [
        (lambda tree: tree, forged.pack_array, 1e-4),
        (forged.unscanned, forged.pack_array, 1e-4),
        (lambda tree: tree, forged.as_chunks, 1e-4),
        (lambda tree: {"params": tree}, forged.pack_array, 1e-4),
        (lambda tree: tree, lambda values: forged.pack_array(values.astype(np.float16)), 0.02),
        (forged.unscanned, forged.as_bfloat16, 0.15),
    ],
    ids=["scanned", "unscanned", "chunked", "params", "float16", "bfloat16"],
)
def test_every_flax_form(
    tmp_path: Path, change: Callable[[Tree], Tree], pack: Callable[[Any], Any], tolerance: float
) -> None:
    model = nonet.load(dalle_folder(tmp_path / "m", change, pack=pack))
    torch.testing.assert_close(logits(model), WANTED, atol=tolerance, rtol=0)
    assert not torch.equal(logits(model), torch.zeros(()))


def test_shards_with_an_index(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    tree = forged.read_tree(folder / "flax_model.msgpack")
    names = ["flax_model-00001-of-00002.msgpack", "flax_model-00002-of-00002.msgpack"]
    forged.write_tree(folder / names[0], {"model": {"encoder": tree["model"]["encoder"]}})
    forged.write_tree(
        folder / names[1], {"model": {"decoder": tree["model"]["decoder"]}, "lm_head": tree["lm_head"]}
    )
    (folder / "flax_model.msgpack").unlink()
    weight_map = {"model/encoder/final_ln/bias": names[0], "lm_head/kernel": names[1]}
    index = folder / "flax_model.msgpack.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    torch.testing.assert_close(logits(nonet.load(folder)), WANTED, atol=1e-4, rtol=0)

    edit_json(index, weight_map=weight_map | {"model/nothing": names[0]})
    assert "model.nothing" in refused(folder, "weights_corrupt")
    edit_json(index, weight_map=weight_map | {"other": "../../elsewhere"})
    assert "elsewhere" in refused(folder, "weights_corrupt")
    edit_json(index, weight_map=weight_map | {"other": "flax_model-3.msgpack"})
    assert "flax_model-3.msgpack is missing" in refused(folder, "model_missing")
    edit_json(index, weight_map={})
    assert "weight_map" in refused(folder, "weights_corrupt")


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.15), (torch.float16, 0.02)])
def test_weights_in_another_type(tmp_path: Path, dtype: str | torch.dtype, tolerance: float) -> None:
    model = nonet.load(GOLDEN / "dalle", dtype=dtype)
    assert str(model.dtype).endswith(str(dtype).removeprefix("torch."))
    assert model.codec.quantize.embedding.weight.dtype == torch.float32
    torch.testing.assert_close(logits(model), WANTED, atol=tolerance, rtol=0)
    both = nonet.load(GOLDEN / "dalle", dtype=dtype, codec_dtype=dtype)
    assert both.codec.quantize.embedding.weight.dtype == model.dtype


def test_a_small_model_is_computed_in_float32_where_nothing_is_said() -> None:
    model = nonet.load(GOLDEN / "dalle", device="cpu")
    assert model.dtype == torch.float32
    assert model.decoder.weights_as == "own"


def test_small_models_are_in_float32_on_a_gpu_too() -> None:
    config = nonet.load(GOLDEN / "dalle").config
    gpu = loader._Loader(GOLDEN / "dalle", None, torch.device("cuda"), "auto", "float32")
    assert gpu.dtype(config) == torch.float32


@pytest.mark.parametrize(
    ("able", "dtype"),
    [
        ({"avx512_bf16": True, "avx512_fp16": True}, torch.float16),
        ({"avx512_bf16": True, "avx512_fp16": False}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
    ],
)
def test_a_large_model_is_computed_in_what_the_processor_can(
    able: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    monkeypatch.setattr(loader, "_SMALL_BYTES", 0)
    model = nonet.load(GOLDEN / "dalle", device="cpu")
    assert model.dtype == dtype
    assert model.codec.post_quant_conv.weight.dtype == torch.float32
    # Where nothing half as wide can be computed with, weights alone may be; not where somebody asks for float32.
    assert model.decoder.weights_as == ("float16" if dtype == torch.float32 else "own")
    assert nonet.load(GOLDEN / "dalle", device="cpu", dtype=dtype).decoder.weights_as == "own"


def test_bytes_are_multiplied_where_somebody_asks_and_the_processor_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "multiplies_bytes", lambda: True)
    model = nonet.load(GOLDEN / "dalle", device="cpu", dtype="int8")
    assert (model.dtype, model.decoder.weights_as) == (torch.float32, "int8")
    refused(GOLDEN / "dalle", "setting_invalid", codec_dtype="int8")
    monkeypatch.setattr(loader, "multiplies_bytes", lambda: False)
    assert "processor" in refused(GOLDEN / "dalle", "setting_invalid", device="cpu", dtype="int8")


def test_what_a_loaded_model_says_of_itself(tmp_path: Path) -> None:
    model = nonet.load(dalle_folder(tmp_path / "my-model"))
    assert model.name == "my-model"
    assert (model.codebook_size, model.start_token, model.image_length) == (256, 256, 256)
    assert model.defaults == {"guidance": 10.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0}
    assert model.judge is None
    assert model.memory is None
    assert not any(p.requires_grad for p in model.seq2seq.parameters())
    with pytest.raises(NonetError, match="no judge"):
        model.score(torch.zeros(1, 8, 8, 3), "a")


def test_prompts_are_normalised_and_the_empty_one_is_not(tmp_path: Path) -> None:
    model = nonet.load(dalle_folder(tmp_path / "m"))
    text = model.encode_text(["An AVOCADO armchair!", ""])
    alone = model.encode_text([" an avocado armchair"])
    torch.testing.assert_close(text.states_BSD[:1], alone.states_BSD)
    assert text.mask_BS[1].sum() == 2, "the empty prompt is two tokens, not a space between them"
    assert text.cut == [0, 0]
    assert model.encode_text(["zebra " * 100]).cut[0] > 100


def test_hashtags_are_split_with_the_word_list(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    shutil.copyfile(forged.GOLDEN.parent / "words.txt", folder / "enwiki-words-frequency.txt")
    model = nonet.load(folder)
    split, apart = model.encode_text(["#catart"]), model.encode_text(["cat art"])
    torch.testing.assert_close(split.states_BSD, apart.states_BSD)


def test_without_a_tokenizer_ids_work_and_prompts_say_what_is_missing() -> None:
    model = nonet.load(GOLDEN / "dalle")
    torch.testing.assert_close(logits(model), WANTED, atol=1e-4, rtol=0)
    with pytest.raises(NonetError, match="tokenizer") as caught:
        model.encode_text(["a cat"])
    assert caught.value.code == "model_missing"
    assert "vocab.json" in caught.value.hint


def test_without_a_codec_there_are_logits_and_no_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    folder = dalle_folder(tmp_path / "a" / "m")
    shutil.rmtree(folder / "vqgan")
    model = nonet.load(folder)
    assert logits(model).shape == (3, 20, 257)
    with pytest.raises(NonetError, match="codec") as caught:
        _ = model.codec
    assert caught.value.code == "model_missing"


def test_a_codec_is_found_beside_the_model_and_may_be_given(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    other = tmp_path / "other"
    (folder / "vqgan").rename(other)
    assert nonet.load(folder, codec=other).vqgan is not None
    other.rename(tmp_path / "vqgan")
    assert nonet.load(folder).vqgan is not None


# What must not


def broken(tmp_path: Path, change: Callable[[Tree], object]) -> Path:
    def apply(tree: Tree) -> Tree:
        change(tree)
        return tree

    return dalle_folder(tmp_path / "m", apply)


def nested(tree: Tree, name: str) -> tuple[Tree, str]:
    *folders, leaf = name.split(".")
    for folder in folders:
        tree = tree[folder]
    return tree, leaf


def test_every_missing_and_surplus_tensor_is_named(tmp_path: Path) -> None:
    gone = ["lm_head.kernel", "model.encoder.final_ln.bias"]

    def change(tree: Tree) -> None:
        for name in gone:
            node, leaf = nested(tree, name)
            del node[leaf]
        tree["model"]["extra"] = {"one": np.zeros(3), "two": np.zeros(3)}

    said = refused(broken(tmp_path, change), "weights_corrupt")
    assert f"missing: {', '.join(gone)};" in said
    assert "left over: model.extra.one, model.extra.two" in said


def test_every_misshapen_tensor_is_named_with_both_shapes(tmp_path: Path) -> None:
    def change(tree: Tree) -> None:
        for name in ("lm_head.kernel", "model.decoder.embed_tokens.embedding"):
            node, leaf = nested(tree, name)
            node[leaf] = node[leaf][:, :-1]

    said = refused(broken(tmp_path, change), "weights_corrupt")
    assert "lm_head.kernel is [96, 256], not [96, 257]" in said
    assert "model.decoder.embed_tokens.embedding is [257, 95], not [257, 96]" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_every_tensor_that_is_not_finite_is_named_with_its_layer(tmp_path: Path, value: float) -> None:
    def change(tree: Tree) -> None:
        layers = tree["model"]["decoder"]["layers"]["FlaxBartDecoderLayers"]
        kernel = layers["GLU_0"]["Dense_1"]["kernel"] = layers["GLU_0"]["Dense_1"]["kernel"].copy()
        kernel[2, 5, 7] = value
        bias = tree["model"]["encoder"]["final_ln"]["bias"] = np.zeros(96, np.float32)
        bias[3] = value

    said = refused(broken(tmp_path, change), "weights_corrupt")
    assert "model.encoder.final_ln.bias" in said
    assert "model.decoder.layers.FlaxBartDecoderLayers.GLU_0.Dense_1.kernel[2]" in said
    assert "kernel[1]" not in said


def test_numbers_too_large_for_the_wanted_type_are_told(tmp_path: Path) -> None:
    def change(tree: Tree) -> None:
        tree["lm_head"]["kernel"] = tree["lm_head"]["kernel"] + np.float32(1e6)

    folder = broken(tmp_path, change)
    assert "(float16) in: lm_head.kernel" in refused(folder, "weights_corrupt", dtype="float16")
    nonet.load(folder, dtype="bfloat16")


def test_integers_in_the_place_of_weights(tmp_path: Path) -> None:
    def change(tree: Tree) -> None:
        tree["lm_head"]["kernel"] = tree["lm_head"]["kernel"].astype(np.int32)

    assert "lm_head.kernel holds torch.int32" in refused(broken(tmp_path, change), "weights_corrupt")


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"d_model": 192}, "weights_corrupt", "lm_head.kernel is [96, 257], not [192, 257]"),
        ({"decoder_layers": 4}, "weights_corrupt", "is [3, 96, 96], not [4, 96, 96]"),
        ({"encoder_vocab_size": 321}, "weights_corrupt", "is [320, 96], not [321, 96]"),
        ({"use_glu": False}, "config_invalid", "use_glu"),
        ({"ln_positions": "postln"}, "config_invalid", "ln_positions"),
        ({"model_type": "bart"}, "config_invalid", "model_type"),
        ({"decoder_attention_heads": 5}, "config_invalid", "decoder_attention_heads"),
        ({"image_length": None}, "config_invalid", "image_length"),
    ],
)
def test_a_config_that_contradicts_the_weights(
    tmp_path: Path, changes: dict[str, Any], code: str, told: str
) -> None:
    folder = dalle_folder(tmp_path / "m")
    edit_json(folder / "config.json", **changes)
    assert told in refused(folder, code)


def test_unscanned_layers_that_are_missing_are_named(tmp_path: Path) -> None:
    def change(tree: Tree) -> Tree:
        forged.unscanned(tree)
        del tree["model"]["encoder"]["layers"]["FlaxBartEncoderLayer_1"]
        return tree

    said = refused(dalle_folder(tmp_path / "m", change), "weights_corrupt")
    assert "model.encoder.layers.FlaxBartEncoderLayer_1.FlaxBartAttention_0.q_proj.kernel" in said


def test_a_truncated_file_and_files_of_other_kinds(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    path = folder / "flax_model.msgpack"
    whole = path.read_bytes()
    for data, told in (
        (whole[: len(whole) // 2], "cut off"),
        (b"", "empty"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (msgpack.packb({"a": msgpack.ExtType(5, b"x")}), "extension type 5"),
    ):
        path.write_bytes(data)
        assert told in refused(folder, "weights_corrupt")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "config_invalid"),
        ("[1]", "config_invalid"),
        ("{", "config_invalid"),
        ("[" * 100_000, "config_invalid"),
    ],
)
def test_a_config_that_is_no_config(tmp_path: Path, content: str, code: str) -> None:
    folder = dalle_folder(tmp_path / "m")
    (folder / "config.json").write_text(content)
    assert "config.json" in refused(folder, code)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    values = json.loads((folder / "tokenizer.json").read_text())
    for token in values["added_tokens"]:
        if token["content"] == "<mask>":
            token["id"] = 319
    values["added_tokens"].append(values["added_tokens"][0] | {"id": 320, "content": "<more>"})
    (folder / "tokenizer.json").write_text(json.dumps(values))
    assert "does not belong to this model" in refused(folder, "weights_corrupt")
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json" in refused(folder, "weights_corrupt")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text('{"a": 0}')
    (folder / "merges.txt").write_text("#version: 0.2\na b c\n")
    assert "merges.txt" in refused(folder, "weights_corrupt")


def test_a_codec_of_another_model(tmp_path: Path) -> None:
    folder = dalle_folder(tmp_path / "m")
    edit_json(folder / "vqgan" / "config.json", n_embed=255)
    assert "quantize.embedding.embedding is [256, 32], not [255, 32]" in refused(folder, "weights_corrupt")
    edit_json(folder / "vqgan" / "config.json", n_embed=256, resolution=128, attn_resolutions=[8])
    refused(folder, "config_invalid")
    assert "holds no codec" in refused(folder, "model_missing", codec=tmp_path)


def test_folders_without_a_model(tmp_path: Path) -> None:
    assert "no model in a known format" in refused(tmp_path, "model_missing")
    refused(tmp_path / "none", "model_missing")


@pytest.mark.parametrize(
    "options", [{"device": "nowhere"}, {"device": "cuda:99"}, {"dtype": "float8"}, {"dtype": torch.int8}]
)
def test_settings_that_there_are_not(options: dict[str, Any]) -> None:
    refused(GOLDEN / "dalle", "setting_invalid", **options)


def test_loading_leaves_torchs_compiler_alone() -> None:
    # It takes a second or two to import, half as long as everything else that a drawing waits for.
    code = "import sys, nonet; nonet.load(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(GOLDEN / "dalle")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
