"""Writing models: our own folder, and the published formats."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nonet.checkpoints import mindalle
from nonet.checkpoints.components import DETOKER_CONFIG
from nonet.checkpoints.flax import WEIGHTS, write_flax
from nonet.checkpoints.model import Model
from nonet.checkpoints.names import Naming, codec_parts, decoding_half, gathered, seq2seq_parts
from nonet.checkpoints.quantise import quantise
from nonet.checkpoints.safetensors_folder import CONFIG, FORMAT, write_json, write_safetensors
from nonet.checkpoints.textside import BartSide, MiniLMSide
from nonet.errors import NonetError
from nonet.files import write_error
from nonet.model.judge import Judge
from nonet.model.memory import PictureMemory
from nonet.model.tokenizer import TextTokenizer
from nonet.model.vqgan import VQGAN, VQGANConfig

STORAGE: dict[str, torch.dtype | None] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int8": None,
}


def save(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    storage: str | Mapping[str, str] = "float32",
    overwrite: bool = False,
) -> None:
    """Write a model into a folder in our own layout; all of it or nothing.

    Args:
        model: with all the parts that it shall have.
        folder: where; created.
        storage: `float32`, `float16`, `bfloat16` or `int8`, for all networks or for each of `seq2seq`,
        `codec`,
            `text` and `judge` (the others are then in float32).
        overwrite: replace files of a folder that is there already.

    Raises:
        NonetError: `setting_invalid`, `output_unwritable`, `disk_full`.
    """
    with staged(Path(folder), overwrite=overwrite) as stage:
        values: dict[str, Any] = {"format": FORMAT, "name": model.name, "seq2seq": model.config.to_dict()}
        values |= {"defaults": dict(model.defaults), "licence": model.licence, "origin": model.origin}
        networks: dict[str, nn.Module] = {"seq2seq": model.seq2seq}
        if model.vqgan is not None:
            values["codec"] = model.vqgan.config.to_dict()
            networks["codec"] = model.vqgan
        if isinstance(model.text, MiniLMSide):
            values["text_encoder"] = model.text.encoder.config.to_dict()
            networks["text"] = model.text.encoder
        if isinstance(model.judge, Judge):
            config = model.judge.config
            names = config.__dataclass_fields__
            values["judge"] = {name: getattr(config, name) for name in names}
            networks["judge"] = model.judge
        for name, network in networks.items():
            kind = storage if isinstance(storage, str) else storage.get(name, "float32")
            write_safetensors(stage / f"{name}.safetensors", stored(network.state_dict(), kind))
        if model.memory is not None:
            write_safetensors(stage / "memory.safetensors", memory_tensors(model.memory))
            write_json(stage / "sources.json", {"pictures": [dict(s) for s in model.memory.sources]})
        _write_tokenizer(stage, model)
        write_json(stage / CONFIG, values)


def save_flax(
    model: Model, folder: str | os.PathLike[str], *, storage: str = "float32", scan: bool = True
) -> None:
    """Write a model as the original is published: `config.json` and `flax_model.msgpack`, the codec in `vqgan`.

    Args:
        scan: stack the layers, as the published files do.

    Raises:
        NonetError: `config_invalid` for a model with parts that the original has not; as `save`.
    """
    config = model.config.to_published() | {"use_scan": scan}
    dtype = _floating(storage)
    with staged(Path(folder)) as stage:
        naming: Naming = "flax-scan" if scan else "flax"
        arrays = gathered(seq2seq_parts(model.config, naming), model.seq2seq.state_dict(), dtype)
        write_flax(stage / WEIGHTS, arrays)
        write_json(stage / CONFIG, config)
        _write_tokenizer(stage, model)
        if model.vqgan is not None:
            write_flax_codec(model.vqgan, stage / "vqgan")


def write_flax_codec(vqgan: VQGAN, folder: Path) -> None:
    """Write a VQGAN as vqgan-jax keeps it, in float32.

    Raises:
        NonetError: `config_invalid` for a codec that vqgan-jax cannot be, or that cannot encode; as `save`.
    """
    _like_the_original(vqgan.config)
    if not hasattr(vqgan, "encoder"):
        raise NonetError("config_invalid", "This codec has no encoder, which vqgan-jax's format needs.")
    state = vqgan.state_dict()
    write_flax(folder / WEIGHTS, gathered(codec_parts(state, "flax"), state, torch.float32))
    write_json(folder / CONFIG, vqgan.config.to_dict() | {"double_z": False, "resamp_with_conv": True})


def save_mindalle(model: Model, folder: str | os.PathLike[str], *, storage: str = "float16") -> None:
    """Write a model as min-dalle reads it: `encoder.pt`, `decoder.pt`, `detoker.pt`, `vocab.json`, `merges.txt`.

    Raises:
        NonetError: `config_invalid` for a model with parts that the original has not; as `save`.
    """
    config = model.config.to_published()
    dtype = _floating(storage)
    with staged(Path(folder)) as stage:
        arrays = gathered(seq2seq_parts(model.config, "min-dalle"), model.seq2seq.state_dict(), dtype)
        for side in ("encoder", "decoder"):
            prefix = f"{side}."
            tensors = {n.removeprefix(prefix): v[0] for n, v in arrays.items() if n.startswith(prefix)}
            mindalle.write_pt(stage / f"{side}.pt", tensors)
        write_json(stage / CONFIG, config)
        if model.vqgan is not None:
            _like_the_original(model.vqgan.config)
            state = model.vqgan.state_dict()
            parts = codec_parts(decoding_half(state), "min-dalle")
            arrays = gathered(parts, state, torch.float32)
            mindalle.write_pt(stage / mindalle.DETOKER, {n: v[0] for n, v in arrays.items()})
            if model.vqgan.config != VQGANConfig():
                write_json(stage / DETOKER_CONFIG, model.vqgan.config.to_dict())
        tokenizer = _tokenizer(model)
        if tokenizer is not None:
            bpe = json.loads(tokenizer.to_json())["model"]
            write_json(stage / "vocab.json", bpe["vocab"])
            merges = [m if isinstance(m, str) else " ".join(m) for m in bpe["merges"]]
            text = "\n".join(["#version: 0.2", *merges]) + "\n"
            (stage / "merges.txt").write_text(text, encoding="utf-8")


def stored(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """A network's tensors as a file keeps them.

    Raises:
        NonetError: `setting_invalid` for an unknown kind; `weights_corrupt` where a number is too large for
        it.
    """
    if kind == "int8":
        return quantise(state)
    dtype = _floating(kind)
    kept = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    if lost := [name for name, value in kept.items() if not bool(torch.isfinite(value).all())]:
        raise NonetError(
            "weights_corrupt",
            f"Not finite in {kind}: {', '.join(lost)}.",
            "Keep them in float32 or bfloat16.",
        )
    return kept


def memory_tensors(memory: PictureMemory) -> dict[str, Tensor]:
    """A picture memory as its file keeps it."""
    return {
        "keys": memory.keys_KE.mul(127).round().to(torch.int8),
        "offsets": torch.tensor(memory.offsets, dtype=torch.int32),
        "members": torch.tensor(memory.members, dtype=torch.int32),
        "full": memory.full_NT.to(torch.int16),
        "small": memory.small_NT.to(torch.int16),
        "colours": memory.colours_NC.mul(255).round().to(torch.uint8),
        "weights": torch.tensor(memory.weights).clamp(0, 255).round().to(torch.uint8),
        "extents": torch.tensor(memory.extents, dtype=torch.uint8),
        "scenery": torch.tensor(memory.scenery).to(torch.uint8),
        "styles": torch.tensor(memory.styles, dtype=torch.uint8),
    }


@contextmanager
def staged(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder beside `folder` that takes its place when the block ends without an error.

    Raises:
        NonetError: `output_unwritable` where there is such a folder with something in it and `overwrite` is
        not
            given; `disk_full`.
    """
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken and not overwrite:
        raise NonetError(
            "output_unwritable", f"{folder} is there already.", "Choose another folder or remove this one."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        yield stage
        stage.chmod(0o755)
        if not taken:
            # An empty folder may be replaced.
            os.replace(stage, folder)
        else:
            _move_into(stage, folder)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move_into(stage: Path, folder: Path) -> None:
    for path in sorted(stage.rglob("*")):
        target = folder / path.relative_to(stage)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            os.replace(path, target)


def _floating(kind: str) -> torch.dtype:
    dtype = STORAGE.get(kind)
    if dtype is None:
        kinds = ", ".join(name for name, value in STORAGE.items() if value is not None)
        raise NonetError("setting_invalid", f"The numbers cannot be kept as {kind!r} here.", f"Use {kinds}.")
    return dtype


def _like_the_original(config: VQGANConfig) -> None:
    plain = VQGANConfig()
    for name in ("patch_size", "norm", "mid_attention", "levels"):
        if getattr(config, name) != getattr(plain, name):
            raise NonetError(
                "config_invalid",
                f"A codec with {name}={getattr(config, name)} cannot be kept in a published format.",
                "Keep it in our own format.",
            )


def _tokenizer(model: Model) -> TextTokenizer | None:
    return model.text.tokenizer if isinstance(model.text, BartSide | MiniLMSide) else None


def _write_tokenizer(stage: Path, model: Model) -> None:
    tokenizer = _tokenizer(model)
    if tokenizer is not None:
        (stage / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
