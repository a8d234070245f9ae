"""What lies behind the things of a picture: white, a soft or a named colour, a gradient, a picture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from nonet.data import grammar
from nonet.data.plan import Backdrop, Colour
from nonet.data.stock import PAINTABLE, Painted, Stock
from nonet.model import words as w
from nonet.model.phrases import Scene, thing

_WHITE: Colour = (255, 255, 255)
_SOFT: tuple[Colour, ...] = (
    (214, 232, 250),
    (250, 232, 214),
    (226, 244, 220),
    (246, 222, 232),
    (238, 230, 250),
    (252, 246, 214),
    (230, 232, 236),
    (206, 238, 238),
)


def behind(
    stock: Stock, scene: Scene, sprites: Sequence[Painted], rng: random.Random
) -> tuple[Backdrop, Scene]:
    """White, a soft colour or a gradient; or a strong colour, which the returned scene then has as its
    background."""
    mixture = stock.mixture
    if rng.random() < mixture.white:
        return plain(stock, sprites, rng), scene
    sayable = all(grammar.is_simple(item.text) for item in scene.things)
    if sayable and rng.random() < mixture.named_colour:
        options = [c for c in PAINTABLE if c != "white" and stock.distance(sprites, w.COLOURS[c]) > 0.3]
        if options:
            name = rng.choice(options)
            backdrop = Backdrop("plain", (w.COLOURS[name], w.COLOURS[name]))
            return backdrop, replace(scene, background=thing(f"{name} background"))
    soft = [c for c in _SOFT if stock.distance(sprites, c) > 0.2] or list(_SOFT)
    first = rng.choice(soft)
    if rng.random() < 0.5:
        return Backdrop("plain", (first, first)), scene
    return Backdrop("gradient", (first, rng.choice((*soft, _WHITE))), rng.uniform(0, 360)), scene


def plain(stock: Stock, sprites: Sequence[Painted], rng: random.Random) -> Backdrop:
    """White, unless something would not be seen on it."""
    if stock.distance(sprites, _WHITE) > 0.14:
        return Backdrop()
    best = max(_SOFT, key=lambda colour: stock.distance(sprites, colour) + rng.random() * 0.1)
    return Backdrop("plain", (best, best))


def picture(number: int, concept: str, rng: random.Random) -> Backdrop:
    """A cut of one of the collection's backgrounds."""
    zoom = 1.0 if rng.random() < 0.5 else rng.uniform(1, 1.5)
    flip = rng.random() < 0.5
    return Backdrop(
        "picture", picture=number, concept=concept, flip=flip, zoom=zoom, x=rng.random(), y=rng.random()
    )
