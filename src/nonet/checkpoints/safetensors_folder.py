"""Our own layout: a folder with `config.json`, and one safetensors file for each network.

| file | holds |
|---|---|
| `config.json` | `format`, `name`, `seq2seq`, `codec`, `text_encoder`, `judge`, `defaults`, `licence`,
`origin` | | `seq2seq.safetensors` | the decoder, and the text encoder where it was trained with it | |
`codec.safetensors` | the VQGAN | | `text.safetensors` | the frozen text encoder | | `judge.safetensors` | the
judge | | `memory.safetensors`, `sources.json` | the picture memory, and what each of its pictures is | |
`tokenizer.json` | the tokenizer |

Networks are in float32, float16, bfloat16 or in int8 with scales (see `quantise`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nonet.checkpoints.flax import read_json
from nonet.checkpoints.tensors import Chunk, Entry, TensorFiles, corrupt, foreign, unreadable
from nonet.files import atomic_write

FORMAT = "nonet-1"
CONFIG = "config.json"

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_FROM_TYPES = {name: dtype for dtype, name in _TYPES.items()}
# The format's own limit.
_LONGEST_HEADER = 100_000_000


def is_ours(folder: Path) -> bool:
    """Whether a folder is in our layout."""
    path = folder / CONFIG
    return path.is_file() and read_json(path).get("format") == FORMAT


def open_safetensors(path: Path) -> TensorFiles:
    """The tensors of a safetensors file; int8 ones with scales read as floats.

    Raises:
        NonetError: `weights_corrupt`, `model_missing`, `file_unreadable`.
    """
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            start = stream.read(32)
            length = int.from_bytes(start[:8], "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise corrupt(path, foreign(start) or "it is cut off, or no safetensors file")
            stream.seek(8)
            header = json.loads(stream.read(length))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError):
        raise corrupt(path, "its header is no JSON") from None
    if not isinstance(header, dict):
        raise corrupt(path, "its header is no list of tensors")
    header.pop("__metadata__", None)
    base = 8 + length
    entries = {name: _entry(path, name, value, base, size) for name, value in header.items()}
    return TensorFiles(entries, scaled=True)


def _entry(path: Path, name: str, value: Any, base: int, size: int) -> Entry:
    try:
        dtype, shape = _FROM_TYPES[value["dtype"]], tuple(value["shape"])
        first, last = value["data_offsets"]
        if not all(type(number) is int for number in (*shape, first, last)):
            raise ValueError("its shape or place is no list of numbers")
        if not 0 <= first <= last <= size - base or any(axis < 0 for axis in shape):
            raise ValueError("it lies outside the file")
        return Entry(dtype, shape, (Chunk(path, base + first, last - first),))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"the tensor {name!r} does not fit: {error}; the file is cut off or damaged"
        raise corrupt(path, reason) from None


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a small file as they are stored.

    Raises:
        NonetError: as `open_safetensors`.
    """
    open_safetensors(path)
    return load_file(path)


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, one after another, without a second copy of all of them."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    # Wide types first keeps every tensor aligned.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    for name, tensor in ordered:
        offsets = [at, at + tensor.nbytes]
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": offsets,
        }
        at = offsets[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in ordered:
            flat = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
            stream.write(memoryview(flat.numpy()))  # type: ignore[arg-type]


def write_json(path: Path, values: Any) -> None:
    """Write JSON that a person can read."""
    with atomic_write(path) as stream:
        stream.write((json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
