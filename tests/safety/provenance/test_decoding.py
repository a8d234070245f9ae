"""A stranger's picture is decoded in a process of its own, or refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from drawn_pictures import drawing
from nonet.errors import NonetError
from nonet.safety.provenance import decoding
from nonet.safety.provenance.decoding import MAX_BYTES, check_size, decode_safely
from nonet.safety.provenance.metadata import FORMATS, encode


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_come_back(format: str) -> None:
    picture = drawing(1, 96)
    found = decode_safely(encode(picture, format=format))
    pixels = np.frombuffer(found.pixels, np.uint8).reshape(found.height, found.width, 3)
    assert np.abs(pixels.astype(int) - picture).mean() < (0.001 if format == "png" else 6)
    assert found.shrunk == 1
    assert found.signature is None or found.signature == {}


def test_transparent_pictures_are_seen_on_white() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(stream, "png")
    assert set(decode_safely(stream.getvalue()).pixels) == {255}


def test_large_pictures_are_shrunk() -> None:
    stream = io.BytesIO()
    Image.new("L", (4096, 1024), 100).save(stream, "png")
    found = decode_safely(stream.getvalue())
    assert (found.width, found.height, found.shrunk) == (2048, 512, 2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a PNG"),
        (b"hello", "not a PNG"),
        (png(50_000, 50_000, b""), "too many to look at"),
        (b"\xff\xd8\xff" + b"\0" * 100, "cannot be decoded"),
        (png(0, 10, b""), "cannot be decoded"),
    ],
    ids=["empty", "text", "huge header", "broken jpeg", "no width"],
)
def test_what_cannot_be_decoded_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(NonetError, match=reason) as caught:
        decode_safely(data)
    assert caught.value.code == "file_unreadable"


def test_what_is_left_of_a_cut_picture_is_looked_at() -> None:
    picture = drawing(1, 96)
    whole = encode(picture)
    assert decode_safely(whole).damage == ""
    found = decode_safely(whole[: len(whole) * 2 // 3])
    pixels = np.frombuffer(found.pixels, np.uint8).reshape(96, 96, 3)
    assert np.array_equal(pixels[:20], picture[:20])
    assert found.damage
    assert "0x" not in found.damage


def test_a_file_of_too_many_bytes_is_not_even_read() -> None:
    with pytest.raises(NonetError, match="over 25 MB"):
        check_size(b"\x89PNG\r\n\x1a\n" + b"\0" * MAX_BYTES)


def test_a_header_that_lies_to_be_small_does_not_help() -> None:
    # The header says 8x8; the data would fill a thousand lines.
    bomb = png(8, 8, b"\0" * 200_000_000)
    found = decode_safely(bomb)
    assert len(found.pixels) == 8 * 8 * 3


def test_a_decoder_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_SECONDS", 0.01)
    with pytest.raises(NonetError, match="too long"):
        decode_safely(encode(drawing(1, 64)))


def test_a_decoder_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(NonetError, match="gave up"):
        decode_safely(encode(drawing(1, 64)))
