"""A small software rasteriser: views of a model with a z-buffer, textures and soft light, in numpy.

Triangles are gone through in batches of like size (all pixels of their bounding boxes tested at once against the
edge functions, as in Pineda, "A Parallel Algorithm for Polygon Rasterization", 1988); the nearest fragment of each
pixel is shaded. Twice the resolution is drawn and averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonet.data.models3d import Model, load_model
from nonet.data.pictures import Pixels

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_SIDE = 464
_BATCH = 200_000
_KEY = np.array([-0.45, 0.75, 0.6], np.float32)
_FILL = np.array([0.85, 0.1, 0.5], np.float32)

PAINTS: dict[str, tuple[int, int, int]] = {
    "red": (205, 38, 34), "orange": (240, 128, 24), "yellow": (246, 205, 40), "green": (58, 152, 62),
    "blue": (42, 92, 208), "purple": (124, 58, 172), "pink": (244, 140, 184), "brown": (122, 76, 44),
    "black": (38, 38, 42), "white": (240, 240, 236), "gray": (142, 144, 148),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelView:
    """One view of a model as a picture: turned by `yaw` and seen from `pitch` degrees above.

    `paint` names a colour for the model's main material. `skin` is a picture (RGBA bytes and its height and width)
    that the whole model is covered with, projected along the axes.
    """

    archive: str
    member: str
    yaw: float = 0.0
    pitch: float = 18.0
    rotation: tuple[float, ...] = ()
    paint: str = ""
    skin: tuple[bytes, int, int] | None = None

    def draw(self) -> Pixels:
        model = load_model(self.archive, self.member)
        skin = None
        if self.skin is not None:
            content, height, width = self.skin
            skin = _filled(np.frombuffer(content, np.uint8).reshape(height, width, 4))
        return render_model(model, self.yaw, self.pitch, self.rotation, self.paint, skin)


def render_model(
    model: Model,
    yaw: float,
    pitch: float,
    rotation: tuple[float, ...] = (),
    paint: str = "",
    skin: Pixels | None = None,
) -> Pixels:
    """Draw a model as RGBA (232, 232, 4), filling the frame. `skin` must be opaque.

    Raises:
        ValueError: nothing of the model is visible.
    """
    turn_33 = _turn(yaw, pitch)
    stand_33 = np.array(rotation, np.float32).reshape(3, 3) if rotation else np.eye(3, dtype=np.float32)
    placed_T33 = model.positions_T33 @ stand_33.T
    low, high = placed_T33.reshape(-1, 3).min(axis=0), placed_T33.reshape(-1, 3).max(axis=0)
    unit_T33 = (placed_T33 - (low + high) / 2) / max(float((high - low).max()), 1e-9)
    view_T33 = unit_T33 @ turn_33.T
    normals_T33 = model.normals_T33 @ (turn_33 @ stand_33).T
    # Perspective from 3.2 model sizes away, then scaled so that the outline fills the frame.
    depth_T3 = 3.2 - view_T33[..., 2]
    flat_T32 = view_T33[..., :2] / depth_T3[..., None]
    low2, high2 = flat_T32.reshape(-1, 2).min(axis=0), flat_T32.reshape(-1, 2).max(axis=0)
    scale = (_SIDE - 4) / max(float((high2 - low2).max()), 1e-9)
    screen_T32 = (flat_T32 - (low2 + high2) / 2) * scale
    screen_T32 = np.stack([screen_T32[..., 0] + _SIDE / 2, _SIDE / 2 - screen_T32[..., 1]], axis=-1)
    pixel_F, triangle_F, weights_F3 = _fragments(screen_T32)
    # Perspective-correct weights: linear in 1 / depth.
    weights_F3 = weights_F3 / depth_T3[triangle_F]
    depth_F = 1.0 / weights_F3.sum(axis=1)
    weights_F3 = weights_F3 * depth_F[:, None]
    scene = _Scene(model, normals_T33, unit_T33, paint, skin)
    colour_F4 = scene.base_colour(triangle_F, weights_F3)
    image = np.zeros((_SIDE * _SIDE, 4), np.float32)
    solid = colour_F4[:, 3] > 0.9
    for chosen in (solid, (colour_F4[:, 3] > 0.04) & ~solid):
        _blend(
            image, scene, pixel_F, depth_F, triangle_F, weights_F3, colour_F4, np.flatnonzero(chosen), solid
        )
    if not image[:, 3].any():
        raise ValueError("blank")
    return _half(image.reshape(_SIDE, _SIDE, 4))


def _turn(yaw: float, pitch: float) -> Floats:
    a, b = np.radians(yaw), np.radians(pitch)
    around = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tip = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(tip @ around, np.float32)


def _fragments(screen_T32: Floats) -> tuple[Ints, Ints, Floats]:
    """Every (pixel, triangle) whose centre lies inside, with barycentric weights: (F,), (F,), (F, 3)."""
    screen_T32 = screen_T32.astype(np.float32)
    low_T2 = np.floor(screen_T32.min(axis=1))
    size_T = (np.ceil(screen_T32.max(axis=1)) - low_T2).max(axis=1)
    one = screen_T32[:, 0]
    edge1_T2, edge2_T2 = screen_T32[:, 1] - one, screen_T32[:, 2] - one
    area_T = _cross(edge1_T2, edge2_T2)
    whole = np.abs(area_T) > 1e-6
    area_T = np.where(whole, area_T, 1)
    # The weights are linear in the pixel: w = at the box's first pixel + slope_x * column + slope_y * row.
    start_T2 = low_T2 + 0.5 - one
    w1_T = np.stack([_cross(start_T2, edge2_T2), edge2_T2[:, 1], -edge2_T2[:, 0]]) / area_T
    w2_T = np.stack([_cross(edge1_T2, start_T2), -edge1_T2[:, 1], edge1_T2[:, 0]]) / area_T
    corner_T = (low_T2[:, 1] * _SIDE + low_T2[:, 0]).astype(np.int64)
    pixels, triangles, weights = [], [], []
    floor = 0.0
    for side in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, _SIDE):
        members = np.flatnonzero((size_T > floor) & (size_T <= side) & whole)
        floor = side
        steps = np.arange(side, dtype=np.float32)
        step = max(1, _BATCH // (side * side))
        for start in range(0, len(members), step):
            some = members[start : start + step]
            b1 = _plane(np.asarray(w1_T[:, some], np.float32), steps)
            b2 = _plane(np.asarray(w2_T[:, some], np.float32), steps)
            b0 = 1 - b1 - b2
            at = np.flatnonzero((b1 >= 0) & (b2 >= 0) & (b0 >= 0))
            box, place = np.divmod(at, side * side)
            row, column = np.divmod(place, side)
            pixels.append(corner_T[some[box]] + row * _SIDE + column)
            triangles.append(some[box])
            weights.append(np.stack([b0.reshape(-1)[at], b1.reshape(-1)[at], b2.reshape(-1)[at]], axis=-1))
    if not pixels:
        raise ValueError("blank")
    return np.concatenate(pixels), np.concatenate(triangles), np.concatenate(weights)


def _plane(coefficients_3B: Floats, steps_S: Floats) -> Floats:
    """A linear function on the pixels of a square box each: (B, side, side), rows first."""
    across = coefficients_3B[0][:, None] + coefficients_3B[1][:, None] * steps_S
    down = coefficients_3B[2][:, None] * steps_S
    return np.asarray(down[:, :, None] + across[:, None, :], np.float32)


def _cross(one: Floats, two: Floats) -> Floats:
    return one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]


class _Scene:
    """Colours and light of a model's fragments."""

    def __init__(
        self, model: Model, normals_T33: Floats, unit_T33: Floats, paint: str, skin: Pixels | None
    ) -> None:
        self.model = model
        self.normals_T33 = normals_T33
        self.unit_T33 = unit_T33
        self.skin = skin
        self.painted = _main_materials(model) if paint else frozenset()
        self.paint_3 = np.array(PAINTS[paint], np.float32) / 255 if paint else np.zeros(3, np.float32)

    def base_colour(self, triangle_F: Ints, weights_F3: Floats) -> Floats:
        """Unlit colour and opacity, (F, 4)."""
        colour_F4 = np.ones((len(triangle_F), 4), np.float32)
        material_F = self.model.materials_T[triangle_F]
        for number, material in enumerate(self.model.materials):
            chosen = np.flatnonzero(material_F == number)
            if not len(chosen):
                continue
            colour = np.broadcast_to(material.diffuse_3, (len(chosen), 3))
            opacity = np.full(len(chosen), material.opacity, np.float32)
            if material.texture is not None:
                uv = self._mix(self.model.uvs_T32, triangle_F[chosen], weights_F3[chosen])
                texel = _sample(material.texture, uv)
                colour = colour * texel[:, :3]
                opacity = opacity * texel[:, 3]
            if self.skin is not None and material.opacity > 0.9:
                colour = self._skin_colour(triangle_F[chosen], weights_F3[chosen])
            elif number in self.painted:
                light = colour.mean(axis=1, keepdims=True)
                colour = self.paint_3 * np.clip(light / max(float(light.mean()), 0.02), 0.55, 1.3)
            colour_F4[chosen, :3] = np.clip(colour, 0, 1)
            colour_F4[chosen, 3] = opacity
        return colour_F4

    def light(self, triangle_F: Ints, weights_F3: Floats, colour_F3: Floats) -> Floats:
        """The colours as lit by a key, a fill and the sky; both sides of a surface are lit."""
        normal = self._mix(self.normals_T33, triangle_F, weights_F3)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        normal = np.where(normal[:, 2:] < 0, -normal, normal)
        key, fill = _KEY / np.linalg.norm(_KEY), _FILL / np.linalg.norm(_FILL)
        shade = (
            0.44
            + 0.5 * np.maximum(normal @ key, 0)
            + 0.14 * np.maximum(normal @ fill, 0)
            + 0.1 * normal[:, 1]
        )
        half = key + np.array([0, 0, 1], np.float32)
        gloss = np.maximum(normal @ (half / np.linalg.norm(half)), 0) ** 28
        specular = np.array([material.specular for material in self.model.materials], np.float32)
        shine = 0.35 * np.minimum(specular[self.model.materials_T[triangle_F]], 0.8) * gloss
        lit = np.clip(colour_F3 * shade[:, None] + shine[:, None], 0, 1)
        # Exported colours are darker than the pictures that their authors saw.
        return np.asarray(lit**0.85, np.float32)

    def _mix(self, corners_T3X: Floats, triangle_F: Ints, weights_F3: Floats) -> Floats:
        return np.asarray(np.einsum("fcx,fc->fx", corners_T3X[triangle_F], weights_F3), np.float32)

    def _skin_colour(self, triangle_F: Ints, weights_F3: Floats) -> Floats:
        assert self.skin is not None
        at = self._mix(self.unit_T33, triangle_F, weights_F3)
        low, high = self.unit_T33.reshape(-1, 3).min(axis=0), self.unit_T33.reshape(-1, 3).max(axis=0)
        x, y, z = ((at - low) / np.maximum(high - low, 1e-6)).T
        edges = self.unit_T33[:, 1] - self.unit_T33[:, 0], self.unit_T33[:, 2] - self.unit_T33[:, 0]
        axis = np.abs(np.cross(*edges)).argmax(axis=1)[triangle_F]
        u = np.where(axis == 0, z, x)
        v = np.where(axis == 1, z, 1 - y)
        uv = np.stack([u, 1 - v], axis=-1)
        return _sample(self.skin, np.clip(uv, 0.002, 0.998))[:, :3]


def _main_materials(model: Model) -> frozenset[int]:
    """The solid material with the largest surface, and others that cover nearly as much."""
    edge1 = model.positions_T33[:, 1] - model.positions_T33[:, 0]
    edge2 = model.positions_T33[:, 2] - model.positions_T33[:, 0]
    area_T = np.linalg.norm(np.cross(edge1, edge2), axis=1)
    share = np.bincount(model.materials_T, weights=area_T, minlength=len(model.materials))
    for number, material in enumerate(model.materials):
        if material.opacity < 0.9:
            share[number] = 0
    largest = float(share.max())
    return frozenset(int(number) for number in np.flatnonzero(share >= max(0.6 * largest, 1e-12)))


def _sample(texture_HW4: Pixels, uv_F2: Floats) -> Floats:
    """Nearest texel, repeating; v points up. (F, 4) in [0, 1]."""
    height, width = texture_HW4.shape[:2]
    column = np.floor((uv_F2[:, 0] % 1.0) * width).astype(np.int64).clip(0, width - 1)
    row = np.floor((1.0 - uv_F2[:, 1] % 1.0) * height).astype(np.int64).clip(0, height - 1)
    return np.asarray(texture_HW4[row, column] / np.float32(255), np.float32)


def _blend(
    image_P4: Floats,
    scene: _Scene,
    pixel_F: Ints,
    depth_F: Floats,
    triangle_F: Ints,
    weights_F3: Floats,
    colour_F4: Floats,
    chosen: Ints,
    solid_F: NDArray[np.bool_],
) -> None:
    """Put the nearest of the chosen fragments of each pixel on the image; glass only in front of what is solid."""
    if not len(chosen):
        return
    nearest_P = np.full(len(image_P4), np.inf, np.float32)
    if not solid_F[chosen[0]]:
        front = np.flatnonzero(solid_F)
        np.minimum.at(nearest_P, pixel_F[front], depth_F[front])
        chosen = chosen[depth_F[chosen] < nearest_P[pixel_F[chosen]]]
    # Far ones first: the last value written to a pixel stays.
    order = chosen[np.argsort(-depth_F[chosen], kind="stable")]
    top_P = np.full(len(image_P4), -1, np.int64)
    top_P[pixel_F[order]] = order
    seen = np.flatnonzero(top_P >= 0)
    fragment = top_P[seen]
    lit = scene.light(triangle_F[fragment], weights_F3[fragment], colour_F4[fragment, :3])
    alpha = np.where(solid_F[fragment], 1.0, colour_F4[fragment, 3]).astype(np.float32)[:, None]
    # Premultiplied "over".
    under = image_P4[seen]
    image_P4[seen, :3] = lit * alpha + under[:, :3] * (1 - alpha)
    image_P4[seen, 3:] = alpha + under[:, 3:] * (1 - alpha)


def _half(image_HW4: Floats) -> Pixels:
    """Average 2x2 of premultiplied colours and go back to straight alpha, uint8."""
    small = image_HW4.reshape(_SIDE // 2, 2, _SIDE // 2, 2, 4).mean(axis=(1, 3))
    alpha = small[..., 3:]
    straight = np.where(alpha > 0, small[..., :3] / np.maximum(alpha, 1e-6), 0)
    return np.asarray(np.concatenate([straight, alpha], axis=-1) * 255 + 0.5, np.uint8)


def _filled(picture_HW4: Pixels) -> Pixels:
    """Grow a picture's edge colours outwards over its transparent parts."""
    colour = picture_HW4[..., :3].astype(np.float32)
    known = picture_HW4[..., 3] > 200
    if not known.any():
        raise ValueError("blank")
    while not known.all():
        total = np.zeros_like(colour)
        count = np.zeros(known.shape, np.float32)
        for axis in (0, 1):
            for step in (-1, 1):
                near = np.roll(known, step, axis)
                total += np.where(near[..., None], np.roll(colour, step, axis), 0)
                count += near
        grown = ~known & (count > 0)
        colour[grown] = total[grown] / count[grown, None]
        known |= grown
    return np.concatenate([colour, np.full((*known.shape, 1), 255)], axis=-1).astype(np.uint8)
