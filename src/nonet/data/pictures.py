"""What the readers hand on: one picture that is not drawn yet, with its words, origin and licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Style = Literal[
    "emoji", "clip art", "3D render", "photo", "pixel art", "flat icon", "line drawing", "painting"
]
STYLES: tuple[Style, ...] = (
    "emoji",
    "clip art",
    "3D render",
    "photo",
    "pixel art",
    "flat icon",
    "line drawing",
    "painting",
)
Pixels = NDArray[np.uint8]


class Payload(Protocol):
    """Where the pixels come from. Must be picklable: pictures are drawn in worker processes."""

    def draw(self) -> Pixels:
        """RGBA, straight alpha, uint8, shape (height, width, 4). Raises `ValueError` where it cannot."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a source, before it is drawn.

    `key` is unique within its source. `caption` is a short label without article or style ("red apple");
    `synonyms` are other names for the same thing, `keywords` are related words that only help a search.
    `paint` names the colour that the thing was painted in. `evidence` are further words of the source about the
    picture: never used in captions, but an explicit one of them drops the picture. `fit` says how it fills its
    square: "smooth" for most, "pixels" keeps hard pixel edges.
    """

    key: str
    source: str
    set: str
    style: Style
    caption: str
    payload: Payload
    synonyms: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    title: str = ""
    author: str = ""
    licence: str = ""
    permissive: bool = False
    weight: float = 1.0
    kind: Literal["sprite", "background"] = "sprite"
    fit: Literal["smooth", "pixels"] = "smooth"
    concept: str = ""
    evidence: tuple[str, ...] = ()
    paint: str = ""
