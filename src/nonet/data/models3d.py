"""Wavefront OBJ models with their materials and textures, read into flat arrays."""

from __future__ import annotations

import io
import posixpath
import zipfile
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LARGEST_TEXTURE = 512
_MOST_TRIANGLES = 400_000


@dataclass(frozen=True, slots=True)
class Material:
    """`diffuse_3` and `specular` in [0, 1]; `opacity` 1 is solid; `texture` is uint8 (H, W, 4) or None."""

    name: str
    diffuse_3: NDArray[np.float32]
    specular: float
    opacity: float
    texture: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class Model:
    """Triangles with a corner per row: positions and normals (T, 3, 3), texture coordinates (T, 3, 2).

    y points up and the front looks along +z. `materials_T` indexes `materials`.
    """

    positions_T33: NDArray[np.float32]
    normals_T33: NDArray[np.float32]
    uvs_T32: NDArray[np.float32]
    materials_T: NDArray[np.int64]
    materials: tuple[Material, ...]


@lru_cache(maxsize=2)
def load_model(archive: str, member: str) -> Model:
    """Read an OBJ model out of a zip archive, with the material library and textures beside it.

    Kept for the last two models: views of one model are drawn one after the other.

    Raises:
        ValueError: the model is damaged, empty or too large.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            return _read(file, member)
    except (OSError, KeyError, zipfile.BadZipFile, IndexError) as error:
        raise ValueError(f"unreadable model: {error}") from error


def _read(file: zipfile.ZipFile, member: str) -> Model:
    positions: list[list[float]] = []
    normals: list[list[float]] = []
    uvs: list[list[float]] = []
    corners: list[tuple[int, int, int]] = []
    used: list[int] = []
    materials: dict[str, Material] = {}
    numbers: dict[str, int] = {}
    current = 0
    for line in file.read(member).decode("utf-8", "replace").splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "v":
            positions.append([float(one) for one in parts[1:4]])
        elif parts[0] == "vn":
            normals.append([float(one) for one in parts[1:4]])
        elif parts[0] == "vt":
            uvs.append([float(one) for one in parts[1:3]])
        elif parts[0] == "mtllib":
            library = posixpath.join(posixpath.dirname(member), line.split(None, 1)[1].strip())
            materials.update(_read_materials(file, library))
        elif parts[0] == "usemtl":
            current = numbers.setdefault(parts[1] if len(parts) > 1 else "", len(numbers))
        elif parts[0] == "f":
            polygon = [_corner(one, len(positions), len(uvs), len(normals)) for one in parts[1:]]
            for index in range(1, len(polygon) - 1):
                corners.extend((polygon[0], polygon[index], polygon[index + 1]))
                used.append(current)
    if not used or len(used) > _MOST_TRIANGLES:
        raise ValueError(f"{len(used)} triangles")
    index_C3 = np.array(corners, np.int64)
    points_T33 = np.array(positions, np.float32)[index_C3[:, 0]].reshape(-1, 3, 3)
    flat_T3 = np.cross(points_T33[:, 1] - points_T33[:, 0], points_T33[:, 2] - points_T33[:, 0])
    flat_T3 /= np.maximum(np.linalg.norm(flat_T3, axis=1, keepdims=True), 1e-12)
    normals_C3 = np.repeat(flat_T3, 3, axis=0)
    if normals:
        given = index_C3[:, 2] >= 0
        normals_C3[given] = np.array(normals, np.float32)[index_C3[given, 2]]
    uvs_C2 = np.zeros((len(index_C3), 2), np.float32)
    if uvs:
        given = index_C3[:, 1] >= 0
        uvs_C2[given] = np.array(uvs, np.float32)[index_C3[given, 1]]
    plain = Material("", np.full(3, 0.7, np.float32), 0.1, 1.0, None)
    names = sorted(numbers, key=lambda name: numbers[name]) or [""]
    return Model(
        points_T33,
        normals_C3.reshape(-1, 3, 3),
        uvs_C2.reshape(-1, 3, 2),
        np.array(used, np.int64),
        tuple(materials.get(name, plain) for name in names),
    )


def _corner(text: str, positions: int, uvs: int, normals: int) -> tuple[int, int, int]:
    """ "7/3/2", "7//2", "7" or negative (from the end) into zero-based indices; -1 where there is none."""
    parts = ([*text.split("/"), "", ""])[:3]
    counts = (positions, uvs, normals)
    found = []
    for part, count in zip(parts, counts, strict=True):
        number = int(part) if part else 0
        found.append(number - 1 if number > 0 else (count + number if number < 0 else -1))
    return found[0], found[1], found[2]


def _read_materials(file: zipfile.ZipFile, member: str) -> dict[str, Material]:
    try:
        text = file.read(member).decode("utf-8", "replace")
    except KeyError:
        return {}
    rows: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key == "newmtl":
            name = value.strip()
            rows[name] = {}
        elif name:
            rows[name][key] = value.strip()
    return {name: _material(file, posixpath.dirname(member), name, row) for name, row in rows.items()}


def _material(file: zipfile.ZipFile, folder: str, name: str, row: dict[str, str]) -> Material:
    diffuse = np.array([float(one) for one in row.get("Kd", "0.7 0.7 0.7").split()[:3]], np.float32)
    specular = float(np.mean([float(one) for one in row.get("Ks", "0").split()[:3]]))
    opacity = float(row["d"].split()[-1]) if row.get("d") else 1.0
    texture = None
    if "map_Kd" in row:
        texture = _texture(file, posixpath.join(folder, row["map_Kd"].replace("\\", "/")))
        if texture is not None and diffuse.max() > 0:
            # Exporters multiply the texture by a gray that only darkens it.
            diffuse = diffuse / diffuse.max()
        elif texture is not None:
            diffuse = np.ones(3, np.float32)
    return Material(name, diffuse, specular, opacity, texture)


def _texture(file: zipfile.ZipFile, member: str) -> NDArray[np.uint8] | None:
    try:
        with Image.open(io.BytesIO(file.read(member))) as image:
            image.thumbnail((_LARGEST_TEXTURE, _LARGEST_TEXTURE))
            return np.asarray(image.convert("RGBA"))
    except (KeyError, OSError, ValueError):
        return None
