"""Remembered pictures imagined in another colour: to pixels, painted, and back to tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from nonet.model.memory import FULL, SMALL
from nonet.model.recolour import paint_of, recolour
from nonet.model.vqgan import VQGAN
from nonet.model.words import COLOURS

WHITE = (255, 255, 255)
NEARLY_WHITE = 0.9
RIM = 0.02
"""Share of ground from which a cell belongs to the rim."""
KEPT = 2_000
"""So many pictures in other colours are kept; each takes some kilobytes."""
REACH = 20
"""How far ground is followed into the cells of a thing, in steps of two pixels."""


@dataclass
class CodecFancy:
    """Imagines by way of a codec: tokens to pixels, painted, and back; see `recollect.Fancy`.

    One picture at a time: together with others its rounding, and so a token here and there, would depend on them.
    What was imagined is kept, for what is asked for once is mostly asked for again; threads may share it.
    """

    codec: VQGAN
    _canvases: dict[tuple[tuple[int, int, int], int], Tensor] = field(default_factory=dict, repr=False)
    _repainted: dict[tuple[bytes, str], Tensor] = field(default_factory=dict, repr=False)

    def repaint(self, tokens_T: Tensor, colour: str) -> Tensor:
        """The tokens (T,) of a square picture whose coloured parts have `colour`, a name of `words.COLOURS`."""
        key = tokens_T.numpy(force=True).tobytes(), colour
        found = self._repainted.get(key)
        if found is None:
            if len(self._repainted) >= KEPT:
                self._repainted.clear()
            found = self._repainted[key] = self._repaint(tokens_T, colour)
        return found

    @torch.no_grad()
    def _repaint(self, tokens_T: Tensor, colour: str) -> Tensor:
        nothing_T = tokens_T == self.codec.config.n_embed
        side = math.isqrt(len(tokens_T))
        pixels_1HW3 = self._pixels(tokens_T.view(side, side))
        paint = paint_of(pixels_1HW3, torch.ones_like(pixels_1HW3[..., 0]))
        target_13 = torch.tensor([COLOURS[colour]], device=self._device) / 255
        tokens = self._encode(recolour(pixels_1HW3, paint.hsv_N3, target_13)).to(tokens_T)
        return torch.where(nothing_T, tokens_T, tokens)

    def plain(self, colour: str) -> Tensor:
        """The tokens (256,) of a canvas of one colour."""
        return self._canvas(COLOURS[colour], FULL)

    def filled(self, tokens: Tensor) -> Tensor:
        """Tokens with white where they show nothing, for decoding."""
        nothing = tokens == self.codec.config.n_embed
        if not bool(nothing.any()):
            return tokens
        # The middle of nine: its neighbours are white, too.
        return tokens.masked_fill(nothing, int(self._canvas(WHITE, 3)[4]))

    def white_tokens(self) -> Tensor:
        """Every token that stands for white ground, also at a picture's edges, at both remembered sizes."""
        every = [self._canvas(WHITE, side).tolist() for side in (FULL, SMALL)]
        return torch.tensor(sorted({token for tokens in every for token in tokens}))

    @torch.no_grad()
    def before(self, slots_ST: Tensor) -> Tensor:
        """Slots whose things show, at their rims, what stands behind them instead of white.

        The tokens at a cut-out's rim hold some of the white it was remembered on. They are encoded anew from the
        things laid over one another; what lies inside a thing stays.
        """
        empty, cell = self.codec.config.n_embed, self.codec.config.downsampling
        side = math.isqrt(slots_ST.shape[1])
        slots = slots_ST.clone().view(-1, side, side)
        meeting = (slots != empty).sum(0) > 1
        if not bool(meeting.any()):
            return slots_ST
        # Only the part in which things meet, and one cell around it.
        rows, columns = _around(meeting.any(1)), _around(meeting.any(0))
        grids, meeting = slots[:, rows, columns], meeting[rows, columns]
        height, width = meeting.shape
        if bool((grids[0] != empty).any()):
            canvas = self._pixels(grids[0])
        else:
            canvas = torch.ones(1, height * cell, width * cell, 3, device=self._device)
        rims: list[tuple[Tensor, Tensor, tuple[slice, slice]]] = []
        for grid in grids[1:]:
            there = grid != empty
            if not bool(there.any()):
                continue
            # A thing's own part, and one cell around it: what is further away is ground.
            own = _around(there.any(1)), _around(there.any(0))
            thing = self._pixels(grid[own])
            ground = white_ground(thing, there[own])
            part = canvas[:, _pixels_of(own[0], cell), _pixels_of(own[1], cell)]
            part.copy_(torch.lerp(thing, part, ground))
            share = F.avg_pool2d(ground.permute(0, 3, 1, 2), cell)[0, 0].to(there.device)
            rims.append((grid[own], there[own] & meeting[own] & (share > RIM), own))
        tokens = self._encode(canvas).to(grids).view_as(grids[0])
        for grid, rim, own in rims:
            grid[rim] = tokens[own][rim]
        return slots.view_as(slots_ST)

    def _pixels(self, tokens_HW: Tensor) -> Tensor:
        """Pixels of any grid of tokens, in [0, 1]."""
        complete = self.filled(tokens_HW).to(self._device)
        latents = self.codec.quantize.embedding(complete[None]).permute(0, 3, 1, 2)
        return self.codec.pixels(latents).float().clamp(0, 1).contiguous()

    @torch.no_grad()
    def _canvas(self, colour: tuple[int, int, int], side: int) -> Tensor:
        """The tokens of a square of one colour, `side` tokens wide; the nine of a prompt ask for the same ones."""
        if (colour, side) not in self._canvases:
            pixels = side * self.codec.config.downsampling
            canvas = (torch.tensor(colour) / 255).expand(1, pixels, pixels, 3)
            self._canvases[colour, side] = self._encode(canvas.contiguous()).cpu()
        return self._canvases[colour, side]

    @property
    def _device(self) -> torch.device:
        return self.codec.quantize.embedding.weight.device

    def _encode(self, pixels_1HW3: Tensor) -> Tensor:
        tokens: Tensor = self.codec.encode(pixels_1HW3.to(self.codec.quantize.embedding.weight))[0]
        return tokens


def white_ground(pixels_1HW3: Tensor, there_HW: Tensor) -> Tensor:
    """How much of each pixel (1, H, W, 1) of a cut-out on white is ground: white that reaches its outside.

    Args:
        pixels_1HW3: the cut-out, 0 to 1.
        there_HW: the cells of the token grid in which it shows anything.
    """
    height, width = pixels_1HW3.shape[1:3]
    # At half size: it is followed twice as far for a quarter of the work.
    white = F.avg_pool2d((pixels_1HW3.amin(-1) > NEARLY_WHITE).float()[:, None], 2)
    around = 1 - there_HW[None, None].to(white)
    outside = F.interpolate(around, size=white.shape[-2:], mode="nearest")
    for step in range(REACH):
        further = torch.maximum(outside, _grown(outside) * white)
        # Mostly the end is reached sooner; to look costs less than to go on, but not at each step.
        if step % 4 == 3 and torch.equal(further, outside):
            break
        outside = further
    # A little more, where edges are mixed with white, and soft.
    whole = F.interpolate(outside, size=(height, width), mode="bilinear", align_corners=False)
    return F.avg_pool2d(_grown(whole), 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1)


def _grown(x_BCHW: Tensor) -> Tensor:
    """The largest of each 3x3 square: along rows and then along columns, for which torch has faster pooling."""
    x_NWH = torch.max_pool1d(x_BCHW.flatten(0, 1), 3, 1, 1).transpose(1, 2)
    return torch.max_pool1d(x_NWH, 3, 1, 1).transpose(1, 2).view(x_BCHW.shape)


def _around(there: Tensor) -> slice:
    """From one before the first True to one behind the last."""
    places = there.nonzero().flatten().tolist()
    return slice(max(0, places[0] - 1), min(len(there), places[-1] + 2))


def _pixels_of(cells: slice, size: int) -> slice:
    return slice(cells.start * size, cells.stop * size)
