"""The last steps of a drawing: corner text, mark, metadata, signature; one call for command and server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nonet.errors import NonetError
from nonet.safety.provenance import c2pa
from nonet.safety.provenance.metadata import PictureMeta, encode, to_image
from nonet.threads import apart

if TYPE_CHECKING:
    from PIL import ImageDraw

LEVELS = ("full", "mark", "metadata")
LONGEST_LABEL = 40
_SMALLEST_LETTERS = 7


@dataclass(frozen=True)
class Provenance:
    """What a finished picture carries besides its metadata.

    Attributes:
        mark: the invisible mark.
        certificate: what it is signed with; None for no signature.
        prompt_in_manifest: put the prompt into the signed manifest.
        label: small text that everybody sees, in the lower right corner; empty for none.
        notes: what a person should know, for example why pictures are not signed.
    """

    mark: bool = True
    certificate: c2pa.Certificate | None = None
    prompt_in_manifest: bool = False
    label: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            raise NonetError(
                "setting_invalid", f"The corner text is one line of up to {LONGEST_LABEL} characters."
            )


def provenance_of(level: str, *, label: str = "", prompt_in_manifest: bool = False) -> Provenance:
    """What this user's pictures carry.

    Args:
        level: `full`, `mark` (no signature, so that equal drawings are equal files) or `metadata` (nothing in the
            pixels either).
        label, prompt_in_manifest: see `Provenance`.

    Raises:
        NonetError: `setting_invalid`, also for a certificate of the environment that cannot sign; `file_unreadable`.
    """
    if level not in LEVELS:
        raise NonetError("setting_invalid", f"The provenance is one of {', '.join(LEVELS)}, not {level!r}.")
    certificate, note = c2pa.certificate_of_user() if level == "full" else (None, "")
    return Provenance(
        mark=level != "metadata",
        certificate=certificate,
        prompt_in_manifest=prompt_in_manifest,
        label=label,
        notes=(note,) if note else (),
    )


def marked(pixels: Any, model: str, job: str) -> Any:
    """The picture with the invisible mark, as uint8 (height, width, 3); unchanged if it is too small for one.

    Args:
        pixels: see `metadata.to_image`.
        model: the model's name.
        job: what tells this job from others; equal jobs give equal marks.
    """
    from nonet.safety.provenance.mark import Payload, can_carry, embed, fingerprint  # brings torch along

    array = np.asarray(to_image(pixels))
    if not can_carry(*array.shape[:2]):
        return array
    # Hundreds of small operations. Where other programs want the cores too, two threads that wait for each other at
    # every one of them take a hundred times as long as one.
    return apart(lambda: embed(array, Payload(model, fingerprint(job))), threads=1)


def labelled(pixels: Any, label: str) -> Any:
    """The picture with a small text in its lower right corner, white on a dark strip, as uint8.

    Args:
        pixels: see `metadata.to_image`.
        label: the text; letters that would not fit beside each other become smaller, down to a least size.
    """
    from PIL import ImageDraw, ImageFont

    image = to_image(pixels).copy()
    draw = ImageDraw.Draw(image)
    size, margin = max(_SMALLEST_LETTERS, image.height // 20), max(2, image.height // 64)
    while size > _SMALLEST_LETTERS and _width(draw, label, size) > image.width - 2 * margin:
        size -= 1
    font = ImageFont.load_default(size)
    _, _, right, bottom = draw.textbbox((0, 0), label, font)
    left, top = image.width - right - 2 * margin, image.height - bottom - 2 * margin
    draw.rectangle((left, top, image.width, image.height), fill=(40, 40, 40))
    draw.text((left + margin, top + margin), label, "white", font)
    return np.asarray(image)


def _width(draw: ImageDraw.ImageDraw, label: str, size: int) -> float:
    from PIL import ImageFont

    return draw.textlength(label, ImageFont.load_default(size))


def in_pixels(pixels: Any, model: str, job: str, provenance: Provenance) -> Any:
    """The picture with what stands in its pixels: corner text and invisible mark."""
    if provenance.label:
        pixels = labelled(pixels, provenance.label)
    return marked(pixels, model, job) if provenance.mark else pixels


def finish(
    pixels: Any,
    meta: PictureMeta,
    *,
    job: str | None,
    provenance: Provenance | None = None,
    format: str = "png",
    quality: int = 90,
) -> bytes:
    """A picture file with all of its provenance.

    Args:
        pixels: see `metadata.to_image`.
        meta: what is said about the picture.
        job: what tells this job from others; None for a sheet, whose pictures have text and mark already.
        provenance: what it carries; the mark alone without it.
        format, quality: see `metadata.encode`.

    Raises:
        NonetError: `setting_invalid` for an unknown format, or a certificate that cannot sign.
    """
    provenance = provenance or Provenance()
    if job is not None:
        pixels = in_pixels(pixels, meta.model, job, provenance)
    data = encode(pixels, meta, format=format, quality=quality)
    if provenance.certificate is None:
        return data
    return c2pa.sign(data, format, meta, provenance.certificate, with_prompt=provenance.prompt_in_manifest)
