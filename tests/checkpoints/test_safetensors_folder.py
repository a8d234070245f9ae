from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nonet.checkpoints.quantise import quantise
from nonet.checkpoints.safetensors_folder import open_safetensors, write_safetensors
from nonet.errors import NonetError

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int16, torch.int8]
DTYPES += [torch.int32, torch.uint8, torch.bool]


def test_what_is_written_the_library_reads(tmp_path: Path) -> None:
    tensors = {f"t{i}": (torch.arange(15) % 2).view(3, 5).to(dtype) for i, dtype in enumerate(DTYPES)}
    tensors["transposed"] = torch.arange(6.0).view(2, 3).T
    tensors["scalar"] = torch.tensor(3.5)
    tensors["none"] = torch.zeros(0, 4)
    write_safetensors(tmp_path / "w", tensors)
    again = load_file(tmp_path / "w")
    assert set(again) == set(tensors)
    for name, tensor in tensors.items():
        assert again[name].dtype == tensor.dtype
        assert torch.equal(again[name], tensor)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.arange(12).view(3, 4).to(dtype) for i, dtype in enumerate(DTYPES)}
    save_file(tensors, tmp_path / "w", {"note": "metadata is no tensor"})
    with open_safetensors(tmp_path / "w") as files:
        assert set(files) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(files.read(name), tensor)
            assert torch.equal(files.read(name, 2), tensor[2])


def test_scaled_matrices_are_read_as_floats(tmp_path: Path) -> None:
    weight = torch.randn(8, 4, 3, generator=torch.Generator().manual_seed(0))
    write_safetensors(tmp_path / "w", quantise({"w": weight, "b": torch.ones(3)}, smallest=1))
    with open_safetensors(tmp_path / "w") as files:
        assert sorted(files) == ["b", "w"]
        torch.testing.assert_close(files.read("w"), weight, atol=0.02, rtol=0)
        assert torch.equal(files.read("w", 3), files.read("w")[3])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut off"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}", "cut off"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00[]", "no list of tensors"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00{[", "no JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256", "Git LFS"),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00", "pickle"),
        (b"\xff" * 20, "cut off"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(NonetError, match=told) as caught:
        open_safetensors(tmp_path / "w")
    assert caught.value.code == "weights_corrupt"


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F31"},
        {"shape": [3, 5]},
        {"shape": [-3, -4]},
        {"shape": "34"},
        {"data_offsets": [0, 10**12]},
        {"data_offsets": [-48, 0]},
        {"data_offsets": [0]},
    ],
    ids=str,
)
def test_headers_that_lie(tmp_path: Path, change: dict[str, object]) -> None:
    entry = {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]} | change
    header = json.dumps({"a": entry}).encode()
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + bytes(48))
    with pytest.raises(NonetError, match="'a' does not fit"):
        open_safetensors(tmp_path / "w")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 200), value=st.integers(0, 255))
def test_changed_bytes_are_read_or_refused(tmp_path: Path, at: int, value: int) -> None:
    path = tmp_path / "w"
    write_safetensors(path, {"a": torch.ones(3, 4), "b": torch.zeros(2, dtype=torch.int16)})
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(bytes(data))
    code = ""
    try:
        with open_safetensors(path) as files:
            for name in files:
                files.read(name)
    except NonetError as error:
        code = error.code
    assert code in ("", "weights_corrupt")
