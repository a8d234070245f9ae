"""3x3 convolutions with a quarter of the products (Winograd's F(4x4, 3x3); Lavin and Gray 2015, arXiv 1509.09308).

A tile of 6x6 numbers becomes 36 others, each of which is multiplied with one number of the kernel instead of each of
the tile's 16 results with nine; 16 results are put together again. With many channels the way there and back costs less
than what is saved: here a convolution takes half of its time. What it adds to the rounding of float32 is some 1e-5 of
the numbers' size; half precision would not bear it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nonet.model.conv import Conv, Layout, Version, is_onednns, version_of

INPUTS_AT_ONCE = 32
"""Of a kernel, while its form is made."""
# Of the polynomial that is evaluated at 0, 1, -1, 2, -2 and infinity.
_TILE = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_RESULT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class Winograd:
    """A convolution of 3x3 in this form, without its bias; it does not follow when the weights change."""

    def __init__(self, conv: nn.Conv2d) -> None:
        device = conv.weight.device
        tile_66, kernel_63, result_46 = (
            torch.tensor(rows, dtype=torch.float64, device=device) for rows in (_TILE, _KERNEL, _RESULT)
        )
        # Some inputs at a time: in double precision all of them would take several times the form's memory.
        outputs, inputs = conv.weight.shape[:2]
        kernel_36KC = torch.empty(36, outputs, inputs, device=device)
        for some in range(0, inputs, INPUTS_AT_ONCE):
            seen = slice(some, some + INPUTS_AT_ONCE)
            spread = torch.einsum("ai,kcij,bj->abkc", kernel_63, conv.weight[:, seen].double(), kernel_63)
            kernel_36KC[:, :, seen] = spread.flatten(0, 1)
        self._products = _products(kernel_36KC)
        self._to_36 = torch.kron(tile_66, tile_66).float()
        self._from_36 = torch.kron(result_46, result_46).float()

    def __call__(self, x_HWC: Tensor) -> Tensor:
        """Rows (H, W, K) of rows (H + 2, W + 2, C), contiguous: one more is seen on each side.

        As a view (H / 4, 4, W / 4, 4, K), so that whoever puts them in their place copies them once.
        """
        down, across, channels = (x_HWC.shape[0] - 2) // 4, (x_HWC.shape[1] - 2) // 4, x_HWC.shape[2]
        row, column, channel = x_HWC.stride()
        # Tiles overlap by two rows and columns.
        x_TT66C = x_HWC.as_strided(
            (down, across, 6, 6, channels), (4 * row, 4 * column, row, column, channel)
        )
        spread_T36C = self._to_36 @ x_TT66C.reshape(-1, 36, channels)
        results = self._from_36 @ self._products(spread_T36C)
        return results.view(down, across, 4, 4, -1).permute(0, 2, 1, 3, 4)


def _products(kernel_36KC: Tensor) -> Callable[[Tensor], Tensor]:
    """What multiplies each of the 36 numbers of tiles (T, 36, C) by its own matrix: (T, 36, K)."""
    outputs, inputs = kernel_36KC.shape[1:]
    if not is_onednns(kernel_36KC):
        kernel_36CK = kernel_36KC.transpose(1, 2)
        return lambda x_T36C: torch.bmm(x_T36C.transpose(0, 1), kernel_36CK).transpose(0, 1).contiguous()
    # As 36 groups of a convolution of single pixels: torch has all products of this kind made by oneDNN, but those of
    # matrices by MKL, which takes a processor that is not Intel's for an old one, and twice the time.
    kernel = kernel_36KC.view(36 * outputs, inputs, 1, 1)
    layout = Layout(kernel, (1, 36 * inputs, 8, 8), groups=36)

    def products(x_T36C: Tensor) -> Tensor:
        x_1X1T = x_T36C.view(1, 1, len(x_T36C), -1).permute(0, 3, 1, 2)
        return layout(x_1X1T).permute(0, 2, 3, 1).reshape(len(x_T36C), 36, outputs)

    return products


class Conv3(Conv):
    """A convolution of 3x3, padded by 1, that keeps its Winograd form while its weights stay the same."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self._kept: tuple[Version, Winograd] | None = None

    def winograd(self, height: int, width: int) -> Winograd | None:
        """The form for pictures of this size, if it is right and pays for them."""
        if self.weight.dtype != torch.float32 or height % 4 or width % 4:
            return None
        if min(self.in_channels, self.out_channels) < 64:
            return None
        version = version_of(self.weight)
        if self._kept is None or self._kept[0] != version:
            self._kept = version, Winograd(self)
        return self._kept[1]

    def __getstate__(self) -> dict[str, Any]:
        # It holds a `Layout`.
        return {**self.__dict__, "_kept": None}
