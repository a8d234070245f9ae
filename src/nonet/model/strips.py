"""The picture decoder's convolutions, for drawing with large codecs: the same numbers, less work.

At 256x256 pixels one tensor of the published codec has 32 MiB. Made whole, every norm, activation and sum costs more
in taking memory from the system, page by page, and in carrying it through the caches than in arithmetic. Here two
such tensors live at a time, and what stands between them is as small as a strip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nonet.model.conv import Convolution, Version, version_of
from nonet.model.winograd import Conv3

if TYPE_CHECKING:
    from nonet.model.vqgan import Level, ResnetBlock

STRIP_BYTES = 2 << 20
"""Of a strip, roughly: it and what is made of it stay in the second-level caches."""


class Canvas:
    """One picture's channels (H, W, C), with the sums that its group norm needs.

    Attributes:
        x_HWC: the numbers; rows are written once, through `write`.
    """

    def __init__(self, x_HWC: Tensor) -> None:
        self.x_HWC = x_HWC
        # In double precision: the variance is a difference of two sums over half a million numbers.
        self._sums_2C = torch.zeros(2, x_HWC.shape[2], dtype=torch.float64, device=x_HWC.device)

    @classmethod
    def of(cls, x_CHW: Tensor) -> Canvas:
        """A canvas of numbers that are there; it may be written over."""
        canvas = cls(x_CHW.permute(1, 2, 0).contiguous())
        for rows in canvas.strips():
            canvas._count(canvas.x_HWC[rows])
        return canvas

    @property
    def x_1CHW(self) -> Tensor:
        """The numbers as torch's convolutions take them."""
        return self.x_HWC.permute(2, 0, 1)[None]

    def strips(self) -> Iterator[slice]:
        """The rows, in parts of a multiple of four."""
        height, width, channels = self.x_HWC.shape
        step = max(4, STRIP_BYTES // (width * channels * self.x_HWC.element_size()) // 4 * 4)
        for start in range(0, height, step):
            yield slice(start, min(start + step, height))

    def write(self, rows: slice, x: Tensor, bias_C: Tensor | None) -> None:
        """Fill rows; every row once.

        Args:
            x: (rows, W, C), or with more axes in the same order.
            bias_C: to be added; None is 0.
        """
        mine = self.x_HWC[rows].view(x.shape)
        if bias_C is None:
            mine.copy_(x)
        else:
            torch.add(x, bias_C, out=mine)
        self._count(self.x_HWC[rows])

    def add(self, rows: slice, x: Tensor, bias_C: Tensor | None) -> None:
        """Add to rows, as `write` fills them; every row once, after `forget`."""
        mine = self.x_HWC[rows].view(x.shape).add_(x)
        if bias_C is not None:
            mine.add_(bias_C)
        self._count(self.x_HWC[rows])

    def forget(self) -> None:
        """Begin to count again."""
        self._sums_2C.zero_()

    def _count(self, x_HWC: Tensor) -> None:
        flat_NC = x_HWC.reshape(-1, x_HWC.shape[2]).float()
        self._sums_2C[0] += flat_NC.sum(0)
        self._sums_2C[1] += (flat_NC * flat_NC).sum(0)

    def scale_and_shift(self, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
        """What `norm` comes to for this picture: times the one and plus the other, each (C,)."""
        groups = self._sums_2C.view(2, norm.num_groups, -1).sum(2)
        mean_G, square_G = groups / (self.x_HWC.numel() // norm.num_groups)
        rstd_G = (square_G - mean_G.square()).clamp_min(0).add(norm.eps).rsqrt()
        per_group = self.x_HWC.shape[2] // norm.num_groups
        mean_C, rstd_C = (v.repeat_interleave(per_group) for v in (mean_G, rstd_G))
        scale_C = norm.weight.double() * rstd_C
        return scale_C.float(), (norm.bias.double() - mean_C * scale_C).float()


def activated(canvas: Canvas, norm: nn.GroupNorm, conv: nn.Conv2d) -> Iterator[tuple[slice, Tensor]]:
    """`conv(silu(norm(x)))` without its bias, strip by strip: rows, and what `Canvas.write` takes.

    `conv` is 3x3 and padded by 1.
    """
    scale_C, shift_C = canvas.scale_and_shift(norm)
    height, width, channels = canvas.x_HWC.shape
    faster = conv.winograd(height, width) if isinstance(conv, Conv3) else None
    most = max(rows.stop - rows.start for rows in canvas.strips())
    # Beyond the picture there are zeros, after the activation; on its left and right for all strips.
    padded_HWC = scale_C.new_zeros(most + 2, width + 2, channels)
    for rows in canvas.strips():
        low, high = max(rows.start - 1, 0), min(rows.stop + 1, height)
        seen_HWC = padded_HWC[: rows.stop - rows.start + 2]
        inside_HWC = seen_HWC[low - rows.start + 1 : high - rows.start + 1, 1:-1]
        torch.addcmul(shift_C, canvas.x_HWC[low:high].float(), scale_C, out=inside_HWC)
        F.silu(inside_HWC, inplace=True)
        if rows.stop == height:
            seen_HWC[-1].zero_()
        if faster is not None:
            yield rows, faster(seen_HWC)
            continue
        seen_1CHW = seen_HWC.to(conv.weight.dtype).permute(2, 0, 1)[None]
        yield rows, F.conv2d(seen_1CHW, conv.weight)[0].permute(1, 2, 0)


def through_block(canvas: Canvas, block: ResnetBlock) -> Canvas:
    """A residual block; the canvas that is given is written over where the width stays the same."""
    assert isinstance(block.norm1, nn.GroupNorm)
    assert isinstance(block.norm2, nn.GroupNorm)
    size = canvas.x_HWC.shape[:2]
    inner = Canvas(canvas.x_HWC.new_empty(*size, block.conv1.out_channels))
    for rows, x in activated(canvas, block.norm1, block.conv1):
        inner.write(rows, x, block.conv1.bias)
    if block.nin_shortcut is None:
        canvas.forget()
    else:
        canvas = Canvas(block.nin_shortcut(canvas.x_1CHW)[0].permute(1, 2, 0).contiguous())
    for rows, x in activated(inner, block.norm2, block.conv2):
        canvas.add(rows, x, block.conv2.bias)
    return canvas


def finished(x_CHW: Tensor, levels: Iterable[Level], norm: nn.GroupNorm, conv: nn.Conv2d) -> Tensor:
    """One picture through levels without attention, norm and the last convolution: (H, W, out) pixels.

    Without gradients; `x_CHW` may be written over.
    """
    canvas = Canvas.of(x_CHW)
    for level in levels:
        for block in level.blocks():
            canvas = through_block(canvas, block)
        if level.upsample is not None:
            canvas = Canvas.of(level.upsample(canvas.x_1CHW)[0])
    parts = [pixels_HWC for _, pixels_HWC in activated(canvas, norm, conv)]
    pixels_HWC = torch.cat(parts)
    return pixels_HWC if conv.bias is None else pixels_HWC.add_(conv.bias)


class Doubled:
    """`conv(x)` of x with every pixel doubled in both directions, without making the large picture first.

    4 products for each pixel and channel instead of 9: two of the three rows and columns that a kernel sees are
    doubles of one another, so their weights can be added beforehand. Which two depends on whether the row and the
    column are even or odd.

    The added weights are kept until those of `conv` change.
    """

    def __init__(self) -> None:
        self._made_of: Version | None = None
        self._kernels: list[Tensor] = []
        self._convolutions = [Convolution() for _ in range(4)]

    def __call__(self, x: Tensor, conv: nn.Conv2d) -> Tensor:
        weight = conv.weight
        made_of = version_of(weight)
        if made_of != self._made_of:
            self._kernels = [_kernel(weight, row, column) for row in (0, 1) for column in (0, 1)]
            self._made_of = made_of
        height, width = x.shape[2:]
        size = (x.shape[0], weight.shape[0], 2 * height, 2 * width)
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for index, (convolution, kernel) in enumerate(zip(self._convolutions, self._kernels, strict=True)):
            row, column = divmod(index, 2)
            part = convolution(x, kernel, conv.bias, padding=1)
            out[:, :, row::2, column::2] = part[:, :, row : row + height, column : column + width]
        return out


def _kernel(weight: Tensor, row: int, column: int) -> Tensor:
    kernel = _halved(_halved(weight.detach().float(), 2, row), 3, column).to(weight.dtype)
    return kernel.contiguous(memory_format=torch.channels_last)


def _halved(weight: Tensor, axis: int, odd: int) -> Tensor:
    """A kernel of three over doubled places as one of two over the places themselves."""
    first, middle, last = weight.unbind(axis)
    pair = (first + middle, last) if odd else (first, middle + last)
    return torch.stack(pair, axis)
