from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from nonet.data.models3d import Material, Model
from nonet.data.raster import PAINTS, ModelView, render_model


def material(rgb: tuple[float, float, float], opacity: float = 1.0) -> Material:
    return Material("m", np.array(rgb, np.float32), 0.0, opacity, None)


def quad(low: tuple[float, float], high: tuple[float, float], z: float) -> np.ndarray:
    """A rectangle that faces +z, as two triangles."""
    a, b, c, d = (low[0], low[1], z), (high[0], low[1], z), (high[0], high[1], z), (low[0], high[1], z)
    return np.array([[a, b, c], [a, c, d]], np.float32)


def model(*parts: tuple[np.ndarray, Material]) -> Model:
    positions = np.concatenate([part for part, _ in parts])
    normals = np.zeros_like(positions)
    normals[..., 2] = 1
    numbers = np.concatenate([np.full(len(part), i) for i, (part, _) in enumerate(parts)])
    return Model(
        positions,
        normals,
        np.zeros((*positions.shape[:2], 2), np.float32),
        numbers,
        tuple(m for _, m in parts),
    )


RED, BLUE = (0.9, 0.05, 0.05), (0.05, 0.05, 0.9)


def test_a_square_seen_from_the_front_fills_the_frame() -> None:
    picture = render_model(model((quad((0, 0), (1, 1), 0), material(RED))), 0, 0)
    assert picture.shape == (232, 232, 4)
    alpha = picture[..., 3] > 127
    assert alpha[4:-4, 4:-4].all()
    assert picture[116, 116, 0] > 3 * picture[116, 116, 2]


def test_the_nearer_surface_hides_the_farther_whatever_comes_first() -> None:
    near, far = (quad((0, 0), (1, 1), 0.5), material(RED)), (quad((0, 0), (1, 1), -0.5), material(BLUE))
    for parts in ((near, far), (far, near)):
        centre = render_model(model(*parts), 0, 0)[116, 116]
        assert centre[0] > centre[2]


def test_from_behind_the_order_turns() -> None:
    near, far = (quad((0, 0), (1, 1), 0.5), material(RED)), (quad((0, 0), (1, 1), -0.5), material(BLUE))
    centre = render_model(model(near, far), 180, 0)[116, 116]
    assert centre[2] > centre[0]


def test_glass_lets_through_what_is_behind_it() -> None:
    pane = (quad((0, 0), (1, 1), 0.5), material((1, 1, 1), 0.3))
    wall = (quad((0, 0), (1, 1), -0.5), material(RED))
    seen, bare = render_model(model(pane, wall), 0, 0)[116, 116], render_model(model(wall), 0, 0)[116, 116]
    assert seen[3] == 255
    assert bare[1] < seen[1] < 255
    alone = render_model(model(pane), 0, 0)[116, 116]
    assert 40 < alone[3] < 120


def test_a_view_from_above_shows_the_top() -> None:
    top = quad((0, 0), (1, 1), 0)[..., [0, 2, 1]]
    picture = render_model(model((top, material(RED))), 0, 40)
    rows = np.flatnonzero((picture[..., 3] > 127).any(axis=1))
    # Straight from the side the flat square would be a line.
    assert 80 < len(rows) < 232


@pytest.mark.parametrize("colour", sorted(PAINTS))
def test_paint_gives_the_main_material_its_colour(colour: str) -> None:
    body = (quad((0, 0), (1, 1), 0), material((0.4, 0.4, 0.4)))
    knob = (quad((0.45, 0.45), (0.55, 0.55), 0.01), material(BLUE))
    picture = render_model(model(body, knob), 0, 0, paint=colour)
    wanted = np.array(PAINTS[colour], float)
    assert np.abs(picture[40, 40, :3] / max(wanted.max(), 1) - wanted / max(wanted.max(), 1)).max() < 0.45
    assert picture[116, 116, 2] > picture[116, 116, 0]


def test_a_skin_is_projected_upright_onto_the_front() -> None:
    skin = np.zeros((8, 8, 4), np.uint8)
    skin[:4] = (255, 0, 0, 255)
    skin[4:] = (0, 255, 0, 255)
    picture = render_model(model((quad((0, 0), (1, 1), 0), material((1, 1, 1)))), 0, 0, skin=skin)
    assert picture[40, 116, 0] > picture[40, 116, 1]
    assert picture[190, 116, 1] > picture[190, 116, 0]


def test_a_view_fills_a_skin_s_transparent_parts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    skin = np.zeros((9, 9, 4), np.uint8)
    skin[4, 4] = (255, 0, 0, 255)
    view = ModelView(str(tmp_path / "a.zip"), "a.obj", 0, 0, skin=(skin.tobytes(), 9, 9))
    corner = view.draw()[10, 10]
    assert corner[3] == 255
    assert corner[0] > 3 * corner[1]


def test_nothing_to_see_is_told() -> None:
    with pytest.raises(ValueError, match="blank"):
        render_model(model((quad((0, 0), (0, 0), 0), material(RED))), 0, 0)
