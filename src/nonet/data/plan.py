"""What the composer is about to paint: every part with its sprite and place, and what lies behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nonet.model.layout import SMALL, Placed
from nonet.model.phrases import Scene

CANVAS = 256
CELL = 16
Colour = tuple[int, int, int]
BOOST = (
    "apple dog cat pizza house car tree moon robot fish guitar crown rocket flower castle bicycle penguin "
    "hat avocado armchair dinosaur dragon sun star horse astronaut mushroom ball cake elephant"
)


@dataclass(frozen=True)
class Part:
    """One cut-out in a picture.

    `sprite` counts into the collection's sprites, `thing` into the scene's things (`layout.BACKGROUND` for a
    sprite that is the setting). `x`, `y` (centre) and `side` (of the sprite's whole square, its margin
    included) are in pixels of the 256x256 canvas; `slot` is the nearest box on the token grid. `colour` is
    the colour it is painted in, where the caption names one that the sprite does not have; `turn` is in
    degrees, anticlockwise.
    """

    thing: int
    sprite: int
    concept: str
    slot: Placed
    x: float
    y: float
    side: float
    flip: bool = False
    turn: float = 0.0
    colour: str | None = None


@dataclass(frozen=True)
class Backdrop:
    """What lies behind all parts: one colour, two colours running into each other, or a picture of the
    collection.

    `angle` is the gradient's direction in degrees. `concept` names what a picture shows. `zoom` >= 1, `x`
    and `y` in 0..1 say which cut of a picture is seen.
    """

    kind: Literal["white", "plain", "gradient", "picture"] = "white"
    colours: tuple[Colour, Colour] = ((255, 255, 255), (255, 255, 255))
    angle: float = 0.0
    picture: int = -1
    concept: str = ""
    flip: bool = False
    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True)
class Plan:
    """A picture before it is painted; `parts` run from back to front. `caption` says what `scene` holds.

    A picture of kind "background" has no parts, and its scene no things: only a background.
    """

    scene: Scene
    caption: str
    parts: tuple[Part, ...] = ()
    backdrop: Backdrop = Backdrop()
    kind: Literal["single", "pair", "many", "background"] = "single"


@dataclass(frozen=True)
class Mixture:
    """How often which kind of picture comes; the shares of the four kinds need not add up to one."""

    single: float = 0.50
    pair: float = 0.35
    many: float = 0.10
    background: float = 0.05
    white: float = 0.68
    """Of scenes without a setting: before plain white. The rest is soft, gradient or a colour that is
    named."""
    named_colour: float = 0.45
    """Of the rest: a strong colour, said in the caption."""
    styled: float = 0.2
    synonym: float = 0.3
    coloured: float = 0.14
    """Single colours that are named because the thing has them."""
    recoloured: float = 0.14
    """Things painted in another colour, which is named; only those of one colour can be."""
    exact: float = 0.6
    """Things set exactly on the token grid, unturned and unscaled, as remembered pictures are."""
    flip: float = 0.2
    turn: float = 0.08
    boost: float = 6.0
    boosted: tuple[str, ...] = tuple(BOOST.split())


def nearest_slot(placed: Placed, x: float, y: float, side: float) -> Placed:
    """The box on the token grid that lies nearest to a square of `side` pixels around (x, y)."""
    if side >= (CANVAS + SMALL * CELL) / 2:
        return Placed(placed.thing, role=placed.role)
    half = SMALL * CELL / 2
    most = (CANVAS - SMALL * CELL) // CELL
    row, col = (min(max(round((at - half) / CELL), 0), most) for at in (y, x))
    return Placed(placed.thing, SMALL, row, col, placed.role)
