"""The published format: `config.json` and `flax_model.msgpack`, whole or in shards, read and written."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import torch
from torch import Tensor

from nonet.checkpoints.msgpack_reader import read_flax
from nonet.checkpoints.tensors import Entry, TensorFiles, corrupt, unreadable
from nonet.errors import NonetError
from nonet.files import atomic_write

WEIGHTS = "flax_model.msgpack"
INDEX = "flax_model.msgpack.index.json"


def is_flax(folder: Path) -> bool:
    """Whether a folder holds weights in this format."""
    return (folder / WEIGHTS).is_file() or (folder / INDEX).is_file()


def open_flax(folder: Path) -> TensorFiles:
    """The arrays of a folder, from one file or from the shards that its index names.

    Raises:
        NonetError: `weights_corrupt`, `model_missing` where a shard is not there, `file_unreadable`.
    """
    if (folder / WEIGHTS).is_file():
        return TensorFiles(read_flax(folder / WEIGHTS))
    index = folder / INDEX
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise corrupt(index, "it has no weight_map")
    entries: dict[str, Entry] = {}
    for shard in dict.fromkeys(weight_map.values()):
        # A name with a folder in it could point anywhere.
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise corrupt(index, f"it names the file {shard!r}")
        if not (folder / shard).is_file():
            raise NonetError("model_missing", f"{folder / shard} is missing.", "Get the rest of the files.")
        found = read_flax(folder / shard)
        if twice := [name for name in found if name in entries]:
            raise corrupt(folder / shard, f"other files hold these arrays, too: {', '.join(twice)}")
        entries |= found
    listed = {str(name).replace("/", ".") for name in weight_map}
    if missing := sorted(listed - set(entries)):
        raise corrupt(index, f"no file holds these arrays: {', '.join(missing)}")
    return TensorFiles(entries)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        NonetError: `config_invalid`, `model_missing`, `file_unreadable`.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise NonetError("config_invalid", f"{path} is no JSON: {error}.", "Get the file again.") from error
    except RecursionError:
        raise NonetError("config_invalid", f"{path} is nested too deeply.", "Get the file again.") from None
    if not isinstance(values, dict):
        raise NonetError("config_invalid", f"{path} holds no JSON object.", "Get the file again.")
    return values


def write_flax(path: Path, arrays: Mapping[str, Sequence[Tensor]]) -> None:
    """Write a msgpack file as Flax does, one tensor after another.

    Args:
        arrays: dotted names with one tensor, or with the layers that are stacked on a new first axis.
    """
    stacked = {name for name in arrays if "Layers." in name}
    tree: dict[str, Any] = {}
    for name in sorted(arrays):
        *folders, leaf = name.split(".")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[leaf] = name
    with atomic_write(path) as stream:
        _write_tree(stream, tree, arrays, stacked)


def _write_tree(
    stream: BinaryIO, tree: dict[str, Any], arrays: Mapping[str, Sequence[Tensor]], stacked: set[str]
) -> None:
    stream.write(msgpack.Packer().pack_map_header(len(tree)))
    for key, value in tree.items():
        stream.write(msgpack.packb(key))
        if isinstance(value, dict):
            _write_tree(stream, value, arrays, stacked)
        else:
            _write_array(stream, value, arrays[value], value in stacked)


def _write_array(stream: BinaryIO, name: str, layers: Sequence[Tensor], stacked: bool) -> None:
    first = layers[0]
    shape = (len(layers), *first.shape) if stacked else tuple(first.shape)
    size = math.prod(shape) * first.dtype.itemsize
    if size >= 2**32 - 1024:
        raise NonetError("setting_invalid", f"{name} is too large for a Flax file.", "Keep our own format.")
    dtype = str(first.dtype).removeprefix("torch.")
    # An array of three: shape, type, values. The values' bytes follow their length.
    head = b"\x93" + msgpack.packb(shape) + msgpack.packb(dtype) + b"\xc6" + struct.pack(">I", size)
    stream.write(b"\xc9" + struct.pack(">Ib", len(head) + size, 1) + head)
    for raw in _bytes(layers):
        stream.write(raw)


def _bytes(layers: Sequence[Tensor]) -> Iterator[memoryview]:
    for layer in layers:
        flat = layer.detach().cpu().contiguous().view(-1).view(torch.uint8)
        yield memoryview(flat.numpy())  # type: ignore[arg-type]
