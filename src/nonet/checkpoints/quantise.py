"""Weights in eight bits: symmetric per output row, with scales in half precision.

A matrix `name` becomes `name` (int8) and `name.scale` (float16, one for each row). Vectors and other small
tensors are kept in float16, because they are few and norms are sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"


def quantise(tensors: Mapping[str, Tensor], *, smallest: int = 4096) -> dict[str, Tensor]:
    """Store large floating tensors of two or more axes in int8, other floating ones in float16.

    Large is `smallest` values or more. Each row (first axis) is divided by its largest magnitude / 127 and
    rounded; the error of a value is at most half of that step. Integer tensors are kept as they are.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            stored[name] = tensor
        elif tensor.dim() < 2 or tensor.numel() < smallest:
            stored[name] = tensor.half().contiguous()
        else:
            rows_RC = tensor.detach().float().flatten(1)
            # The scale that is stored is the scale that is divided by; a row of zeros or of values too small
            # for float16 becomes zeros.
            scale_R1 = (rows_RC.abs().amax(1, keepdim=True) / 127).half().float()
            codes_RC = torch.where(scale_R1 > 0, rows_RC / scale_R1.clamp(min=1e-12), torch.zeros(()))
            stored[name] = codes_RC.round().clamp(-127, 127).to(torch.int8).view(tensor.shape)
            stored[name + SCALE] = scale_R1.squeeze(1).half()
    return stored


def dequantise(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Undo `quantise`: floating tensors and scaled int8 tensors come back in `dtype`, others as they are."""
    restored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        scale_R = tensors.get(name + SCALE)
        if tensor.dtype == torch.int8 and scale_R is not None:
            shape = (-1,) + (1,) * (tensor.dim() - 1)
            restored[name] = (tensor.float() * scale_R.float().view(shape)).to(dtype)
        elif name.endswith(SCALE) and tensors.get(name.removesuffix(SCALE), tensor).dtype == torch.int8:
            continue
        else:
            restored[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return restored
