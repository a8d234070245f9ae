"""Decoding a stranger's picture in a process of its own, with limits on memory, time and size.

`python -m nonet.safety.provenance.decoding` reads a file from standard input and writes one JSON line and the pixels
to standard output. Whatever a broken or hostile picture does to a decoder, it does it there.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image, ImageFile

from nonet.errors import NonetError
from nonet.safety.provenance.reading import read_metadata

MAX_BYTES = 25_000_000
MAX_PIXELS = 40_000_000
MAX_SECONDS = 20
# Larger pictures are looked at smaller; the mark survives that.
_LARGEST_SIDE = 2048
_MEMORY = 1_500_000_000


@dataclass(frozen=True)
class Decoded:
    """A picture that was decoded.

    Attributes:
        height, width: of `pixels`.
        pixels: RGB bytes, height * width * 3 of them.
        shrunk: how many times smaller than the file's picture `pixels` are; 1 for most.
        signature: fields of `c2pa.Signature`, None for no manifest, or an empty dict when it was not looked for.
        damage: why the file could not be decoded as it should be, where `pixels` are what is left of it; else empty.
    """

    height: int
    width: int
    pixels: bytes
    shrunk: float
    signature: dict[str, Any] | None
    damage: str = ""


def check_size(data: bytes) -> None:
    """Refuse a picture by its length and its header alone.

    Raises:
        NonetError: `file_unreadable` for too many bytes or pixels, or no picture at all.
    """
    if len(data) > MAX_BYTES:
        raise NonetError("file_unreadable", f"The file has over {MAX_BYTES // 1_000_000} MB.")
    header = read_metadata(data)
    if header.width * header.height > MAX_PIXELS:
        size = f"{header.width}x{header.height}"
        raise NonetError("file_unreadable", f"The picture claims {size} pixels, too many to look at.")


def decode_safely(data: bytes) -> Decoded:
    """The picture's pixels and signature, read in a limited process.

    Raises:
        NonetError: `file_unreadable` when the picture is too large or cannot be decoded.
    """
    check_size(data)
    command = [sys.executable, "-I", "-m", "nonet.safety.provenance.decoding"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=MAX_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NonetError("file_unreadable", "The picture takes too long to decode.") from error
    head, _, pixels = done.stdout.partition(b"\n")
    try:
        answer = json.loads(head) if done.returncode == 0 else {"problem": "the decoder gave up on it"}
    except ValueError:
        answer = {"problem": "the decoder gave up on it"}
    if "problem" in answer:
        raise NonetError("file_unreadable", f"The picture cannot be decoded: {answer['problem']}.")
    found = Decoded(pixels=pixels, **answer)
    if len(pixels) != found.height * found.width * 3:
        raise NonetError("file_unreadable", "The picture cannot be decoded: the decoder gave up on it.")
    return found


def _limit() -> None:
    # Not on Windows; there the time limit of the parent is what remains.
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        # No core files, and no file can be written.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(data: bytes) -> tuple[dict[str, Any], bytes]:
    from nonet.safety.provenance import c2pa

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    format = read_metadata(data).format
    signature: dict[str, Any] | None = {}
    if c2pa.available():
        found = c2pa.read_signature(data, format)
        signature = asdict(found) if found else None
    try:
        picture, whole = _picture(data, format)
        damage = ""
    except Exception as error:
        # A picture that was cut or changed by a bit can still be looked at, as far as it goes.
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        damage = _in_words(error)
        picture, whole = _picture(data, format)
    answer = {
        "height": picture.height,
        "width": picture.width,
        "shrunk": max(whole) / max(picture.size),
        "signature": signature,
        "damage": damage,
    }
    return answer, picture.tobytes()


def _picture(data: bytes, format: str) -> tuple[Image.Image, tuple[int, int]]:
    """The picture in RGB, not larger than is looked at, and its whole size."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(io.BytesIO(data), formats=[format]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("it has too many pixels")
            shrunk = max(1.0, max(image.size) / _LARGEST_SIDE)
            image.draft("RGB", (round(image.width / shrunk), round(image.height / shrunk)))
            picture = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
            whole = image.size
    if picture.mode == "RGBA":
        # What is transparent is seen on white.
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    if max(picture.size) > _LARGEST_SIDE:
        picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BICUBIC)
    return picture, whole


def _in_words(error: Exception) -> str:
    """A decoder's own words, cut short and without addresses of objects."""
    text = re.sub(r"<[^<>]*>", "the file", str(error)).strip()
    return text.splitlines()[0][:200] if text else "it is damaged"


def main() -> None:
    """The limited process: standard input to standard output."""
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    _limit()
    try:
        answer, pixels = _answer(data)
    except MemoryError:
        answer, pixels = {"problem": "it needs too much memory"}, b""
    except Exception as error:  # every decoder has errors of its own, and all of them mean the same here
        answer, pixels = {"problem": _in_words(error)}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + pixels)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
