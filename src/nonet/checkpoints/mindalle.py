"""min-dalle's torch files: `encoder.pt`, `decoder.pt`, `detoker.pt`, each a plain map of tensors.

Such a file is a pickle, which could hold code. torch's restricted reader (`weights_only`) makes nothing but
tensors and plain values, and refuses everything else, so nothing in a file is ever run.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nonet.checkpoints.flax import read_json
from nonet.checkpoints.tensors import Chunk, Entry, TensorFiles, corrupt, unreadable
from nonet.errors import NonetError
from nonet.files import atomic_write
from nonet.model.config import Seq2SeqConfig

DETOKER = "detoker.pt"
# What min-dalle's program knows by heart and its files do not say.
_HEAD_SIZE = 64
_KNOWN_WIDTHS = (1024, 2048)
_START_TOKEN = 16384


@dataclass(frozen=True)
class TorchSet:
    """The files of one model; `suffix` is "_mini" where a folder keeps Mini beside Mega."""

    folder: Path
    suffix: str = ""

    @property
    def encoder(self) -> Path:
        return self.folder / f"encoder{self.suffix}.pt"

    @property
    def decoder(self) -> Path:
        return self.folder / f"decoder{self.suffix}.pt"


def find_set(path: Path) -> TorchSet | None:
    """The files that a folder, or one of the files, stands for; None where there are none.

    Raises:
        NonetError: `setting_invalid` where a folder holds two models.
    """
    if path.is_file():
        named = re.fullmatch(r"(?:encoder|decoder)(_\w+)?\.pt", path.name)
        return TorchSet(path.parent, named[1] or "") if named else None
    found = sorted(file.name for file in path.glob("decoder*.pt"))
    if len(found) > 1:
        raise NonetError(
            "setting_invalid",
            f"{path} holds several models: {', '.join(found)}.",
            f"Name the file of the one that you mean, as {path / found[-1]}.",
        )
    return find_set(path / found[0]) if found else None


def open_pt(path: Path) -> TensorFiles:
    """The tensors of one `.pt` file.

    Raises:
        NonetError: `weights_corrupt` where it is no map of tensors or holds code, `file_unreadable`.
    """
    try:
        values = _load(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except NonetError:
        raise
    except Exception as error:  # torch raises half a dozen kinds for a broken or forbidden pickle
        first = str(error).strip().partition("\n")[0]
        reason = f"torch cannot read it ({type(error).__name__}: {first[:120]})"
        if "weights_only" in str(error):
            reason = "it holds more than tensors, and code in a file of weights is never run"
        raise corrupt(path, reason) from error
    return TensorFiles({name: _entry(path, value) for name, value in values.items()})


def open_set(files: TorchSet) -> TensorFiles:
    """The tensors of encoder and decoder, their names beginning with "encoder." and "decoder.".

    Raises:
        NonetError: `model_missing`, `weights_corrupt`, `file_unreadable`.
    """
    entries: dict[str, Entry] = {}
    for side, path in (("encoder", files.encoder), ("decoder", files.decoder)):
        entries |= open_pt(path).prefixed(f"{side}.")
    return TensorFiles(entries)


def config_of(files: TorchSet, found: Mapping[str, Entry]) -> Seq2SeqConfig:
    """The config beside the files, or, as min-dalle's own folders have none, the one that the shapes tell.

    Raises:
        NonetError: `config_invalid`.
    """
    for name in (f"config{files.suffix}.json", "config.json"):
        if (files.folder / name).is_file():
            return Seq2SeqConfig.from_dict(read_json(files.folder / name))
    shapes = {name: entry.shape for name, entry in found.items()}
    try:
        text_rows, width = shapes["encoder.embed_tokens.weight"]
        sizes: dict[str, Any] = {
            "d_model": width,
            "encoder_vocab_size": text_rows,
            "image_vocab_size": shapes["decoder.embed_tokens.weight"][0] - 1,
            "max_text_length": shapes["encoder.embed_positions.weight"][0],
            "image_length": shapes["decoder.embed_positions.weight"][0],
            "decoder_start_token_id": _START_TOKEN,
            "normalize_text": True,
        }
        for side in ("encoder", "decoder"):
            numbers = [int(m[1]) for name in shapes if (m := re.match(rf"{side}\.layers\.(\d+)\.", name))]
            sizes[f"{side}_layers"] = max(numbers) + 1
            sizes[f"{side}_ffn_dim"] = shapes[f"{side}.layers.0.glu.fc0.weight"][0]
            sizes[f"{side}_attention_heads"] = width // _HEAD_SIZE
    except (KeyError, ValueError, IndexError) as error:
        raise corrupt(files.decoder, f"it is not min-dalle's, {error} is not there") from None
    if width not in _KNOWN_WIDTHS:
        raise NonetError(
            "config_invalid",
            f"{files.folder} has no config.json, and its weights are neither Mini's nor Mega's.",
            "Put the model's config.json beside them.",
        )
    return Seq2SeqConfig.from_dict(sizes)


def write_pt(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a map of tensors as torch does."""
    owned = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    with atomic_write(path) as stream:
        torch.save(owned, stream)


def _load(path: Path) -> dict[str, Tensor]:
    """The file's map; its tensors have places in the file in the stead of values, where torch tells them."""
    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    if zipped:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise corrupt(path, "its tensors are compressed, as torch never writes them")
        # Under this mode torch tells where each tensor lies and reads none of them.
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode():
            values = _map(path, torch.load(path, weights_only=True))
        if all(value.is_contiguous() and _offset(value) is not None for value in values.values()):
            return values
    return _map(path, torch.load(path, map_location="cpu", weights_only=True))


def _map(path: Path, values: Any) -> dict[str, Tensor]:
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in values.items()
    ):
        raise corrupt(path, "it is no map of names to tensors")
    return values


def _offset(value: Tensor) -> int | None:
    found: int | None = getattr(value.untyped_storage(), "_checkpoint_offset", None)
    return found


def _entry(path: Path, value: Tensor) -> Entry:
    shape = tuple(value.shape)
    offset = _offset(value)
    if offset is None:
        return Entry(value.dtype, shape, (), value)
    start = offset + int(value.storage_offset()) * value.dtype.itemsize
    return Entry(value.dtype, shape, (Chunk(path, start, value.nbytes),))
