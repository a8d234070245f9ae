"""Painting things in another colour while keeping their shading."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Paint(NamedTuple):
    """What colour things have.

    Attributes:
        hsv_N3: mean hue, saturation and value of the coloured pixels, 0 to 1 each.
        focus_N: 1 where all coloured pixels have one hue, 0 where hues cancel out.
        share_N: share of visible pixels with a clear colour.
    """

    hsv_N3: Tensor
    focus_N: Tensor
    share_N: Tensor


def paint_of(rgb_NHW3: Tensor, seen_NHW: Tensor) -> Paint:
    """The colour of things: pixels in 0 to 1, and 1 where the thing is, 0 where not."""
    hue, saturation, value = rgb_to_hsv(rgb_NHW3).unbind(-1)
    weight = seen_NHW * ((saturation > 0.2) & (value > 0.15)) * saturation * value
    total = weight.sum((1, 2)).clamp(min=1e-6)
    angle = hue * 2 * torch.pi
    x, y = (weight * angle.cos()).sum((1, 2)) / total, (weight * angle.sin()).sum((1, 2)) / total
    hsv = [
        torch.atan2(y, x).div(2 * torch.pi).remainder(1),
        (weight * saturation).sum((1, 2)) / total,
        (weight * value).sum((1, 2)) / total,
    ]
    share = (weight > 0).float().sum((1, 2)) / seen_NHW.sum((1, 2)).clamp(min=1)
    return Paint(torch.stack(hsv, 1), torch.hypot(x, y), share)


def recolour(rgb_KHWC: Tensor, base_K3: Tensor, target_K3: Tensor) -> Tensor:
    """Paint the coloured pixels of cut-outs in another colour and keep their shading.

    Args:
        rgb_KHWC: straight RGB in 0..1.
        base_K3: mean hue, saturation, value of each cut-out's coloured pixels.
        target_K3: the wanted RGB in 0..1.
    """
    hsv = rgb_to_hsv(rgb_KHWC)
    hue, saturation, value = hsv.unbind(-1)
    base_h, base_s, base_v = (base_K3[:, i, None, None] for i in range(3))
    goal = rgb_to_hsv(target_K3)
    goal_h, goal_s, goal_v = (goal[:, i, None, None] for i in range(3))
    # Differences of hue inside the thing shrink: a green leaf beside a red apple stays apart, shades come
    # together.
    new_hue = (goal_h + 0.5 * ((hue - base_h + 0.5) % 1 - 0.5)) % 1
    new_saturation = (saturation * goal_s / base_s.clamp(min=0.05)).clamp(0, 1)
    darker = value * goal_v / base_v.clamp(min=0.05)
    lighter = 1 - (1 - value) * (1 - goal_v) / (1 - base_v).clamp(min=0.05)
    new_value = torch.where(goal_v < base_v, darker, torch.minimum(lighter, value * 2.5)).clamp(0, 1)
    painted = hsv_to_rgb(torch.stack([new_hue, new_saturation, new_value], -1))
    # Whites, blacks and grays of the cut-out (eyes, tyres, outlines) are not paint.
    share = ((saturation - 0.12) / 0.2).clamp(0, 1) * (value / 0.2).clamp(0, 1)
    return torch.lerp(rgb_KHWC, painted, share[..., None])


def rgb_to_hsv(rgb: Tensor) -> Tensor:
    """(..., 3) in 0..1 to hue, saturation, value in 0..1."""
    value, which = rgb.max(-1)
    chroma = value - rgb.amin(-1)
    red, green, blue = rgb.unbind(-1)
    safe = chroma.clamp(min=1e-6)
    sectors = torch.stack(
        [((green - blue) / safe) % 6, (blue - red) / safe + 2, (red - green) / safe + 4], -1
    )
    hue = sectors.gather(-1, which[..., None])[..., 0] / 6
    return torch.stack([hue, chroma / value.clamp(min=1e-6), value], -1)


def hsv_to_rgb(hsv: Tensor) -> Tensor:
    """(..., 3) hue, saturation, value in 0..1 to RGB."""
    hue, saturation, value = hsv.unbind(-1)
    # Each channel is a trapezoid over the hue circle (Alvy Ray Smith 1978, in closed form).
    sector = (torch.tensor([5.0, 3.0, 1.0], device=hsv.device) + hue[..., None] * 6) % 6
    ramp = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * ramp)
