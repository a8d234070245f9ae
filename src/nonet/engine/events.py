"""What an engine says while it draws.

The events of one request come in this order: one `Started`; then `Progress` and `Partial` events, and `Drawn`
events, one for each picture of `count`, after which that picture is not spoken of again; last one `Done`, or,
at any point, one `Failed`. Nothing comes after these two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nonet.engine.request import DrawRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    """Pixels (height, width, 3), 0 to 255, as Pillow's `Image.fromarray` takes them."""


@dataclass(frozen=True)
class Started:
    """The request is being drawn.

    Attributes:
        request: as it was submitted, with the model's defaults in the place of None.
        notes: what a person should know, for example that the prompt was cut; sentences.
    """

    request: DrawRequest
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """A picture has come further: once for each finished row of tokens.

    Attributes:
        picture: from 0; with candidates up to their number.
        tokens_done: image tokens drawn so far, always more than in the picture's event before.
        tokens_total: image tokens of a whole picture.
    """

    picture: int
    tokens_done: int
    tokens_total: int


@dataclass(frozen=True)
class Partial:
    """How a picture looks so far. What is not drawn yet is gray.

    Attributes:
        picture: from 0 to `count` - 1; with candidates the first ones drawn, which need not be those kept.
        pixels: (height, width, 3) uint8.
    """

    picture: int
    pixels: Pixels = field(repr=False, compare=False)


@dataclass(frozen=True)
class Drawn:
    """A finished picture.

    Attributes:
        picture: from 0 to `count` - 1; with candidates the judge's best is 0.
        pixels: (height, width, 3) uint8.
        seed: draws this very picture again, alone.
        score: the judge's, None for a model without one.
        sources: the remembered pictures that it was drawn after.
    """

    picture: int
    pixels: Pixels = field(repr=False, compare=False)
    seed: int
    score: float | None = None
    sources: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Failed:
    """The request ended without all of its pictures; a code and texts as in `NonetError`."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Done:
    """All pictures are drawn.

    Attributes:
        seconds: from `submit` to here.
    """

    seconds: float


Event = Started | Progress | Partial | Drawn | Failed | Done
