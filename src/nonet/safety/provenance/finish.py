"""The last steps of a drawing: mark, metadata, signature; one call for command and server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nonet.safety.provenance import c2pa
from nonet.safety.provenance.metadata import PictureMeta, encode, to_image


@dataclass(frozen=True)
class Provenance:
    """What a finished picture carries besides its metadata.

    Attributes:
        mark: the invisible mark.
        certificate: what it is signed with; None for no signature.
        prompt_in_manifest: put the prompt into the signed manifest.
    """

    mark: bool = True
    certificate: c2pa.Certificate | None = None
    prompt_in_manifest: bool = False


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
    return embed(array, Payload(model, fingerprint(job)))


def finish(
    pixels: Any,
    meta: PictureMeta,
    *,
    job: str,
    provenance: Provenance | None = None,
    format: str = "png",
    quality: int = 90,
) -> bytes:
    """A picture file with all of its provenance.

    Raises:
        NonetError: `setting_invalid` for an unknown format, or a certificate that cannot sign.
    """
    provenance = provenance or Provenance()
    if provenance.mark:
        pixels = marked(pixels, meta.model, job)
    data = encode(pixels, meta, format=format, quality=quality)
    if provenance.certificate is None:
        return data
    return c2pa.sign(data, format, meta, provenance.certificate, with_prompt=provenance.prompt_in_manifest)
