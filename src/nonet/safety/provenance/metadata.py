"""Pictures with their own description inside: PNG, JPEG and WebP.

Three layers that different readers know:

- `parameters` in the syntax of AUTOMATIC1111's web UI (a PNG text chunk; EXIF UserComment in JPEG and WebP);
- one JSON record of our own (a PNG text chunk `nonet`; the XMP property `nonet:record` elsewhere);
- XMP with IPTC's `DigitalSourceType` = `trainedAlgorithmicMedia`, the machine-readable "made by a model".

Nothing here depends on the clock, so that a drawing from one seed is one sequence of bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from unicodedata import category
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

from nonet.errors import NonetError

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
NS_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NS_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
NS_XMP = "http://ns.adobe.com/xap/1.0/"
NS_NONET = "urn:nonet:record:1.0/"
XMP_KEYWORD = "XML:com.adobe.xmp"
FORMATS = ("png", "jpeg", "webp")
# JPEG keeps EXIF and XMP in one segment of 65,533 bytes each; UserComment is UTF-16.
_MAX_RECORD = 40_000
_MAX_PARAMETERS = 14_000
_SETTING_NAMES = {
    "guidance": "CFG scale",
    "temperature": "Temperature",
    "top_k": "Top K",
    "top_p": "Top P",
    "candidates": "Candidates",
    "steps": "Steps",
}


@dataclass(frozen=True)
class PictureMeta:
    """What a picture says about itself.

    Attributes:
        prompt, negative: the user's words; leave them empty to keep them out of the file.
        model: name of the model, for example `doodle`.
        model_version: version or fingerprint of its weights.
        seed: the picture's own seed (request seed + index).
        settings: guidance, temperature, top_k, ...; JSON values.
        sources: what the drawing was drawn after, as JSON objects (title, author, licence).
        created: ISO 8601 time in UTC, or empty to leave the time out (then equal drawings are equal files).
        extra: further JSON values for the record.
    """

    prompt: str = ""
    negative: str = ""
    model: str = ""
    model_version: str = ""
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[Mapping[str, Any]] = ()
    created: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The JSON record; empty fields are left out, and so are sources that would not fit into a JPEG."""
        record: dict[str, Any] = {
            "prompt": self.prompt,
            "negative": self.negative,
            "model": self.model,
            "model_version": self.model_version,
            "generator": f"nonet {nonet_version()}",
            "seed": self.seed,
            "settings": dict(self.settings),
            "sources": [dict(source) for source in self.sources],
            "created": self.created,
            "digital_source_type": SOURCE_TYPE,
            **self.extra,
        }
        record = {key: value for key, value in record.items() if value not in (None, "", {}, [])}
        while len(_dump(record)) > _MAX_RECORD and record.get("sources"):
            record["sources_omitted"] = record.get("sources_omitted", 0) + 1
            record["sources"] = record["sources"][:-1]
        if len(_dump(record)) > _MAX_RECORD:
            raise NonetError("setting_invalid", f"The picture's description is over {_MAX_RECORD} bytes.")
        return record


@cache
def nonet_version() -> str:
    """The installed version."""
    try:
        return version("nonet")
    except PackageNotFoundError:
        return "0"


def _dump(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def parameters_text(meta: PictureMeta, size: tuple[int, int]) -> str:
    """The description in AUTOMATIC1111's syntax; `size` is (width, height) in pixels."""
    fields: dict[str, str] = {
        _SETTING_NAMES.get(name, name.replace("_", " ").capitalize()): _one_line(str(value))
        for name, value in meta.settings.items()
        if value is not None
    }
    if meta.seed is not None:
        fields["Seed"] = str(meta.seed)
    fields["Size"] = f"{size[0]}x{size[1]}"
    if meta.model:
        fields["Model"] = _one_line(meta.model)
    fields["Version"] = f"nonet {nonet_version()}"
    lines = [_one_line(meta.prompt)]
    if meta.negative:
        lines.append("Negative prompt: " + _one_line(meta.negative))
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in fields.items()))
    return "\n".join(lines)[:_MAX_PARAMETERS]


def _one_line(text: str) -> str:
    # Control characters end text chunks early, and lone surrogates have no place in any file.
    return " ".join("".join(" " if category(letter) in ("Cc", "Cs") else letter for letter in text).split())


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ',:"\n') else value


def xmp_packet(meta: PictureMeta, *, with_record: bool) -> bytes:
    """The XMP packet; `with_record` puts the JSON record into it, for formats without text chunks."""
    record = f" nonet:record={quoteattr(_dump(meta.record()))}" if with_record else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{NS_RDF}"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{NS_IPTC}"'
        f' xmlns:xmp="{NS_XMP}" xmlns:nonet="{NS_NONET}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"'
        f' xmp:CreatorTool="nonet {nonet_version()}"{record}/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def to_image(pixels: Any) -> Image.Image:
    """Pixels as an RGB picture.

    Args:
        pixels: a Pillow image, or an array or CPU tensor (height, width, 3) as uint8 or as floats in [0, 1]
            (clipped).

    Raises:
        ValueError: another shape.
    """
    if isinstance(pixels, Image.Image):
        return pixels if pixels.mode == "RGB" else pixels.convert("RGB")
    array = np.asarray(pixels)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"pixels must be (height, width, 3), not {array.shape}")
    if array.dtype != np.uint8:
        array = (np.nan_to_num(array.astype(np.float32)).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))


def encode_png(pixels: Any, meta: PictureMeta | None = None, *, compress_level: int = 4) -> bytes:
    """A PNG file of (height, width, 3) pixels (see `to_image`) that describes itself."""
    image = to_image(pixels)
    info = PngImagePlugin.PngInfo()
    if meta is not None:
        info.add_itxt("parameters", parameters_text(meta, image.size))
        info.add_text("nonet", _dump(meta.record()))
        info.add_itxt(XMP_KEYWORD, xmp_packet(meta, with_record=False).decode())
    stream = io.BytesIO()
    image.save(stream, "png", pnginfo=info, compress_level=compress_level)
    return stream.getvalue()


def encode_jpeg(pixels: Any, meta: PictureMeta | None = None, *, quality: int = 90) -> bytes:
    """A JPEG file of (height, width, 3) pixels (see `to_image`) that describes itself."""
    return _encode_with_exif(to_image(pixels), meta, "jpeg", quality)


def encode_webp(pixels: Any, meta: PictureMeta | None = None, *, quality: int = 90) -> bytes:
    """A WebP file of (height, width, 3) pixels (see `to_image`) that describes itself."""
    return _encode_with_exif(to_image(pixels), meta, "webp", quality)


def encode(pixels: Any, meta: PictureMeta | None = None, *, format: str = "png", quality: int = 90) -> bytes:
    """A picture file in one of `FORMATS`.

    Raises:
        NonetError: `setting_invalid` for another format or a quality outside 1 to 100.
    """
    if format not in FORMATS or not 1 <= quality <= 100:
        raise NonetError(
            "setting_invalid", f"Pictures are written as {', '.join(FORMATS)} with quality 1-100."
        )
    if format == "png":
        return encode_png(pixels, meta)
    return _encode_with_exif(to_image(pixels), meta, format, quality)


def _encode_with_exif(image: Image.Image, meta: PictureMeta | None, format: str, quality: int) -> bytes:
    stream = io.BytesIO()
    if meta is None:
        image.save(stream, format, quality=quality)
        return stream.getvalue()
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = f"nonet {nonet_version()}"
    # The eight bytes name the encoding that follows; readers of generation parameters expect this one.
    comment = b"UNICODE\0" + parameters_text(meta, image.size).encode("utf-16-be", "replace")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    image.save(stream, format, quality=quality, exif=exif, xmp=xmp_packet(meta, with_record=True))
    return stream.getvalue()
