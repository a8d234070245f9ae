"""`nonet.load`: a model from any of the formats that its weights come in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from nonet.checkpoints import mindalle
from nonet.checkpoints.clip import load_clip
from nonet.checkpoints.components import (
    bart_side,
    minilm_side,
    on_meta,
    own_network,
    read_codec,
    read_judge,
    read_memory,
    table,
)
from nonet.checkpoints.fill import fill
from nonet.checkpoints.flax import is_flax, open_flax, read_json
from nonet.checkpoints.model import PUBLISHED_DEFAULTS, Model
from nonet.checkpoints.names import flax_naming, seq2seq_parts
from nonet.checkpoints.places import DOODLE, PUBLISHED, locate, locate_codec
from nonet.checkpoints.safetensors_folder import CONFIG, is_ours
from nonet.checkpoints.textside import TextSide
from nonet.errors import NonetError
from nonet.model.config import Seq2SeqConfig
from nonet.model.packing import Kind, multiplies_bytes
from nonet.model.seq2seq import Seq2Seq
from nonet.model.vqgan import VQGAN
from nonet.threads import apart

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# Below this half precision is hardly faster, and exactness costs nothing.
_SMALL_BYTES = 400 << 20


def load(
    name_or_path: str | os.PathLike[str],
    *,
    codec: str | os.PathLike[str] | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    codec_dtype: str | torch.dtype = "float32",
    judge: str | os.PathLike[str] | None = None,
) -> Model:
    """Load a model.

    Args:
        name_or_path: `doodle` (embedded), `mini` or `mega` (pulled), the id of a Hub repository that was
            pulled, a folder in our layout, in the published one (`config.json` and `flax_model.msgpack`) or
            with min-dalle's `.pt` files, or one of these files.
        codec: the folder of a VQGAN, or a `detoker.pt`. Without it, it is looked for in the folder, in a
            folder `vqgan` in it or beside it, and among what was pulled; a model without one has no pixels.
        device: as torch names it; `auto` is CUDA where there is one, else the CPU.
        dtype: float32, float16 or bfloat16; `auto` is half precision for large models on a device that computes
            in it: float16, which rounds finer, on a CPU that has both, bfloat16 on a GPU. Else it is float32, of which
            an `Engine` keeps a large model's weights in float16 on a CPU (see `Projection.pack`). `int8` is float32
            with products of integers in the decoder's steps: coarsest, and the fastest on a CPU that multiplies them
            but does not compute in half precision.
        codec_dtype: the same for the codec alone. It runs once a picture, on most CPUs no faster in half precision,
            and what is rounded there is seen.
        judge: published CLIP weights that choose among candidates, a folder or the Hub id of what was fetched (see
            `load_clip`); None is the model's own judge, if it has one.

    Raises:
        NonetError: `model_unknown`, `model_missing`, `config_invalid`, `weights_corrupt`, `file_unreadable`;
            `setting_invalid` for a device or type that there is not.
    """
    path, where = locate(name_or_path), _device(device)
    if dtype == "int8" and not (where.type == "cpu" and multiplies_bytes()):
        raise NonetError(
            "setting_invalid",
            f"dtype is int8, but this {'processor' if where.type == 'cpu' else 'device'} has no fast products of it.",
            "Use auto.",
        )
    clip = None if judge is None else apart(lambda: load_clip(judge, where))
    wish = "float32" if dtype == "int8" else dtype
    loader = _Loader(path, None if codec is None else _existing(codec), where, wish, codec_dtype)
    model = apart(loader.load)
    model.decoder.weights_as = _weights_as(model, dtype)
    if clip is not None:
        model.judge = clip
    model.folder = path if path.is_dir() else path.parent
    known = PUBLISHED.get(os.fspath(name_or_path))
    if known is not None:
        model.name, model.licence, model.origin = known.name, known.licence, known.origin
    elif path == DOODLE:
        model.name = "doodle"
    return model


class _Loader:
    """Builds a model of one format on one device."""

    def __init__(
        self,
        path: Path,
        codec: Path | None,
        device: torch.device,
        dtype: str | torch.dtype,
        codec_dtype: str | torch.dtype,
    ) -> None:
        self.path = path
        self.given_codec = codec
        self.device = device
        self.wish = dtype
        self.codec_wish = codec_dtype

    def load(self) -> Model:
        """The model, in whichever format it is there."""
        path = self.path
        if path.is_dir() and is_ours(path):
            return self.ours()
        if path.is_dir() and is_flax(path):
            return self.flax()
        files = mindalle.find_set(path)
        if files is None:
            raise NonetError(
                "model_missing",
                f"{path} holds no model in a known format.",
                "A model's folder has config.json with seq2seq.safetensors or flax_model.msgpack, or decoder.pt.",
            )
        return self.mindalle(files)

    def ours(self) -> Model:
        folder = self.path
        values = read_json(folder / CONFIG)
        config = Seq2SeqConfig.from_dict(table(values, "seq2seq", folder))
        dtype = self.dtype(config)
        seq2seq = own_network(lambda: Seq2Seq(config), folder / "seq2seq.safetensors", dtype, self.device)
        text: TextSide
        if config.text_encoder == "minilm":
            text = minilm_side(folder, values, config.max_text_length, self.device)
        else:
            text = bart_side(seq2seq, folder)
        has_memory = (folder / "memory.safetensors").is_file()
        return Model(
            name=str(values.get("name") or folder.name),
            config=config,
            seq2seq=seq2seq,
            text=text,
            vqgan=self.codec(config, folder if "codec" in values else None),
            judge=read_judge(folder, values, self.device) if "judge" in values else None,
            memory=read_memory(folder, config.codebook_size) if has_memory else None,
            defaults=table(values, "defaults", folder) if "defaults" in values else PUBLISHED_DEFAULTS,
            licence=str(values.get("licence", "")),
            origin=str(values.get("origin", "")),
        )

    def flax(self) -> Model:
        config = Seq2SeqConfig.from_dict(read_json(self.path / CONFIG))
        seq2seq = on_meta(lambda: Seq2Seq(config))
        with open_flax(self.path) as files:
            parts = seq2seq_parts(config, flax_naming(files))
            fill(seq2seq, parts, files, what=str(self.path), dtype=self.dtype(config), device=self.device)
        return Model(
            name=self.path.name,
            config=config,
            seq2seq=seq2seq,
            text=bart_side(seq2seq, self.path),
            vqgan=self.codec(config, None),
        )

    def mindalle(self, found: mindalle.TorchSet) -> Model:
        with mindalle.open_set(found) as files:
            config = mindalle.config_of(found, files)
            seq2seq = on_meta(lambda: Seq2Seq(config))
            parts = seq2seq_parts(config, "min-dalle")
            what = str(found.folder)
            fill(seq2seq, parts, files, what=what, dtype=self.dtype(config), device=self.device)
        detoker = found.folder / mindalle.DETOKER
        return Model(
            name=found.folder.name + found.suffix,
            config=config,
            seq2seq=seq2seq,
            text=bart_side(seq2seq, found.folder, found.suffix),
            vqgan=self.codec(config, detoker if detoker.is_file() else None),
        )

    def codec(self, config: Seq2SeqConfig, own: Path | None) -> VQGAN | None:
        """The codec that was given, the model's own one, or one that lies nearby."""
        path = self.given_codec or own
        if path is None:
            path = locate_codec(self.path if self.path.is_dir() else self.path.parent)
        if path is None:
            return None
        return read_codec(path, config, self._chosen(self.codec_wish, config), self.device)

    def dtype(self, config: Seq2SeqConfig) -> torch.dtype:
        """The type that the seq2seq computes in, once the sizes are known."""
        return self._chosen(self.wish, config)

    def _chosen(self, wish: str | torch.dtype, config: Seq2SeqConfig) -> torch.dtype:
        if isinstance(wish, torch.dtype) and wish in DTYPES.values():
            return wish
        if wish != "auto":
            if wish not in DTYPES:
                raise NonetError(
                    "setting_invalid",
                    f"dtype is {wish!r}.",
                    f"Use auto, {', '.join(DTYPES)}, or int8, but not for a codec.",
                )
            return DTYPES[str(wish)]
        if 4 * parameter_count(config) <= _SMALL_BYTES:
            return torch.float32
        if self.device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return _cpu_dtype() if self.device.type == "cpu" else torch.float32


def _weights_as(model: Model, wish: str | torch.dtype) -> Kind:
    """What a decoder's weights are rounded to where they are read at each step, by what `load` was asked for."""
    if wish == "int8":
        return "int8"
    large = sum(parameter.nbytes for parameter in model.seq2seq.parameters()) > _SMALL_BYTES
    return "float16" if wish == "auto" and model.dtype == torch.float32 and large else "own"


def parameter_count(config: Seq2SeqConfig) -> int:
    """How many numbers a seq2seq of these sizes has."""
    return sum(parameter.numel() for parameter in on_meta(lambda: Seq2Seq(config)).parameters())


def _existing(path: str | os.PathLike[str]) -> Path:
    found = Path(path).expanduser()
    return found if found.exists() else locate(path)


def _device(wish: str | torch.device) -> torch.device:
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wish)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise NonetError(
            "setting_invalid", f"The device {wish!s} cannot be used: {reason}", "Use cpu."
        ) from None
    return device


def _cpu_dtype() -> torch.dtype:
    """The type in which the processor reads large weights fastest; of two that are alike the finer one."""
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if able.get("avx512_fp16") or able.get("amx_fp16"):
        return torch.float16
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
