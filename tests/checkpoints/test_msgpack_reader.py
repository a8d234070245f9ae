from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import forged
from nonet.checkpoints.msgpack_reader import read_flax
from nonet.checkpoints.tensors import TensorFiles
from nonet.errors import NonetError

ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)


def written(path: Path, tree: Any) -> Path:
    path.write_bytes(tree if isinstance(tree, bytes) else msgpack.packb(tree, use_bin_type=True))
    return path


def refused(path: Path, tree: Any) -> str:
    with pytest.raises(NonetError) as caught:
        read_flax(written(path, tree))
    assert caught.value.code == "weights_corrupt"
    assert caught.value.hint
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "int64", "uint8", "bool"])
def test_arrays_of_every_type_come_back(tmp_path: Path, dtype: str) -> None:
    values = (np.arange(-6, 6).reshape(3, 4) % 100).astype(dtype)
    path = written(tmp_path / "w", {"a": {"b": forged.pack_array(values), "c": forged.pack_array(values[0])}})
    with TensorFiles(read_flax(path)) as files:
        assert list(files) == ["a.b", "a.c"]
        assert files.read("a.b").tolist() == values.tolist()
        assert files.read("a.b", 1).tolist() == values[1].tolist()
        assert files.read("a.c").tolist() == values[0].tolist()


def test_bfloat16_scalars_and_empty_arrays(tmp_path: Path) -> None:
    tree = {
        "half": forged.as_bfloat16(ARRAY),
        "scalar": forged.pack_array(np.array(2.5)),
        "none": forged.pack_array(np.zeros((0, 3), np.float32)),
    }
    with TensorFiles(read_flax(written(tmp_path / "w", tree))) as files:
        assert files["half"].dtype == torch.bfloat16
        assert files.read("half").float().tolist() == ARRAY.tolist()
        assert files.read("scalar").item() == 2.5
        assert files.read("none").shape == (0, 3)


@pytest.mark.parametrize("size", [1, 3, 5, 11])
def test_chunked_arrays_are_put_together(tmp_path: Path, size: int) -> None:
    tree = {"w": forged.as_chunks(ARRAY, size)}
    with TensorFiles(read_flax(written(tmp_path / "w", tree))) as files:
        assert files.read("w").tolist() == ARRAY.tolist()
        assert files.read("w", 2).tolist() == ARRAY[2].tolist()


def test_types_as_bytes_and_a_level_called_params(tmp_path: Path) -> None:
    # Written without use_bin_type, as older versions did: names and values are "raw".
    array = msgpack.ExtType(1, msgpack.packb((ARRAY.shape, b"float32", ARRAY.tobytes()), use_bin_type=True))
    path = written(tmp_path / "w", msgpack.packb({b"params": {b"a": array}}, use_bin_type=True))
    with TensorFiles(read_flax(path)) as files:
        assert files.read("a").tolist() == ARRAY.tolist()


def test_it_reads_what_is_published(tmp_path: Path) -> None:
    path = forged.GOLDEN / "vqgan" / "flax_model.msgpack"
    tree = forged.read_tree(path)
    with TensorFiles(read_flax(path)) as files:
        kernel = tree["decoder"]["mid"]["block_1"]["conv1"]["kernel"]
        assert files.read("decoder.mid.block_1.conv1.kernel").tolist() == kernel.tolist()


PACKED = forged.pack_array(ARRAY)
INNER = ((3, 4), "float32", ARRAY.tobytes())


def ext(fields: Any, code: int = 1) -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb(fields, use_bin_type=True))


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (b"", "empty"),
        (b"\x80", "no array"),
        (b"\x01", "no map"),
        (b"\x80\x04\x95\x00", "pickle"),
        (b"PK\x03\x04 and so on", "torch file"),
        (b"\xc1", "0xc1"),
        (b"<html>not found</html>", "website"),
        ([PACKED], "no map"),
        ({}, "no array"),
        ({"a": {}}, "no array"),
        ({"a": 3}, "a is 3"),
        ({"a": {"b": [1]}}, r"a.b is [1]"),
        ({1: PACKED}, "is no text"),
        ({"a": ext(INNER, 2)}, "extension type 2"),
        ({"a": ext(INNER, 3)}, "extension type 3"),
        (b"\x81\xa1a\xd4\xff\x00", "extension type -1"),
        ({"a": ext(INNER[:2])}, "not made of"),
        ({"a": ext({"shape": 1})}, "not made of"),
        ({"a": ext(7)}, "not made of"),
        ({"a": ext(((3, -4), "float32", b""))}, "not made of"),
        ({"a": ext(((3, True), "float32", b""))}, "not made of"),
        ({"a": ext((3, "float32", b""))}, "not made of"),
        ({"a": ext(((1,) * 9, "float32", b"1234"))}, "not made of"),
        ({"a": ext(((3, 4), "float31", b""))}, "'float31'"),
        ({"a": ext(((3, 4), "object", b""))}, "'object'"),
        ({"a": ext(((3, 4), "float32", "text"))}, "not made of"),
        ({"a": ext(((3, 5), "float32", ARRAY.tobytes()))}, "needs 60 bytes, but 48"),
        ({"a": ext(((2**62, 2**62), "float32", ARRAY.tobytes()))}, "but 48 are stored"),
        ({"a\x1b[2J": PACKED}, "the name at byte"),
        ({"a": {"b": PACKED}, "a.b": PACKED}, "two arrays have the name a.b"),
        ({"a": {"__msgpack_chunked_array__": True}}, "no shape"),
        ({"a": forged.as_chunks(ARRAY, 5) | {"chunks": {"0": PACKED, "2": PACKED}}}, "chunk of the array a"),
        ({"a": forged.as_chunks(ARRAY, 5) | {"shape": {"0": 3, "1": 5}}}, "needs 60 bytes"),
        ({"a": forged.as_chunks(ARRAY, 5) | {"shape": {"0": 3, "1": "4"}}}, "has the shape"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told(tmp_path: Path, tree: Any, told: str) -> None:
    assert told in refused(tmp_path / "w", tree)


def test_a_name_that_comes_twice(tmp_path: Path) -> None:
    packed = msgpack.packb({"a": PACKED}, use_bin_type=True)
    assert "comes twice" in refused(tmp_path / "w", b"\x82" + packed[1:] * 2)


@pytest.mark.parametrize("end", [1, 5, 20, 40, 60, -1, -30])
def test_a_truncated_file_says_where_it_ends(tmp_path: Path, end: int) -> None:
    whole = msgpack.packb({"model": {"weights": PACKED, "bias": PACKED}}, use_bin_type=True)
    assert "cut off" in refused(tmp_path / "w", whole[:end])


def test_trailing_bytes_are_no_weights(tmp_path: Path) -> None:
    whole = msgpack.packb({"a": PACKED}, use_bin_type=True)
    assert "3 bytes are left over" in refused(tmp_path / "w", whole + b"abc")


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\xa1a" * 100_000,
        b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff" + b"\xa1a\x01" * 50,
        b"\xdd\xff\xff\xff\xff" + b"\xc0" * 1000,
        b"\x81\xa1a\xdd" + struct.pack(">I", 3_000_000) + b"\xc0" * 3_000_000,
        b"\x81\xdb\xff\xff\xff\xff" + b"a" * 100,
        b"\x81\xdb\x00\x10\x00\x00" + b"a" * 2**20 + b"\xc0",
        b"\x81\xa1a\xc9\xff\xff\xff\xff\x01" + b"a" * 100,
        b"\x81\xa1a\xc6\xff\xff\xff\xff" + b"a" * 100,
    ],
    ids=["deep maps", "deep lists", "map", "list", "long list", "text", "long text", "extension", "bytes"],
)
def test_a_false_length_costs_no_memory(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path / "w", data)
    tracemalloc.start()
    try:
        refused(path, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data) + 2_000_000


GOOD = msgpack.packb(
    {"model": {"a": PACKED, "b": forged.as_chunks(ARRAY, 5)}, "c": forged.as_bfloat16(ARRAY)},
    use_bin_type=True,
)
SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_or_refuse(path: Path, data: bytes) -> None:
    """Either every tensor can be read, or a NonetError says why not; nothing else may come out."""
    path.write_bytes(data)
    code = ""
    try:
        with TensorFiles(read_flax(path)) as files:
            for name in files:
                assert files.read(name).nbytes <= len(data)
    except NonetError as error:
        code = error.code
    assert code in ("", "weights_corrupt")


@SETTINGS
@given(data=st.binary(max_size=200))
@example(data=b"\x80")
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    read_or_refuse(tmp_path / "w", data)


@SETTINGS
@given(edits=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_of_a_good_file(tmp_path: Path, edits: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for at, value in edits:
        data[at] = value
    read_or_refuse(tmp_path / "w", bytes(data))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.just(PACKED)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=40)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@SETTINGS
@given(tree=st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_any_tree(tmp_path: Path, tree: dict[str, Any]) -> None:
    read_or_refuse(tmp_path / "w", msgpack.packb(tree, use_bin_type=True))


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NonetError, match="does not exist") as caught:
        read_flax(tmp_path / "none")
    assert caught.value.code == "model_missing"
    with pytest.raises(NonetError, match="Cannot read") as caught:
        read_flax(tmp_path)
    assert caught.value.code == "file_unreadable"
