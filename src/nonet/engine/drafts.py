"""Guesses of the tokens to come, so that one step of the decoder can draw many.

A step of a small decoder costs nearly the same for one token as for several, and drawing a picture that is
remembered is mostly saying what is remembered. So the tokens of a whole row are guessed, the decoder is fed all
of them at once, and its own choice at each place, with the picture's own noise, is drawn up to and including the
first that is not the guess. What comes out is what drawing token by token gives, but for the rounding of sums; the
guesses only make it fast, and need no second model. It is speculative decoding (Leviathan et al. 2023) with
drafts from what is to be copied (as in prompt lookup decoding, Saxena 2023), and simpler than either: since the
noise is fixed beforehand, nothing has to be accepted by chance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


class Drafts:
    """The guesses for pictures that remember something.

    Where a picture remembers a token, that of the frontmost slot is guessed. Elsewhere the background goes on: the
    guess is the last token that was drawn where nothing is remembered, nor beside; next to a thing, ground is not quite
    the same from place to place.

    Args:
        held_PTS: int64, the tokens that the slots hold at each place, from back to front.
        empty: the token of slots that hold nothing there.
    """

    def __init__(self, held_PTS: Tensor, empty: int) -> None:
        places_T = torch.arange(held_PTS.shape[1], device=held_PTS.device)
        slots_S = torch.arange(held_PTS.shape[2], device=held_PTS.device)
        front_PT1 = torch.where(held_PTS != empty, slots_S, -1).amax(2, keepdim=True)
        self._known_PT = front_PT1[..., 0] >= 0
        self._front_PT = held_PTS.gather(2, front_PT1.clamp(min=0))[..., 0]
        side = math.isqrt(held_PTS.shape[1])
        known_P1HW = self._known_PT.float().view(-1, 1, side, side)
        beside_PT = F.max_pool2d(known_P1HW, 3, 1, 1).flatten(1) > 0
        free_PT, unknown_PT = (
            _last_before(torch.where(taken_PT, -1, places_T)) for taken_PT in (beside_PT, self._known_PT)
        )
        self._before_PT = torch.where(free_PT >= 0, free_PT, unknown_PT)

    def guess(self, tokens_PT: Tensor, pictures: slice, start: int, stop: int) -> Tensor:
        """Guesses of the tokens from `start` to `stop`: (pictures, stop - start); what is before `start` is drawn."""
        background_P1 = tokens_PT[pictures].gather(1, self._before_PT[pictures, start, None].clamp(min=0))
        return self._on(background_P1, pictures, start, stop)

    def missed(self, tokens_PT: Tensor, start: int, stop: int) -> list[int]:
        """For each picture, how many of its tokens from `start` to `stop` guesses would have missed."""
        background_PW = tokens_PT.gather(1, self._before_PT[:, start:stop].clamp(min=0))
        guessed_PW = self._on(background_PW, slice(None), start, stop)
        missed_P: list[int] = (guessed_PW != tokens_PT[:, start:stop]).sum(1).tolist()
        return missed_P

    def _on(self, background: Tensor, pictures: slice, start: int, stop: int) -> Tensor:
        """What is remembered, on a background."""
        known_PW = self._known_PT[pictures, start:stop]
        return torch.where(known_PW, self._front_PT[pictures, start:stop], background)


def _last_before(places_PT: Tensor) -> Tensor:
    """The largest number before each place, -1 where there is none."""
    before_PT = places_PT.cummax(1).values.roll(1, 1)
    before_PT[:, 0] = -1
    return before_PT
