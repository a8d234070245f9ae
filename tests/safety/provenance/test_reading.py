"""Broken, cut and hostile files get a truthful answer."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonet.errors import NonetError
from nonet.safety.provenance.metadata import FORMATS, PictureMeta, encode
from nonet.safety.provenance.reading import read_metadata

FILES = {
    format: encode(np.full((16, 16, 3), 0.5), PictureMeta(prompt="a cat", model="doodle"), format=format)
    for format in FORMATS
}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    end = FILES["png"][-12:]
    return FILES["png"][:33] + b"".join(chunks) + end


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a", b"\x89PNG", b"RIFF\0\0\0\0WAVE"])
def test_other_files_are_not_pictures(data: bytes) -> None:
    with pytest.raises(NonetError) as caught:
        read_metadata(data)
    assert caught.value.code == "file_unreadable"


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_file_says_so(format: str) -> None:
    data = FILES[format]
    assert read_metadata(data).problems == []
    assert read_metadata(data[: len(data) - 40]).problems != []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_damage_never_crashes(format: str, data: st.DataObject) -> None:
    damaged = bytearray(FILES[format])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(12, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = read_metadata(bytes(damaged)[: data.draw(st.integers(12, len(damaged)))])
    assert found.format == format


def test_a_text_bomb_is_not_inflated() -> None:
    bomb = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 50_000_000))
    found = read_metadata(png_with(bomb))
    assert found.parameters is None
    assert found.problems == ["a text chunk cannot be read"]


def test_xmp_with_entities_is_not_parsed() -> None:
    xmp = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    found = read_metadata(png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)))
    assert found.problems == ["the XMP packet is too large or declares entities"]


@pytest.mark.parametrize("text", [b"[1]", b"{", b"[" * 100_000])
def test_a_broken_record_is_named(text: bytes) -> None:
    found = read_metadata(png_with(chunk(b"tEXt", b"nonet\0" + text)))
    assert found.record is None
    assert found.problems == ["the nonet record cannot be read"]


def test_metadata_after_damage_elsewhere_is_still_read() -> None:
    broken = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x")
    good = chunk(b"tEXt", b'nonet\0{"model":"doodle"}')
    found = read_metadata(png_with(broken, good))
    assert found.record == {"model": "doodle"}
    assert len(found.problems) == 1


def test_a_lying_header_is_reported_as_it_claims() -> None:
    data = bytearray(FILES["png"])
    data[16:24] = struct.pack(">II", 100_000, 90_000)
    found = read_metadata(bytes(data))
    assert (found.width, found.height) == (100_000, 90_000)


def test_a_jpeg_with_bytes_after_its_end_is_whole() -> None:
    assert read_metadata(FILES["jpeg"] + b"trailing").problems == []
