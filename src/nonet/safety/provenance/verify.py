"""Where does a picture come from? Signature, invisible mark and metadata, each with what it can prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nonet.safety.provenance.c2pa import Signature
from nonet.safety.provenance.decoding import decode_safely
from nonet.safety.provenance.metadata import SOURCE_TYPE
from nonet.safety.provenance.reading import Metadata, read_metadata
from nonet.threads import apart

# The share of unmarked pictures that are called marked; how it is known stands in docs/safety.md.
FALSE_POSITIVE_RATE = 1e-6


@dataclass(frozen=True)
class FoundMark:
    """An invisible mark.

    Attributes:
        model: the model that it names.
        job: the job's fingerprint, six hexadecimal digits.
        left, top, size: where it lies, in the file's pixels.
        strength: standard deviations by which it stands out.
    """

    model: str
    job: str
    left: int
    top: int
    size: int
    strength: float


@dataclass(frozen=True)
class Report:
    """What can be said about a picture.

    Attributes:
        verdict: `nonet` (made by Nonet: mark or whole signature say so), `generated` (the file says that a model made
            it), or `unknown` (cannot tell; never "not generated").
        format, width, height: of the file.
        signature: the C2PA manifest, or None for none; `signature_checked` says whether it was looked for.
        marks: invisible marks; empty when none can be seen.
        metadata: what the file says about itself; anyone can write or remove it.
        damage: why the picture cannot be decoded as it should be; then only what is left of it was looked at.
        findings: the same in sentences, the most telling first.
    """

    verdict: str
    format: str
    width: int
    height: int
    signature: Signature | None
    signature_checked: bool
    marks: tuple[FoundMark, ...]
    metadata: Metadata
    damage: str = ""
    findings: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for the API."""
        signature = None
        if self.signature is not None:
            signature = {**vars(self.signature), "problems": list(self.signature.problems)}
        return {
            "verdict": self.verdict,
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "signature": signature,
            "signature_checked": self.signature_checked,
            "marks": [vars(mark) for mark in self.marks],
            "mark_false_positive_rate": FALSE_POSITIVE_RATE,
            "metadata": {
                "parameters": self.metadata.parameters,
                "record": self.metadata.record,
                "digital_source_type": self.metadata.digital_source_type,
                "software": self.metadata.software,
                "problems": self.metadata.problems,
            },
            "damage": self.damage,
            "findings": list(self.findings),
        }


def verify(data: bytes, *, thorough: bool = True) -> Report:
    """Look at a picture file; nothing of it is kept.

    Args:
        data: a PNG, JPEG or WebP file, decoded in a limited process.
        thorough: look for the invisible mark at all sizes (a few seconds), not only at the likely ones.

    Raises:
        NonetError: `file_unreadable` when it is no picture, too large, or damaged beyond decoding.
    """
    from nonet.safety.provenance.detection import detect  # brings torch along

    metadata = read_metadata(data)
    decoded = decode_safely(data)
    pixels = np.frombuffer(decoded.pixels, np.uint8).reshape(decoded.height, decoded.width, 3)
    marks = tuple(
        FoundMark(
            mark.payload.model,
            f"{mark.payload.job:06x}",
            round(mark.left * decoded.shrunk),
            round(mark.top * decoded.shrunk),
            round(mark.size * decoded.shrunk),
            round(mark.strength, 1),
        )
        for mark in apart(lambda: detect(pixels, thorough=thorough), threads=1)
    )
    signature = None
    if decoded.signature:
        values = decoded.signature
        signature = Signature(**{**values, "problems": tuple(values["problems"])})
    checked = decoded.signature != {}
    return Report(
        verdict=_verdict(signature, marks, metadata),
        format=metadata.format,
        width=metadata.width,
        height=metadata.height,
        signature=signature,
        signature_checked=checked,
        marks=marks,
        metadata=metadata,
        damage=decoded.damage,
        findings=tuple(_findings(signature, checked, marks, metadata, decoded.damage)),
    )


def _verdict(signature: Signature | None, marks: Sequence[FoundMark], metadata: Metadata) -> str:
    whole = signature is not None and signature.state == "valid"
    if marks or (signature is not None and whole and signature.generator.split(" ")[0] == "nonet"):
        return "nonet"
    if (signature is not None and whole and signature.says_generated) or metadata.says_generated:
        return "generated"
    return "unknown"


def _findings(
    signature: Signature | None,
    checked: bool,
    marks: Sequence[FoundMark],
    metadata: Metadata,
    damage: str,
) -> list[str]:
    found = []
    if marks:
        models = ", ".join(sorted({mark.model for mark in marks}))
        count = "an invisible mark" if len(marks) == 1 else f"{len(marks)} invisible marks"
        found.append(
            f"It carries {count} of Nonet (model: {models}). Of a million pictures without one, less than one "
            "looks as if it had it."
        )
    else:
        found.append("No invisible mark of Nonet can be seen. Marks can be lost, so this proves nothing.")
    found.append(_about_signature(signature, checked))
    if metadata.digital_source_type == SOURCE_TYPE:
        found.append("Its metadata says that a model generated it. Anyone can write or remove metadata.")
    elif metadata.record is not None:
        found.append("Its metadata holds a record of Nonet. Anyone can write or remove metadata.")
    elif metadata.parameters is not None:
        found.append(
            "Its metadata holds settings of an image generator. Anyone can write or remove metadata."
        )
    else:
        found.append("Its metadata does not say where it comes from.")
    if damage:
        found.append(f"The file is damaged; only what can still be seen was looked at ({damage}).")
    found += [f"Not all of its metadata can be read: {problem}." for problem in metadata.problems]
    return found


def _about_signature(signature: Signature | None, checked: bool) -> str:
    if not checked:
        return "Signatures were not looked for: nonet[provenance] is not installed here."
    if signature is None:
        return "It carries no signature (C2PA)."
    if signature.state == "unreadable":
        return "It carries a signature (C2PA) that cannot be read."
    if signature.state == "expired":
        return (
            f"It was signed by {signature.signer!r}, whose certificate is not valid now. No trusted time says whether "
            "it was when the picture was signed."
        )
    if signature.state == "altered":
        return (
            "Its signature (C2PA) does not fit: the picture was changed after it was signed, or the signature comes "
            "from another picture."
        )
    if signature.trusted:
        who = f"{signature.signer!r} ({signature.issuer})"
    elif signature.local:
        who = "the local certificate of some computer with Nonet, which stands for nobody in particular"
    else:
        who = f"an unknown signer who calls themselves {signature.signer!r} ({signature.issuer})"
    return f"It was signed by {who} and has not been changed since."
