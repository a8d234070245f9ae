"""The batched scene composer: plans of pictures painted from cut-outs, on the CPU or a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nonet.data.plan import CANVAS, Backdrop, Mixture, Part, Plan
from nonet.data.planner import Planner
from nonet.data.sprites import FILL, Sprites
from nonet.model.recolour import recolour
from nonet.model.words import COLOURS

_PATCH = 160
_CHUNK = {"cpu": 16, "cuda": 256}


@dataclass(frozen=True)
class SceneBatch:
    """`pixels_BHWC` float in [0, 1]; a caption and a plan for each picture."""

    pixels_BHWC: Tensor
    captions: list[str]
    plans: list[Plan]


class Composer:
    """Composes captioned scenes from a collection.

    Args:
        sprites: the opened collection. On CUDA its pixels are copied to the device once.
        split: "train", or "heldout" for concepts and combinations that no training picture shows.
        mixture: how often which kind of picture comes.
        size: side of the pictures in pixels; below 256 a random square of the 256x256 picture is cut out.
        device: where to paint.
    """

    def __init__(
        self,
        sprites: Sprites,
        split: str = "train",
        mixture: Mixture | None = None,
        *,
        size: int = CANVAS,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sprites = sprites
        self.size = size
        self.device = torch.device(device)
        self.planner = Planner(sprites, split, mixture or Mixture())
        self.pixels_NHW4 = sprites.pixels_NHW4.to(self.device)
        self.backgrounds_MHW3 = sprites.backgrounds_MHW3.to(self.device)
        self.hsv_N3 = sprites.stats.hsv_N3

    def batch(self, n: int, generator: torch.Generator) -> SceneBatch:
        """`n` pictures; the generator's state alone decides which."""
        plans = self.plan(n, generator)
        corners_B2 = torch.randint(0, CANVAS - self.size + 1, (n, 2), generator=generator)
        pixels_BHWC = self.paint(plans)
        if self.size < CANVAS:
            size = self.size
            pixels_BHWC = torch.stack(
                [
                    picture[y : y + size, x : x + size]
                    for picture, (y, x) in zip(pixels_BHWC, corners_B2.tolist(), strict=True)
                ]
            )
        return SceneBatch(pixels_BHWC, [plan.caption for plan in plans], plans)

    def plan(self, n: int, generator: torch.Generator) -> list[Plan]:
        """Plans alone, without pixels; `generator` must be a CPU generator."""
        seeds = torch.randint(0, 2**62, (n,), generator=generator).tolist()
        return [self.planner.plan(seed) for seed in seeds]

    @torch.no_grad()
    def paint(self, plans: list[Plan]) -> Tensor:
        """Paint plans: (B, 256, 256, 3) float in [0, 1] on the composer's device."""
        canvas_BCHW = self._backdrops([plan.backdrop for plan in plans])
        layers = max((len(plan.parts) for plan in plans), default=0)
        for layer in range(layers):
            here = [(index, plan.parts[layer]) for index, plan in enumerate(plans) if layer < len(plan.parts)]
            large = [pair for pair in here if pair[1].side * FILL * 1.2 > _PATCH]
            small = [pair for pair in here if pair[1].side * FILL * 1.2 <= _PATCH]
            for group, patch, finer in ((large, CANVAS, 1), (small, _PATCH, 2)):
                step = _CHUNK.get(self.device.type, 64)
                for start in range(0, len(group), step):
                    self._paste(canvas_BCHW, group[start : start + step], patch, finer)
        return canvas_BCHW.permute(0, 2, 3, 1).clamp_(0, 1).contiguous()

    def _backdrops(self, backdrops: list[Backdrop]) -> Tensor:
        first_B3 = torch.tensor([b.colours[0] for b in backdrops], device=self.device) / 255
        canvas_BCHW = first_B3[:, :, None, None].repeat(1, 1, CANVAS, CANVAS)
        graded = [(i, b) for i, b in enumerate(backdrops) if b.kind == "gradient"]
        if graded:
            rows = torch.tensor([i for i, _ in graded], device=self.device)
            second_G3 = torch.tensor([b.colours[1] for _, b in graded], device=self.device) / 255
            angles = torch.tensor([math.radians(b.angle) for _, b in graded], device=self.device)
            line = (torch.arange(CANVAS, device=self.device) + 0.5) / CANVAS - 0.5
            across_GHW = line[None, None, :] * angles.cos()[:, None, None]
            along_GHW = across_GHW - line[None, :, None] * angles.sin()[:, None, None]
            share_G1HW = (along_GHW / math.sqrt(2) + 0.5).clamp(0, 1)[:, None]
            first_GC11, second_GC11 = first_B3[rows][:, :, None, None], second_G3[:, :, None, None]
            canvas_BCHW[rows] = torch.lerp(first_GC11, second_GC11, share_G1HW)
        pictured = [(i, b) for i, b in enumerate(backdrops) if b.kind == "picture"]
        if pictured:
            rows = torch.tensor([i for i, _ in pictured], device=self.device)
            wanted = torch.tensor([b.picture for _, b in pictured], device=self.device)
            source = self.backgrounds_MHW3[wanted].permute(0, 3, 1, 2).float() / 255
            theta = []
            for _, b in pictured:
                free = 1 - 1 / b.zoom
                mirror = -1 if b.flip else 1
                theta.append(
                    [[mirror / b.zoom, 0, free * (2 * b.x - 1)], [0, 1 / b.zoom, free * (2 * b.y - 1)]]
                )
            grid = self._grid(theta, CANVAS)
            canvas_BCHW[rows] = F.grid_sample(source, grid, padding_mode="border", align_corners=False)
        return canvas_BCHW

    def _paste(self, canvas_BCHW: Tensor, group: list[tuple[int, Part]], patch: int, finer: int) -> None:
        """Blend one part each into some pictures: sampled on a patch of the canvas, `finer` times as
        densely."""
        parts = [part for _, part in group]
        source_K4HW = self._cutouts(parts)
        corners, rows = [], []
        for part in parts:
            left, top = (min(max(round(at - patch / 2), 0), CANVAS - patch) for at in (part.x, part.y))
            corners.append((top, left))
            half = part.side * FILL / 2
            cos, sin = math.cos(math.radians(part.turn)) / half, math.sin(math.radians(part.turn)) / half
            mirror = -1 if part.flip else 1
            # Patch coordinates in -1..1 -> pixels from the part's centre -> turned -> sprite coordinates in
            # -1..1.
            dx, dy, reach = left + patch / 2 - part.x, top + patch / 2 - part.y, patch / 2
            across = [mirror * cos * reach, -mirror * sin * reach, mirror * (cos * dx - sin * dy)]
            rows.append([across, [sin * reach, cos * reach, sin * dx + cos * dy]])
        grid = self._grid(rows, patch * finer)
        painted = F.grid_sample(source_K4HW, grid, padding_mode="zeros", align_corners=False)
        if finer > 1:
            painted = F.avg_pool2d(painted, finer)
        for k, ((index, _), (top, left)) in enumerate(zip(group, corners, strict=True)):
            under = canvas_BCHW[index, :, top : top + patch, left : left + patch]
            under.mul_(1 - painted[k, 3:]).add_(painted[k, :3])

    def _grid(self, theta: list[list[list[float]]], side: int) -> Tensor:
        """(K, side, side, 2) sampling points of K affine maps, without the slow matrix products of torch."""
        maps_K23 = torch.tensor(theta, device=self.device)
        line = (torch.arange(side, device=self.device) * 2 + 1) / side - 1
        grid = torch.empty(len(theta), side, side, 2, device=self.device)
        for axis in range(2):
            a, b, c = (maps_K23[:, axis, i, None] for i in range(3))
            torch.add((a * line)[:, None, :], (b * line + c)[:, :, None], out=grid[..., axis])
        return grid

    def _cutouts(self, parts: list[Part]) -> Tensor:
        """(K, 4, 224, 224) premultiplied RGBA of the parts' sprites, recoloured where asked."""
        wanted = torch.tensor([part.sprite for part in parts], device=self.device)
        source_KHW4 = self.pixels_NHW4[wanted].float().div_(255)
        tinted = [k for k, part in enumerate(parts) if part.colour]
        if tinted:
            rows = torch.tensor(tinted, device=self.device)
            base_K3 = self.hsv_N3[[parts[k].sprite for k in tinted]].to(self.device)
            target_K3 = (
                torch.tensor([COLOURS[parts[k].colour or ""] for k in tinted], device=self.device) / 255
            )
            source_KHW4[rows, ..., :3] = recolour(source_KHW4[rows, ..., :3], base_K3, target_K3)
        source_KHW4[..., :3] *= source_KHW4[..., 3:]
        return source_KHW4.permute(0, 3, 1, 2).contiguous()
