"""Reading a picture's description without decoding its pixels, from bytes that nobody vouches for."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image

from nonet.errors import NonetError
from nonet.safety.provenance.metadata import NS_IPTC, NS_NONET, SOURCE_TYPE, XMP_KEYWORD

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_TEXT = 1 << 20
_MAX_PIECES = 10_000


@dataclass
class Metadata:
    """What was found in a file.

    Attributes:
        format: png, jpeg or webp.
        width, height: as the header claims; 0 when it says nothing.
        parameters: the text in AUTOMATIC1111's syntax, or None.
        record: our JSON record, or None.
        digital_source_type: IPTC's address, or None.
        software: who says to have written it, or None.
        problems: what was there and could not be read.
    """

    format: str
    width: int = 0
    height: int = 0
    parameters: str | None = None
    record: dict[str, Any] | None = None
    digital_source_type: str | None = None
    software: str | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def says_generated(self) -> bool:
        """Whether the file itself says that a model made it."""
        return self.digital_source_type == SOURCE_TYPE or self.record is not None


def read_metadata(data: bytes) -> Metadata:
    """The description inside a PNG, JPEG or WebP file.

    Broken parts are named in `problems`; the other parts are read all the same. Only headers are looked at.

    Raises:
        NonetError: `file_unreadable` when the bytes are none of these formats.
    """
    if data.startswith(_PNG):
        return _read_png(data)
    if data.startswith(b"\xff\xd8"):
        return _read_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    raise NonetError("file_unreadable", "This is not a PNG, JPEG or WebP picture.")


def _read_png(data: bytes) -> Metadata:
    found = Metadata("png")
    position, ended = len(_PNG), False
    for _ in range(_MAX_PIECES):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if len(body) < length:
            found.problems.append(f"the file ends inside its {kind.decode('latin-1')} chunk")
            break
        position += 12 + length
        if kind == b"IHDR" and length >= 8:
            found.width, found.height = struct.unpack_from(">II", body)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                _take_text(found, *_png_text(kind, body))
            except (ValueError, zlib.error):
                found.problems.append("a text chunk cannot be read")
        elif kind == b"IEND":
            ended = True
            break
    if not ended and not found.problems:
        found.problems.append("the file ends too early")
    return found


def _png_text(kind: bytes, body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        return name, _inflate(rest[1:]).decode("latin-1")
    compressed, rest = rest[:1] == b"\1", rest[2:]
    for _ in range(2):  # the language tag and the translated keyword
        rest = rest.partition(b"\0")[2]
    return name, (_inflate(rest) if compressed else rest).decode("utf-8")


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _MAX_TEXT)
    if inflater.unconsumed_tail:
        raise ValueError("a compressed text grows too large")
    return text


def _take_text(found: Metadata, name: str, text: str) -> None:
    if name == "parameters" and found.parameters is None:
        found.parameters = text
    elif name == "nonet":
        _take_record(found, text)
    elif name == "Software":
        found.software = text
    elif name == XMP_KEYWORD:
        _take_xmp(found, text.encode())


def _take_record(found: Metadata, text: str) -> None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict):
        found.record = record
    else:
        found.problems.append("the nonet record cannot be read")


def _take_xmp(found: Metadata, packet: bytes) -> None:
    # No entity is ever needed here, and entities are what makes XML dangerous.
    if len(packet) > _MAX_TEXT or b"<!" in packet:
        found.problems.append("the XMP packet is too large or declares entities")
        return
    try:
        tree = ElementTree.fromstring(packet.strip(b"\0 \n").decode("utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, RecursionError):
        found.problems.append("the XMP packet cannot be read")
        return
    for element in tree.iter():
        for name, value in [*element.attrib.items(), (element.tag, (element.text or "").strip())]:
            if name == f"{{{NS_IPTC}}}DigitalSourceType" and value:
                found.digital_source_type = value
            elif name == f"{{{NS_NONET}}}record" and value:
                _take_record(found, value)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    for _ in range(_MAX_PIECES):
        if position + 4 > len(data) or data[position] != 0xFF:
            return
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + max(length, 2)


def _read_jpeg(data: bytes) -> Metadata:
    found = Metadata("jpeg")
    for marker, body in _jpeg_segments(data):
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            _take_exif(found, body)
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            _take_xmp(found, body.partition(b"\0")[2])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) >= 5:
            found.height, found.width = struct.unpack_from(">HH", body, 1)
    if b"\xff\xd9" not in data[-65536:]:  # other programs append things behind the end
        found.problems.append("the file ends too early")
    return found


def _read_webp(data: bytes) -> Metadata:
    found = Metadata("webp")
    position = 12
    for _ in range(_MAX_PIECES):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        if len(body) < length:
            found.problems.append(f"the file ends inside its {kind.decode('latin-1')} chunk")
            break
        position += 8 + length + length % 2
        if kind == b"EXIF":
            _take_exif(found, body)
        elif kind == b"XMP ":
            _take_xmp(found, body)
        else:
            _take_webp_size(found, kind, body)
    return found


def _take_webp_size(found: Metadata, kind: bytes, body: bytes) -> None:
    if kind == b"VP8X" and len(body) >= 10:
        found.width = int.from_bytes(body[4:7], "little") + 1
        found.height = int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8 " and len(body) >= 10 and not found.width:
        width, height = struct.unpack_from("<HH", body, 6)
        found.width, found.height = width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L" and len(body) >= 5 and not found.width:
        bits = int.from_bytes(body[1:5], "little")
        found.width, found.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _take_exif(found: Metadata, block: bytes) -> None:
    try:
        exif = Image.Exif()
        exif.load(block)
        software = exif.get(ExifTags.Base.Software)
        comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    except Exception:  # Pillow raises whatever its parser trips over: struct, value, syntax, key errors
        found.problems.append("the EXIF block cannot be read")
        return
    if isinstance(software, str):
        found.software = software
    if isinstance(comment, bytes) and len(comment) > 8:
        text = _comment_text(comment)
        if found.parameters is None and text:
            found.parameters = text


def _comment_text(comment: bytes) -> str:
    code, body = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        # EXIF leaves the byte order open; ours is big-endian, and the wrong order gives few ASCII letters.
        guesses = [body.decode(name, "replace") for name in ("utf-16-be", "utf-16-le")]
        return max(guesses, key=lambda text: len(re.findall(r"[ -~]", text)))
    return body.decode("utf-8", "replace").strip("\0")
