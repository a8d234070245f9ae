"""The parts of a model, each read from its own files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.overrides import TorchFunctionMode

from nonet.checkpoints import mindalle
from nonet.checkpoints.fill import fill
from nonet.checkpoints.flax import is_flax, open_flax, read_json
from nonet.checkpoints.names import codec_parts, decoding_half, same_parts
from nonet.checkpoints.safetensors_folder import CONFIG, is_ours, open_safetensors, read_safetensors
from nonet.checkpoints.textside import BartSide, MiniLMSide
from nonet.errors import NonetError
from nonet.model.config import Seq2SeqConfig
from nonet.model.judge import Judge, JudgeConfig
from nonet.model.memory import PictureMemory
from nonet.model.minilm import MiniLM, MiniLMConfig
from nonet.model.seq2seq import Seq2Seq
from nonet.model.text import HashtagSplitter, TextNormalizer
from nonet.model.tokenizer import TextTokenizer
from nonet.model.vqgan import VQGAN, VQGANConfig

HASHTAG_WORDS = "enwiki-words-frequency.txt"
# min-dalle's files fit one codec only; another one's config goes beside them under this name.
DETOKER_CONFIG = "vqgan.json"
_MEMORY = ("keys", "offsets", "members", "full", "small", "colours")

Network = TypeVar("Network", bound=nn.Module)


class _Unfilled(TorchFunctionMode):
    """Leaves out the random numbers that layers begin with."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Where there are no values, torch's drawing of them loads its compiler, which takes a second or two.
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def on_meta(make: Callable[[], Network]) -> Network:
    """A network without values: no memory and no time for weights that are replaced anyway."""
    with _Unfilled(), torch.device("meta"):
        return make()


def own_network(make: Callable[[], Network], path: Path, dtype: torch.dtype, device: torch.device) -> Network:
    """A network from a safetensors file under its own names.

    Raises:
        NonetError: `weights_corrupt`, `model_missing`, `file_unreadable`.
    """
    module = on_meta(make)
    with open_safetensors(path) as files:
        fill(module, same_parts(module.state_dict()), files, what=str(path), dtype=dtype, device=device)
    return module


class DecodingVQGAN(VQGAN):
    """The half of a codec that min-dalle keeps: tokens to pixels only."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__(config)
        del self.encoder, self.quant_conv

    def latents(self, pixels_BHWC: torch.Tensor) -> torch.Tensor:
        raise NonetError(
            "model_missing",
            "The codec of min-dalle's files turns tokens into pixels only.",
            "Load the VQGAN of vqgan-jax to encode pictures.",
        )


def read_codec(path: Path, config: Seq2SeqConfig, dtype: torch.dtype, device: torch.device) -> VQGAN:
    """A VQGAN from a folder in any format, or from a `detoker.pt`, for the tokens of `config`.

    Raises:
        NonetError: `model_missing`, `config_invalid`, `weights_corrupt`, `file_unreadable`.
    """
    vqgan: VQGAN
    if path.is_file() or (path / mindalle.DETOKER).is_file():
        detoker = path if path.is_file() else path / mindalle.DETOKER
        beside = detoker.parent / DETOKER_CONFIG
        vqgan_config = VQGANConfig.from_dict(read_json(beside)) if beside.is_file() else VQGANConfig()
        vqgan = on_meta(lambda: DecodingVQGAN(vqgan_config))
        with mindalle.open_pt(detoker) as files:
            parts = codec_parts(decoding_half(vqgan.state_dict()), "min-dalle")
            fill(vqgan, parts, files, what=str(detoker), dtype=dtype, device=device)
    elif is_ours(path):
        vqgan_config = VQGANConfig.from_dict(table(read_json(path / CONFIG), "codec", path))
        vqgan = own_network(lambda: VQGAN(vqgan_config), path / "codec.safetensors", dtype, device)
    elif is_flax(path):
        vqgan_config = VQGANConfig.from_dict(read_json(path / CONFIG))
        vqgan = on_meta(lambda: VQGAN(vqgan_config))
        with open_flax(path) as files:
            parts = codec_parts(vqgan.state_dict(), "flax")
            fill(vqgan, parts, files, what=str(path), dtype=dtype, device=device)
    else:
        raise NonetError(
            "model_missing",
            f"{path} holds no codec (VQGAN).",
            "Its folder has config.json and flax_model.msgpack, or detoker.pt.",
        )
    tokens = vqgan_config.grid**2
    if vqgan_config.n_embed != config.codebook_size or tokens != config.image_length:
        raise NonetError(
            "config_invalid",
            f"The codec in {path} makes {tokens} tokens of {vqgan_config.n_embed} codes, but the model draws"
            f" {config.image_length} of {config.codebook_size}.",
            "Give the codec that the model was trained with.",
        )
    return vqgan


def bart_side(seq2seq: Seq2Seq, folder: Path, suffix: str = "") -> BartSide:
    """The text side of a model whose encoder is in its weights, with the tokenizer beside them, if any.

    Args:
        suffix: of the tokenizer's files, where a folder holds several models.

    Raises:
        NonetError: `weights_corrupt` for another model's tokenizer, `config_invalid`, `file_unreadable`.
    """
    assert seq2seq.encoder is not None
    config = seq2seq.config
    normalizer = None
    if config.normalize_text:
        words = folder / HASHTAG_WORDS
        normalizer = TextNormalizer((lambda: _splitter(words)) if words.is_file() else None)
    tokenizer = _bart_tokenizer(folder, suffix, config.encoder_vocab_size)
    return BartSide(seq2seq.encoder, tokenizer, normalizer, config.max_text_length)


def minilm_side(folder: Path, values: dict[str, Any], length: int, device: torch.device) -> MiniLMSide:
    """The text side of a folder in our layout with a frozen encoder.

    Raises:
        NonetError: `weights_corrupt`, `config_invalid`, `model_missing`, `file_unreadable`.
    """
    config = MiniLMConfig.from_dict(table(values, "text_encoder", folder))
    # In float32 whatever the decoder has: it runs once a prompt, and similarities are compared.
    encoder = own_network(lambda: MiniLM(config), folder / "text.safetensors", torch.float32, device)
    tokenizer = TextTokenizer.bert(read_tokenizer(folder / "tokenizer.json"), config.vocab_size)
    return MiniLMSide(encoder, tokenizer, length)


def read_judge(folder: Path, values: dict[str, Any], device: torch.device) -> Judge:
    """The judge of a folder in our layout.

    Raises:
        NonetError: `weights_corrupt`, `config_invalid`, `model_missing`, `file_unreadable`.
    """
    found = table(values, "judge", folder)
    known = {field.name for field in fields(JudgeConfig)}
    picked: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    try:
        config = JudgeConfig(**{key: value for key, value in picked.items() if key in known})
        judge = own_network(lambda: Judge(config), folder / "judge.safetensors", torch.float32, device)
        # As its convolutions want their weights; else they are laid out anew for every picture.
        return judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
    except TypeError as error:
        raise NonetError("config_invalid", f"The judge's config cannot be read: {error}.") from error


def read_memory(folder: Path, codes: int) -> PictureMemory:
    """The picture memory of a folder in our layout, for tokens below `codes`.

    Raises:
        NonetError: `weights_corrupt`, `config_invalid`, `file_unreadable`.
    """
    path = folder / "memory.safetensors"
    tensors = read_safetensors(path)
    if missing := [name for name in _MEMORY if name not in tensors]:
        raise NonetError("weights_corrupt", f"{path} has no {', '.join(missing)}.", "Install nonet again.")
    pictures = len(tensors["full"])
    # One number more than there are codes: where a picture shows nothing.
    ranges = {"full": codes + 1, "small": codes + 1, "members": pictures}
    for name, end in ranges.items():
        values = tensors[name]
        if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < end:
            raise NonetError(
                "weights_corrupt", f"{path} has numbers in {name} that are not below {end}.", "Get it again."
            )
    sources = folder / "sources.json"
    known = read_json(sources).get("pictures") if sources.is_file() else []
    if not isinstance(known, list) or not all(isinstance(source, dict) for source in known):
        raise NonetError("config_invalid", f"{sources} is no list of sources.", "Get it again.")
    keys, offsets, members, full, small, colours = (tensors[name] for name in _MEMORY)
    more = (tensors.get(name) for name in ("weights", "styles", "scenery", "extents"))
    return PictureMemory(keys, offsets, members, full, small, colours, known, *more)


def table(values: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    """A table of a folder's config.

    Raises:
        NonetError: `config_invalid`, naming it.
    """
    found = values.get(key)
    if not isinstance(found, dict):
        raise NonetError("config_invalid", f"{folder / CONFIG} has no table {key!r}.", "Get the file again.")
    return found


def _bart_tokenizer(folder: Path, suffix: str, vocab_size: int) -> TextTokenizer | None:
    whole = folder / "tokenizer.json"
    if not suffix and whole.is_file():
        return TextTokenizer.bart(read_tokenizer(whole), vocab_size)
    vocab, merges = folder / f"vocab{suffix}.json", folder / f"merges{suffix}.txt"
    if not vocab.is_file() or not merges.is_file():
        return None
    try:
        lines = merges.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NonetError("file_unreadable", f"Cannot read {merges}: {error}.", "Get it again.") from error
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise NonetError("weights_corrupt", f"{merges} holds no pairs of tokens.", "Get it again.")
    return TextTokenizer.bart_from_merges(read_json(vocab), [(p[0], p[1]) for p in pairs], vocab_size)


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a `tokenizer.json`.

    Raises:
        NonetError: `weights_corrupt`, `config_invalid`, `file_unreadable`.
    """
    text = json.dumps(read_json(path))
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the bindings raise bare Exceptions
        reason = str(error).partition("\n")[0]
        raise NonetError(
            "weights_corrupt", f"The tokenizer in {path} cannot be read: {reason}.", "Get it again."
        ) from error


def _splitter(words: Path) -> HashtagSplitter:
    with words.open(encoding="utf-8", errors="replace") as lines:
        return HashtagSplitter.from_lines(lines)
