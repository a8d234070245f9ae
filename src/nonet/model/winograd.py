"""3x3 convolutions with a quarter of the products (Winograd's F(4x4, 3x3); Lavin and Gray 2015, arXiv 1509.09308).

A tile of 6x6 numbers becomes 36 others, each of which is multiplied with one number of the kernel instead of each of
the tile's 16 results with nine; 16 results are put together again. With many channels the way there and back costs less
than what is saved: here a convolution takes half of its time. What it adds to the rounding of float32 is some 1e-5 of
the numbers' size; half precision would not bear it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nonet.model.conv import Conv, Version, version_of

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
        self._kernel_36CK = torch.empty(36, inputs, outputs, device=device)
        for some in range(0, inputs, INPUTS_AT_ONCE):
            seen = slice(some, some + INPUTS_AT_ONCE)
            spread = torch.einsum("ai,kcij,bj->abck", kernel_63, conv.weight[:, seen].double(), kernel_63)
            self._kernel_36CK[:, seen] = spread.flatten(0, 1)
        self._to_36 = torch.kron(tile_66, tile_66).float()
        self._from_36 = torch.kron(result_46, result_46).float()

    def __call__(self, x_HWC: Tensor) -> Tensor:
        """Rows (H, W, K) of rows (H + 2, W + 2, C), contiguous: one more is seen on each side.

        As a view (H / 4, 4, W / 4, 4, K), so that whoever puts them in their place copies them once.
        """
        height, width = x_HWC.shape[0] - 2, x_HWC.shape[1] - 2
        channels, outputs = self._kernel_36CK.shape[1:]
        row, column, channel = x_HWC.stride()
        tiles = height // 4, width // 4
        # Tiles overlap by two rows and columns.
        x_66TTC = x_HWC.as_strided((6, 6, *tiles, channels), (row, column, 4 * row, 4 * column, channel))
        spread = torch.mm(self._to_36, x_66TTC.reshape(36, -1)).view(36, -1, channels)
        results = torch.mm(self._from_36, torch.bmm(spread, self._kernel_36CK).view(36, -1))
        return results.view(4, 4, *tiles, outputs).permute(2, 0, 3, 1, 4)


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
