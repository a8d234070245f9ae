"""Scenery drawn by this project: places that people ask for and that the other sources hardly have."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nonet.data.pictures import Picture
from nonet.data.render import SvgText

_SIDE = 256
_EACH = 8


def _hsl(hue: float, saturation: float, light: float) -> str:
    return f"hsl({hue:.0f},{saturation:.0f}%,{light:.0f}%)"


def _sky(top: str, bottom: str, height: int = _SIDE) -> str:
    return (
        f'<linearGradient id="sky" x2="0" y2="1"><stop stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        f'</linearGradient><rect width="{_SIDE}" height="{height}" fill="url(#sky)"/>'
    )


def _ground(rng: random.Random, top: float, fill: str, waves: float = 10) -> str:
    """A strip with a softly waved upper edge, from `top` to the lower edge."""
    middle = [top + rng.uniform(-waves, waves) for _ in range(4)]
    curve = f"C 60 {middle[0]:.0f} 90 {middle[1]:.0f} 140 {middle[2]:.0f} S 220 {middle[3]:.0f} 256 {top:.0f}"
    return f'<path d="M 0 {top:.0f} {curve} V 256 H 0 Z" fill="{fill}"/>'


def _cloud(x: float, y: float, size: float, fill: str = "white") -> str:
    puffs = ((0, 0, 1.0), (-1.1, 0.25, 0.7), (1.1, 0.25, 0.75), (0.5, -0.4, 0.7))
    return "".join(
        f'<circle cx="{x + dx * size:.0f}" cy="{y + dy * size:.0f}" r="{r * size:.0f}" fill="{fill}"/>'
        for dx, dy, r in puffs
    )


def _stars(rng: random.Random, count: int, below: int = _SIDE) -> str:
    dots = []
    for _ in range(count):
        x, y, r = rng.uniform(0, _SIDE), rng.uniform(0, below), rng.choice((0.9, 1.1, 1.4, 2.2))
        dots.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{_hsl(rng.choice((45, 210)), 60, 92)}"/>'
        )
    return "".join(dots)


def _space(rng: random.Random) -> str:
    hue = rng.choice((225, 250, 275, 300, 200))
    glow = (
        f'<radialGradient id="glow" cx="{rng.random():.2f}" cy="{rng.random():.2f}" r=".7">'
        f'<stop stop-color="{_hsl(hue, 60, rng.uniform(16, 30))}"/><stop offset="1" stop-color="#05060f"/>'
        f'</radialGradient><rect width="256" height="256" fill="url(#glow)"/>'
    )
    if rng.random() < 0.5:
        return glow + _stars(rng, 70)
    x, y, r = rng.choice((24, 232)), rng.choice((28, 226)), rng.uniform(18, 34)
    planet = f'<circle cx="{x}" cy="{y}" r="{r:.0f}" fill="{_hsl(rng.uniform(0, 360), 55, 55)}"/>'
    ring = f'<ellipse cx="{x}" cy="{y}" rx="{r * 1.6:.0f}" ry="{r * 0.35:.0f}" fill="none" stroke="#e8d9b0"/>'
    return glow + _stars(rng, 60) + planet + (ring if rng.random() < 0.5 else "")


def _night(rng: random.Random) -> str:
    hue = rng.uniform(215, 250)
    hills = _ground(rng, rng.uniform(205, 225), _hsl(hue, 30, 12))
    return _sky(_hsl(hue, 60, 10), _hsl(hue, 50, 28)) + _stars(rng, 55, 190) + hills


def _clouds(rng: random.Random) -> str:
    sky = _sky(_hsl(205, 75, rng.uniform(58, 66)), _hsl(200, 80, 86))
    spots = [
        (rng.uniform(20, 236), rng.uniform(20, 236), rng.uniform(12, 24)) for _ in range(rng.randint(3, 6))
    ]
    return sky + "".join(_cloud(*spot) for spot in spots)


def _meadow(rng: random.Random) -> str:
    hue = rng.uniform(85, 125)
    sky = _sky(_hsl(205, 75, 70), _hsl(200, 80, 90), 200)
    far = _ground(rng, rng.uniform(125, 145), _hsl(hue, 45, 58))
    near = _ground(rng, rng.uniform(165, 185), _hsl(hue, 50, 46))
    return sky + _cloud(rng.uniform(30, 220), rng.uniform(30, 70), 14) + far + near


def _beach(rng: random.Random) -> str:
    sea = f'<rect y="105" width="256" height="80" fill="{_hsl(rng.uniform(190, 215), 65, 50)}"/>'
    foam = _ground(rng, 168, "#eef8fb", 5)
    sand = _ground(rng, 174, _hsl(42, 65, rng.uniform(70, 78)), 5)
    sun = f'<circle cx="{rng.uniform(30, 226):.0f}" cy="40" r="18" fill="#ffe27a"/>'
    return _sky(_hsl(205, 80, 68), _hsl(200, 85, 88), 120) + sun + sea + foam + sand


def _underwater(rng: random.Random) -> str:
    hue = rng.uniform(185, 215)
    rays = "".join(
        f'<path d="M {x} 0 L {x + 26} 0 L {x + 70} 256 L {x - 10} 256 Z" fill="white" opacity=".08"/>'
        for x in rng.sample(range(0, 230, 12), 4)
    )
    bubbles = "".join(
        f'<circle cx="{rng.uniform(8, 248):.0f}" cy="{rng.uniform(8, 200):.0f}" r="{rng.uniform(2, 6):.0f}" '
        'fill="none" stroke="white" opacity=".6"/>'
        for _ in range(9)
    )
    sand = _ground(rng, 222, _hsl(40, 45, 62))
    return _sky(_hsl(hue, 75, 58), _hsl(hue + 10, 80, 26)) + rays + bubbles + sand


def _forest(rng: random.Random) -> str:
    trees = []
    for layer, light in ((0, 42), (1, 34), (2, 26)):
        for place in range(7):
            x, foot = place * 42 + rng.uniform(-14, 14), 170 + 16 * layer
            height = rng.uniform(95, 140)
            points = f"{x - 26:.0f},{foot} {x:.0f},{foot - height:.0f} {x + 26:.0f},{foot}"
            trees.append(f'<polygon points="{points}" fill="{_hsl(rng.uniform(115, 150), 38, light)}"/>')
    return (
        _sky(_hsl(190, 40, 78), _hsl(120, 30, 80)) + "".join(trees) + _ground(rng, 196, _hsl(100, 38, 32), 4)
    )


def _snow(rng: random.Random) -> str:
    flakes = "".join(
        f'<circle cx="{rng.uniform(0, 256):.0f}" cy="{rng.uniform(0, 200):.0f}" r="2.2" fill="white"/>'
        for _ in range(40)
    )
    hue = rng.uniform(205, 225)
    hills = _ground(rng, 150, _hsl(hue, 45, 90)) + _ground(rng, 182, "#ffffff")
    return _sky(_hsl(hue, 45, 62), _hsl(hue, 50, 84)) + hills + flakes


def _desert(rng: random.Random) -> str:
    sun = f'<circle cx="{rng.uniform(40, 216):.0f}" cy="52" r="22" fill="#fff2b0"/>'
    dunes = _ground(rng, 140, _hsl(36, 62, 62), 16) + _ground(rng, 178, _hsl(34, 66, 54), 14)
    return _sky(_hsl(28, 85, 70), _hsl(44, 90, 84)) + sun + dunes


def _street(rng: random.Random) -> str:
    blocks, x = [], 0.0
    while x < _SIDE:
        width, height = rng.uniform(36, 62), rng.uniform(70, 150)
        wall = _hsl(rng.uniform(0, 360), 28, rng.uniform(58, 74))
        size = f'width="{width:.0f}" height="{height:.0f}"'
        blocks.append(f'<rect x="{x:.0f}" y="{180 - height:.0f}" {size} fill="{wall}"/>')
        for row in range(int(height // 26)):
            for column in range(int(width // 20)):
                at = f'x="{x + 7 + column * 19:.0f}" y="{188 - height + row * 25:.0f}"'
                blocks.append(f'<rect {at} width="9" height="13" fill="{_hsl(205, 45, 84)}"/>')
        x += width + 2
    walk = '<rect y="180" width="256" height="14" fill="#b9bbc0"/>'
    road = walk + '<rect y="194" width="256" height="62" fill="#55585f"/>'
    lines = "".join(
        f'<rect x="{10 + 50 * n}" y="222" width="28" height="5" fill="#f4f0e0"/>' for n in range(5)
    )
    return _sky(_hsl(205, 70, 72), _hsl(200, 75, 90)) + "".join(blocks) + road + lines


def _room(rng: random.Random) -> str:
    wall, floor = _hsl(rng.uniform(0, 360), 32, 82), _hsl(rng.uniform(22, 38), 42, rng.uniform(44, 58))
    x = rng.choice((22, 166))
    window = (
        f'<rect x="{x}" y="30" width="68" height="76" fill="white"/>'
        f'<rect x="{x + 6}" y="36" width="56" height="64" fill="#a9d8f5"/>'
        f'<rect x="{x + 32}" y="36" width="4" height="64" fill="white"/>'
        f'<rect x="{x + 6}" y="66" width="56" height="4" fill="white"/>'
    )
    base = f'<rect y="170" width="256" height="86" fill="{floor}"/><rect y="166" width="256" height="7" fill="white"/>'
    boards = "".join(f'<path d="M 0 {y} H 256" stroke="black" opacity=".12"/>' for y in range(188, 256, 17))
    return f'<rect width="256" height="256" fill="{wall}"/>' + window + base + boards


@dataclass(frozen=True)
class _Place:
    caption: str
    names: tuple[str, ...]
    draw: Callable[[random.Random], str]


_PLACES = (
    _Place("outer space", ("space", "the universe", "galaxy", "stars"), _space),
    _Place("night sky", ("starry sky", "night", "starry night"), _night),
    _Place("blue sky with clouds", ("sky", "clouds", "cloudy sky"), _clouds),
    _Place("green meadow", ("meadow", "grass", "field", "park"), _meadow),
    _Place("sandy beach", ("beach", "sea shore"), _beach),
    _Place("under the sea", ("underwater", "bottom of the sea", "ocean floor"), _underwater),
    _Place("forest", ("woods", "pine forest", "jungle"), _forest),
    _Place("snowy field", ("snow", "winter landscape"), _snow),
    _Place("sandy desert", ("desert", "sand dunes"), _desert),
    _Place("street", ("city street", "road", "town"), _street),
    _Place("room", ("living room", "kitchen", "bedroom", "house inside"), _room),
)


def read_scenery() -> Iterator[Picture]:
    """Some pictures of each place; always the same ones."""
    for place in _PLACES:
        for number in range(_EACH):
            rng = random.Random(f"nonet {place.caption} {number}")
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE}">{place.draw(rng)}</svg>'
            yield Picture(
                key=f"{place.caption}/{number}",
                source="scenery",
                set="Nonet scenery",
                style="clip art",
                caption=place.caption,
                payload=SvgText(svg),
                synonyms=place.names,
                title=f"{place.caption} {number + 1}",
                author="the Nonet authors",
                licence="CC0-1.0",
                permissive=True,
                kind="background",
            )
