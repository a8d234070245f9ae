from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nonet.data.models3d import load_model

OBJ = """mtllib box.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vn 0 0 1
usemtl paint
f 1/1/1 2/2/1 3/3/1 4//1
usemtl glass pane
f -4 -3 -2
"""
MTL = """newmtl paint
Kd 0.2 0.1 0.4
Ks 0.3 0.3 0.3
map_Kd skin.png
newmtl glass
d 0.25
"""


def write_archive(path: Path, obj: str = OBJ, mtl: str | None = MTL) -> Path:
    stream = io.BytesIO()
    Image.new("RGB", (1024, 4), (255, 0, 0)).save(stream, "PNG")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("things/box.obj", obj)
        if mtl is not None:
            file.writestr("things/box.mtl", mtl)
        file.writestr("things/skin.png", stream.getvalue())
    return path


def test_polygons_become_triangles_with_their_materials(tmp_path: Path) -> None:
    model = load_model(str(write_archive(tmp_path / "a.zip")), "things/box.obj")
    assert model.positions_T33.shape == (3, 3, 3)
    assert model.materials_T.tolist() == [0, 0, 1]
    assert model.positions_T33[1, 2].tolist() == [0, 1, 0]
    assert model.uvs_T32[0, 1].tolist() == [1, 0]
    paint, glass = model.materials
    assert paint.texture is not None
    assert paint.texture.shape == (2, 512, 4)
    # The gray that exporters multiply a texture with is taken out: the largest part is one.
    assert paint.diffuse_3.tolist() == pytest.approx([0.5, 0.25, 1.0])
    assert glass.opacity == 0.25


def test_missing_normals_are_those_of_the_face(tmp_path: Path) -> None:
    model = load_model(str(write_archive(tmp_path / "a.zip")), "things/box.obj")
    assert np.allclose(model.normals_T33[2], [0, 0, 1])


def test_a_missing_library_gives_plain_materials(tmp_path: Path) -> None:
    model = load_model(str(write_archive(tmp_path / "a.zip", mtl=None)), "things/box.obj")
    assert all(material.texture is None for material in model.materials)


@pytest.mark.parametrize("obj", ["", "v 0 0 0\n", "f 1 2 3\n", "v a b c\n"])
def test_damaged_models_are_told(tmp_path: Path, obj: str) -> None:
    path = write_archive(tmp_path / f"{abs(hash(obj))}.zip", obj)
    with pytest.raises(ValueError, match=r"."):
        load_model(str(path), "things/box.obj")


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unreadable"):
        load_model(str(tmp_path / "none.zip"), "x.obj")
