"""Forged checkpoints: files in the published formats, with weights of chance, written without the code under test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parent / "data" / "golden" / "dalle-mini-small"
BPE = Path(__file__).parent / "data" / "bpe"

Array = NDArray[Any]
Tree = dict[str, Any]


def read_tree(path: Path) -> Tree:
    """A Flax file as nested dicts of arrays, read by the msgpack library."""

    def array(code: int, data: bytes) -> Array:
        assert code == 1
        shape, dtype, values = msgpack.unpackb(data, raw=False)
        return np.frombuffer(values, dtype).reshape(shape)

    tree: Tree = msgpack.unpackb(path.read_bytes(), ext_hook=array, raw=False)
    return tree


def pack_array(values: Array, dtype: str = "") -> msgpack.ExtType:
    """An array as Flax packs it; `dtype` names what numpy has not (bfloat16, given as uint16)."""
    fields = (values.shape, dtype or values.dtype.name, values.tobytes())
    return msgpack.ExtType(1, msgpack.packb(fields, use_bin_type=True))


def write_tree(path: Path, tree: Tree, pack: Callable[[Array], Any] = pack_array) -> None:
    """Nested dicts of arrays as a Flax file, one array after another."""
    packer = msgpack.Packer(use_bin_type=True)

    def write(stream: BinaryIO, node: Tree) -> None:
        stream.write(packer.pack_map_header(len(node)))
        for key, value in node.items():
            stream.write(packer.pack(key))
            if isinstance(value, dict):
                write(stream, value)
            else:
                stream.write(packer.pack(pack(value)))

    with path.open("wb") as stream:
        write(stream, tree)


def mapped(tree: Tree, change: Callable[[Array], Any]) -> Tree:
    """The tree with every array changed; what is no array stays."""
    return {
        key: mapped(value, change)
        if isinstance(value, dict)
        else (change(value) if isinstance(value, np.ndarray) else value)
        for key, value in tree.items()
    }


def as_bfloat16(values: Array) -> msgpack.ExtType:
    """Round to bfloat16 (to nearest even) and pack it under that name."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return pack_array(rounded.astype(np.uint16), "bfloat16")


def as_chunks(values: Array, size: int = 1000) -> Any:
    """An array cut as Flax cuts large ones."""
    if values.size <= size:
        return pack_array(values)
    flat = values.reshape(-1)
    pieces = [flat[at : at + size] for at in range(0, flat.size, size)]
    return {
        "__msgpack_chunked_array__": True,
        "shape": {str(axis): length for axis, length in enumerate(values.shape)},
        "chunks": {str(index): pack_array(piece) for index, piece in enumerate(pieces)},
    }


def unscanned(tree: Tree) -> Tree:
    """The same weights with a name for every layer; the tree itself is changed."""
    for side in ("encoder", "decoder"):
        layers = tree["model"][side]["layers"]
        name = f"FlaxBart{side.capitalize()}Layers"
        stacked = layers[name]
        count = stacked["LayerNorm_0"]["bias"].shape[0]
        for index in range(count):
            layers[f"{name[:-1]}_{index}"] = mapped(stacked, lambda v, index=index: v[index])  # type: ignore[misc]
        del layers[name]
    return tree


def dalle_folder(folder: Path, change: Callable[[Tree], Tree] = lambda tree: tree, **pack: Any) -> Path:
    """The golden model with its tree changed, a tokenizer, and its codec in `vqgan`."""
    folder.mkdir(parents=True)
    write_tree(
        folder / "flax_model.msgpack", change(read_tree(GOLDEN / "dalle" / "flax_model.msgpack")), **pack
    )
    shutil.copyfile(GOLDEN / "dalle" / "config.json", folder / "config.json")
    shutil.copyfile(BPE / "tokenizer.json", folder / "tokenizer.json")
    # Not copytree: the originals may be read-only, and the copies are changed.
    (folder / "vqgan").mkdir()
    for file in ("config.json", "flax_model.msgpack"):
        shutil.copyfile(GOLDEN / "vqgan" / file, folder / "vqgan" / file)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON object in a file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
