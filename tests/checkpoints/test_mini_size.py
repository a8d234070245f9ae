"""A forged checkpoint of Mini's own size: 437,833,712 numbers, 1.75 GB, and the VQGAN's 76,073,859.

Loaded, it agrees with min-dalle 0.4.11's modules (`pip install min-dalle==0.4.11`), which were filled here
from the same arrays by their own names. Needs 9 GB of memory, 4 GB of disk and some minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import forged
import nonet
from forged import Array, Tree
from nonet.checkpoints import Model
from nonet.checkpoints.convert import convert

pytestmark = pytest.mark.slow

D, F, L, TEXT, IMAGE = 1024, 2730, 12, 50264, 16384
RNG = np.random.default_rng(0)
VQGAN_SIZES = {"ch": 128, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16]}
VQGAN_SIZES |= {"z_channels": 256, "embed_dim": 256, "n_embed": 16384, "resolution": 256, "double_z": False}


def normal(*shape: int, std: float = 0.02, mean: float = 0.0) -> Array:
    values = RNG.standard_normal(shape, dtype=np.float32)
    values *= std
    values += mean
    return values


def norm(*shape: int, scale: bool) -> Tree:
    bias = {"bias": normal(*shape, std=0.1)}
    return bias | {"scale": normal(*shape, std=0.1, mean=1.0)} if scale else bias


def side(name: str, rows: int, positions: int) -> Tree:
    norms = 4 if name == "Decoder" else 2
    layers: Tree = {f"LayerNorm_{n}": norm(L, D, scale=n % 2 == 1) for n in range(norms)}
    for n in range(norms // 2):
        kernels = {f"{p}_proj": {"kernel": normal(L, D, D, std=0.04)} for p in ("q", "k", "v", "out")}
        layers[f"FlaxBartAttention_{n}"] = kernels
    layers["GLU_0"] = {
        "LayerNorm_0": norm(L, D, scale=False),
        "LayerNorm_1": norm(L, F, scale=False),
        "Dense_0": {"kernel": normal(L, D, F)},
        "Dense_1": {"kernel": normal(L, D, F)},
        "Dense_2": {"kernel": normal(L, F, D)},
    }
    return {
        "embed_tokens": {"embedding": normal(rows, D)},
        "embed_positions": {"embedding": normal(positions, D)},
        "layernorm_embedding": norm(D, scale=True),
        "final_ln": norm(D, scale=False),
        "layers": {f"FlaxBart{name}Layers": layers},
    }


def vqgan_tree() -> Tree:
    """The 343 arrays of vqgan-jax, by the names and shapes of min-dalle's module for the decoding half."""

    def conv(inputs: int, outputs: int, size: int = 3) -> Tree:
        spread = 1.0 / (inputs * size * size) ** 0.5
        return {"kernel": normal(size, size, inputs, outputs, std=spread), "bias": normal(outputs, std=0.02)}

    def block(inputs: int, outputs: int) -> Tree:
        tree = {"norm1": norm(inputs, scale=True), "conv1": conv(inputs, outputs)}
        tree |= {"norm2": norm(outputs, scale=True), "conv2": conv(outputs, outputs)}
        return tree | ({"nin_shortcut": conv(inputs, outputs, 1)} if inputs != outputs else {})

    def attention(width: int) -> Tree:
        return {"norm": norm(width, scale=True)} | {
            n: conv(width, width, 1) for n in ("q", "k", "v", "proj_out")
        }

    def mid() -> Tree:
        return {"block_1": block(512, 512), "attn_1": attention(512), "block_2": block(512, 512)}

    widths = [128, 128, 256, 256, 512]
    encoder: Tree = {"conv_in": conv(3, 128), "mid": mid(), "norm_out": norm(512, scale=True)}
    encoder["conv_out"] = conv(512, 256)
    decoder: Tree = {"conv_in": conv(256, 512), "mid": mid(), "norm_out": norm(128, scale=True)}
    decoder["conv_out"] = conv(128, 3)
    before = 128
    for index, width in enumerate(widths):
        level: Tree = {"block_0": block(before, width), "block_1": block(width, width)}
        level |= {"downsample": {"conv": conv(width, width)}} if index < 4 else {}
        level |= {f"attn_{n}": attention(width) for n in range(2)} if index == 4 else {}
        encoder[f"down_{index}"] = level
        before = width
    for index in reversed(range(5)):
        width = widths[index]
        level = {
            "block_0": block(before, width),
            "block_1": block(width, width),
            "block_2": block(width, width),
        }
        level |= {"upsample": {"conv": conv(width, width)}} if index else {}
        level |= {f"attn_{n}": attention(width) for n in range(3)} if index == 4 else {}
        decoder[f"up_{index}"] = level
        before = width
    return {
        "encoder": encoder,
        "decoder": decoder,
        "quant_conv": conv(256, 256, 1),
        "post_quant_conv": conv(256, 256, 1),
        "quantize": {"embedding": {"embedding": normal(16384, 256, std=1.0)}},
    }


def flat(tree: Tree, prefix: str = "") -> dict[str, Array]:
    found: dict[str, Array] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.fixture(scope="module")
def trees() -> dict[str, Tree]:
    model = {"encoder": side("Encoder", TEXT, 64), "decoder": side("Decoder", IMAGE + 1, 256)}
    return {"dalle": {"lm_head": {"kernel": normal(D, IMAGE + 1)}, "model": model}, "vqgan": vqgan_tree()}


@pytest.fixture(scope="module")
def folder(trees: dict[str, Tree], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mini")
    (folder / "vqgan").mkdir()
    forged.write_tree(folder / "flax_model.msgpack", trees["dalle"])
    forged.write_tree(folder / "vqgan" / "flax_model.msgpack", trees["vqgan"])
    (folder / "vqgan" / "config.json").write_text(json.dumps(VQGAN_SIZES))
    config = json.loads((forged.GOLDEN / "dalle" / "config.json").read_text())
    config |= {
        "d_model": D,
        "encoder_vocab_size": TEXT,
        "image_vocab_size": IMAGE,
        "decoder_start_token_id": IMAGE,
        "init_std": 0.02,
    }
    for name in ("encoder", "decoder"):
        config |= {f"{name}_layers": L, f"{name}_attention_heads": 16, f"{name}_ffn_dim": F}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copyfile(forged.BPE / "tokenizer.json", folder / "tokenizer.json")
    yield folder
    for file in folder.rglob("*.msgpack"):
        file.unlink()


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return nonet.load(folder, dtype="float32", device="cpu")


@contextmanager
def min_dalle() -> Iterator[Any]:
    """The modules; importing them switches gradients off and changes torch's threads for everybody."""
    enabled, threads = torch.is_grad_enabled(), torch.get_num_threads()
    models = pytest.importorskip("min_dalle.models")
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield models
    finally:
        torch.set_grad_enabled(enabled)


def to_torch(name: str, values: Array) -> torch.Tensor:
    if name.endswith("kernel"):
        values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
    return torch.from_numpy(np.ascontiguousarray(values))


def their_names(tree: Tree, name: str) -> dict[str, torch.Tensor]:
    """One side's arrays under min-dalle's names."""
    changes = [("FlaxBartAttention_0", "self_attn"), ("FlaxBartAttention_1", "encoder_attn")]
    changes += [("GLU_0.LayerNorm_", "glu.ln"), ("GLU_0.Dense_", "glu.fc")]
    changes += [("LayerNorm_0", "pre_self_attn_layer_norm"), ("LayerNorm_1", "self_attn_layer_norm")]
    changes += [("LayerNorm_2", "pre_encoder_attn_layer_norm"), ("LayerNorm_3", "encoder_attn_layer_norm")]
    changes += [("scale", "weight"), ("kernel", "weight"), ("embedding.", "")]
    found: dict[str, torch.Tensor] = {}
    for key, values in flat(tree).items():
        stacked = f"layers.FlaxBart{name}Layers."
        parts = (
            {f"layers.{i}.{key[len(stacked) :]}": values[i] for i in range(L)}
            if stacked in key
            else {key: values}
        )
        for part, value in parts.items():
            theirs = part if part.endswith("embedding.bias") else part.replace("s.embedding", "s.weight")
            for old, new in changes[:-1]:
                theirs = theirs.replace(old, new)
            found[theirs] = to_torch(part, value)
    return found


def fill(module: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    missing, surplus = module.load_state_dict(state, strict=False)
    assert not surplus
    # Norms without a scale have none in the files; min-dalle's stay ones.
    assert all(name.endswith("weight") and ("ln" in name or "norm" in name) for name in missing)


def test_it_is_minis_size(trees: dict[str, Tree]) -> None:
    assert sum(values.size for values in flat(trees["dalle"]).values()) == 437_833_712
    assert len(flat(trees["dalle"])) == 42
    assert sum(values.size for values in flat(trees["vqgan"]).values()) == 76_073_859
    assert len(flat(trees["vqgan"])) == 343


def test_states_and_logits_are_min_dalles(model: Model, trees: dict[str, Tree]) -> None:
    ids_BS = torch.ones(2, 64, dtype=torch.int64)
    ids_BS[0, :9] = torch.tensor([0, 58, 29872, 412, 9, 30000, 17, 50263, 2])
    ids_BS[1, :2] = torch.tensor([0, 2])
    # min-dalle begins with 16383 where the original has 16384.
    tokens_1T = torch.tensor([[16383, *torch.randint(0, IMAGE, (15,)).tolist()]])
    with min_dalle() as models:
        encoder = models.DalleBartEncoder(L, D, 16, TEXT, 64, F, "cpu")
        fill(encoder, their_names(trees["dalle"]["model"]["encoder"], "Encoder"))
        states = encoder(ids_BS)
        del encoder
        decoder = models.DalleBartDecoder(IMAGE, D, 16, F, L, "cpu")
        head = {"lm_head.weight": to_torch("kernel", trees["dalle"]["lm_head"]["kernel"])}
        fill(decoder, their_names(trees["dalle"]["model"]["decoder"], "Decoder") | head)
        mask = ids_BS.not_equal(1)[:, None, None, :]
        logits, _ = decoder(mask, states, [None] * L, tokens_1T, torch.arange(16))
        del decoder
    kept = ids_BS != 1
    ours = model.text.states(ids_BS, kept)
    torch.testing.assert_close(ours[kept], states[kept], atol=2e-4, rtol=1e-4)
    ours = model.logits(ids_BS, kept, tokens_1T.repeat(2, 1))
    assert float(logits.std()) > 0.1
    torch.testing.assert_close(ours, logits, atol=5e-4, rtol=1e-4)


def test_pixels_are_min_dalles(model: Model, trees: dict[str, Tree]) -> None:
    tokens_1T = torch.randint(0, IMAGE, (1, 256), generator=torch.Generator().manual_seed(0))
    with min_dalle() as models:
        detoker = models.VQGanDetokenizer()
        state = {}
        for name, values in flat(trees["vqgan"]).items():
            if name.startswith(("decoder", "post_quant_conv", "quantize")):
                theirs = name.replace("quantize.embedding.embedding", "embedding.weight")
                for kind in ("up", "block", "attn"):
                    if ".mid." not in theirs:
                        theirs = theirs.replace(f".{kind}_", f".{kind}.")
                theirs = theirs.replace("scale", "weight").replace("kernel", "weight")
                state[theirs] = to_torch(name, values)
        detoker.load_state_dict(state)
        for part in detoker.modules():
            if isinstance(part, torch.nn.GroupNorm):
                # One of its known differences from the original.
                part.eps = 1e-6
        pixels = detoker(False, tokens_1T)[None] / 255
    ours = model.codec.decode(tokens_1T)
    assert float(pixels.std()) > 0.05
    torch.testing.assert_close(ours.clip(0, 1), pixels, atol=2e-4, rtol=0)


MEASURE = """
import pathlib, sys
import nonet
model = nonet.load(sys.argv[1], dtype="bfloat16", device="cpu")
weights = sum(p.nbytes for m in (model.seq2seq, model.codec) for p in m.parameters())
# Not getrusage: its peak is inherited from the process that started this one.
status = pathlib.Path("/proc/self/status").read_text()
print(weights, 1024 * int(status.partition("VmHWM:")[2].split()[0]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_loading_needs_the_weights_and_less_than_a_gigabyte(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=True
    )
    weights, peak = (int(word) for word in done.stdout.split())
    assert weights > 1_000_000_000
    assert peak < weights + 1_000_000_000


DRAW = """
import pathlib, sys
import nonet
from nonet.engine import Drawn, DrawRequest, Engine
model = nonet.load(sys.argv[1], dtype="bfloat16", device="cpu")
with Engine(model, low_memory=sys.argv[2] == "low") as engine:
    events = list(engine.submit(DrawRequest(prompt="a red apple on a table", seed=1)))
assert sum(isinstance(event, Drawn) for event in events) == 9, events[-1]
assert events[0].request.top_k == 50 and events[0].request.guidance == 10.0
status = pathlib.Path("/proc/self/status").read_text()
print(1024 * int(status.partition("VmHWM:")[2].split()[0]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_nine_pictures_are_drawn_in_two_and_a_half_gigabytes(folder: Path) -> None:
    peaks = {}
    for memory in ("plain", "low"):
        done = subprocess.run(
            [sys.executable, "-c", DRAW, str(folder), memory], capture_output=True, text=True, check=True
        )
        peaks[memory] = int(done.stdout)
    assert peaks["plain"] < 2_500_000_000
    assert peaks["low"] < peaks["plain"]


def test_a_converted_set_of_torch_files_is_known_without_a_config(
    folder: Path, model: Model, tmp_path: Path
) -> None:
    target = convert(folder, tmp_path / "pt", to="min-dalle", storage="float16")
    (target / "config.json").unlink()
    again = nonet.load(target, dtype="float32")
    assert again.config == model.config
    for ours, theirs in zip(model.decoder.parameters(), again.decoder.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    for file in target.iterdir():
        file.unlink()
