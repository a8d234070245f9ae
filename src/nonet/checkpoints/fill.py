"""Filling a network from files: first everything is compared, then tensor after tensor is read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from nonet.checkpoints.names import Part
from nonet.checkpoints.tensors import TensorFiles
from nonet.errors import NonetError


def fill(
    module: nn.Module,
    parts: Sequence[Part],
    files: TensorFiles,
    *,
    what: str,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> None:
    """Give a network, made on the meta device, its weights.

    Args:
        module: its parameters are replaced, frozen, and the network is put into evaluation.
        parts: every parameter of it, with the names in the files.
        files: what was found; must hold exactly what `parts` name.
        what: whose weights these are, for errors: a file or a folder.
        dtype: of the floating parameters.
        device: where they go.

    Raises:
        NonetError: `weights_corrupt`, naming every tensor that is missing, left over, of another shape than
            the config says, or not finite.
    """
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    _compare(shapes, parts, files, what)
    state = {name: torch.empty(shape, dtype=dtype, device=device) for name, shape in shapes.items()}
    broken: list[str] = []
    for part in parts:
        values = part.rows(state[part.target])
        values.copy_(part.to_ours(files.read(part.source, part.layer)))
        # Looked at after the conversion: in half precision a number may be too large, too.
        if not bool(torch.isfinite(values).all()):
            broken.append(_at(part))
    if broken:
        kind = str(dtype).removeprefix("torch.")
        raise NonetError(
            "weights_corrupt",
            f"The weights in {what} are not finite ({kind}) in: {', '.join(dict.fromkeys(broken))}.",
            "Get the file again, or load it as float32.",
        )
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
    module.eval()


def _at(part: Part) -> str:
    return part.source if part.layer is None else f"{part.source}[{part.layer}]"


def _compare(
    shapes: dict[str, tuple[int, ...]], parts: Sequence[Part], files: TensorFiles, what: str
) -> None:
    needed = {part.source: part.source_shape(shapes[part.target]) for part in parts}
    missing = [name for name in needed if name not in files]
    surplus = [name for name in files if name not in needed]
    other = [
        f"{name} is {list(files[name].shape)}, not {list(shape)}"
        for name, shape in needed.items()
        if name in files and files[name].shape != shape
    ]
    integer = [
        f"{name} holds {files[name].dtype}"
        for name in needed
        if name in files and not files[name].dtype.is_floating_point and name not in files.scaled
    ]
    said: list[str] = []
    for title, names in (
        ("missing", missing),
        ("left over", surplus),
        ("of another shape than the config says", other),
        ("no floating numbers", integer),
    ):
        if names:
            said.append(f"{title}: {', '.join(names)}")
    if said:
        raise NonetError(
            "weights_corrupt",
            f"The weights in {what} are not those of the model in its config. {'; '.join(said)}.",
            "Check that config and weights belong together, and get them again.",
        )
