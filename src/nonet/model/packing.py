"""Weights of matrix products, laid out for products of few rows on a processor.

With each of these a row's result is the same to the last bit in whichever batch it stands. torch's own product does not
have that: for some numbers of rows it sums in another order.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
from torch import Tensor

Kind = Literal["own", "float16", "int8"]
"""What weights are kept as: as they are, or rounded to float16 or to bytes."""


class Packed(Protocol):
    """A weight (output, input) in a layout that can be neither copied nor pickled."""

    def __call__(self, x: Tensor) -> Tensor:
        """The product (..., output) of x (..., input)."""

    def weight(self) -> Tensor:
        """What the layout has left of the weight, in the weight's type."""


class Own:
    """In oneDNN's layout, and nothing rounded."""

    def __init__(self, weight: Tensor) -> None:
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        # The overload itself: looking it up takes longer than a small product.
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        product: Tensor = self._product(x, self._packed, None, "none", [], None)
        return product

    def weight(self) -> Tensor:
        values: Tensor = self._packed.to_dense()  # laying out and back rounds nothing
        return values


class Halves:
    """In float16, in FBGEMM's layout. Half as much is read; each number is widened as it is used."""

    def __init__(self, weight: Tensor) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), None)
        self._product = torch.ops.quantized.linear_dynamic_fp16.default

    def __call__(self, x: Tensor) -> Tensor:
        product: Tensor = self._product(x, self._packed)
        return product

    def weight(self) -> Tensor:
        values: Tensor = torch.ops.quantized.linear_unpack_fp16(self._packed)[0]
        return values.float()


class Bytes:
    """As integers from -127 to 127 times a number for each output; x is rounded so, too, times a number for each row.

    A quarter is read, and integers are multiplied and summed exactly (absmax quantisation, row by row for both sides:
    the "vector-wise" one of LLM.int8(), Dettmers et al. 2022, without its outliers).
    """

    def __init__(self, weight: Tensor) -> None:
        scale_N = weight.abs().amax(1).clamp_min(1e-30) / 127
        integers = (weight / scale_N[:, None]).round().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(integers, None)
        self._scale_N = scale_N
        # x's 127 is divided out here, once.
        self._product_scale_N = scale_N / 127
        self._zeros_N = torch.zeros(len(weight), dtype=torch.int64)
        # Unsigned ones are multiplied fastest: 128 stands for zero, and the half rounds what is cut off.
        self._middle = torch.tensor(128.5)
        self._product = torch.ops.onednn.qlinear_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        largest_M1 = rows.abs().amax(1, keepdim=True)
        integers = self._middle.addcmul(rows, 127 / largest_M1.clamp_min(1e-30)).to(torch.uint8)
        scales = self._product_scale_N, self._zeros_N
        settings: tuple[Any, ...] = (None, 1.0, 0, torch.float32, "none", [], "")
        product: Tensor = self._product(integers, 1.0, 128, self._packed, *scales, *settings)
        # What was not finite is not finite again.
        return product.mul_(largest_M1).view(*x.shape[:-1], -1)

    def weight(self) -> Tensor:
        turned: Tensor = self._packed.to_dense()
        return turned.T.float().contiguous() * self._scale_N[:, None]


def pack(weight: Tensor, kind: Kind = "own") -> Packed | None:
    """A layout for this weight, where the processor computes with it; None elsewhere, and on other devices.

    Weights that are not in float32 stay as they are.
    """
    weight = weight.detach()
    if not _computes_in(weight):
        return None
    if weight.dtype == torch.float32:
        if kind == "int8" and multiplies_bytes():
            return Bytes(weight)
        if kind == "float16" and "fbgemm" in torch.backends.quantized.supported_engines:
            return Halves(weight)
    return Own(weight)


def multiplies_bytes() -> bool:
    """Whether this processor has the instructions for products of integers of eight bits (VNNI).

    Without them oneDNN's products of these are slow, and their sums may overflow.
    """
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(able.get("avx512_vnni") or able.get("avx_vnni")) and "onednn" in (
        torch.backends.quantized.supported_engines
    )


def _computes_in(weight: Tensor) -> bool:
    """Whether oneDNN multiplies numbers of this type on this device."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if weight.dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return weight.dtype == torch.float32
