"""From logits to tokens: temperature, top-k, top-p, and noise that belongs to a picture, not to a batch.

Sampling from p is argmax(p / E) with E from Exp(1), one for each token of the vocabulary: no cumulative
sum, no search, nothing for the processor to wait for (the exponential race; gpt-fast samples so too).
Here in logarithms: argmax(logit / temperature - log E).

E is computed from (the picture's seed, position, token) by the SplitMix64 generator (Steele, Lea, Flood
2014) instead of being taken from a generator's stream. So a picture's noise is the same alone or among
others, on a CPU or a GPU, and with any top-k; no state has to be kept or moved when pictures join and
leave a batch; and only the few tokens that top-k leaves over need noise at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

GREEDY_BELOW = 1e-4
"""Temperatures below this take the likeliest token: noise would be lost in the rounding of the logits."""


def _signed(value: int) -> int:
    # torch's int64 wraps around as C's unsigned does, but constants must be given with their sign.
    return value - (1 << 64) if value >= 1 << 63 else value


_STEP = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: fields of `DrawRequest`, nothing left open; `top_k` 0, `top_p` 1 are off."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def picture_keys(seeds: Sequence[int], length: int, device: torch.device | str = "cpu") -> Tensor:
    """The noise keys of pictures: (P, length) int64, one for each picture and position."""
    seeds_P = torch.tensor([_signed(seed % (1 << 64)) for seed in seeds], dtype=torch.int64)
    positions_T = torch.arange(1, length + 1, dtype=torch.int64)
    keys_P1 = _mix(seeds_P + _STEP)[:, None]
    return _mix(keys_P1 + positions_T * _STEP).to(device)


def exponential_noise(keys_P: Tensor, tokens_PK: Tensor) -> Tensor:
    """Exp(1) noise (P, K), float64, of tokens at the position that the keys stand for."""
    bits_PK = _mix(keys_P[:, None] + (tokens_PK + 1) * _STEP)
    # 52 bits and a half: never 0 and never 1, so the logarithm is finite and not 0.
    uniform_PK = (_shift(bits_PK, 12).to(torch.float64) + 0.5) * 2.0**-52
    return -torch.log(uniform_PK)


def sample(logits_PV: Tensor, keys_P: Tensor, how: Sampling) -> Tensor:
    """Choose a token for each picture.

    Args:
        logits_PV: of the codebook alone: what must not be drawn is not in it.
        keys_P: `picture_keys` at this position.
        how: temperature first, then top-k, then top-p.

    Returns:
        (P,) int64.
    """
    if how.temperature < GREEDY_BELOW:
        return logits_PV.argmax(1)
    logits_PV = logits_PV.float()
    columns = logits_PV.shape[1]
    kept = min(how.top_k or columns, columns)
    if kept < columns or how.top_p < 1:
        # Sorted, largest first. Without top-k this is a full sort, which top-p needs.
        logits_PK, tokens_PK = logits_PV.topk(kept)
        largest_P1 = logits_PK[:, :1]
    else:
        logits_PK, tokens_PK = logits_PV, torch.arange(columns, device=logits_PV.device)[None]
        largest_P1 = logits_PV.amax(1, keepdim=True)
    # Relative to the largest, so that no temperature makes them overflow.
    scores_PK = (logits_PK - largest_P1) / how.temperature
    if how.top_p < 1:
        share_PK = scores_PK.softmax(1)
        # A token stays while those before it do not reach top_p: the likeliest always does.
        before_PK = share_PK.cumsum(1) - share_PK
        scores_PK = scores_PK.masked_fill(before_PK >= how.top_p, float("-inf"))
    scores_PK = scores_PK - torch.log(exponential_noise(keys_P, tokens_PK)).float()
    chosen_P1 = scores_PK.argmax(1, keepdim=True)
    return tokens_PK.expand_as(logits_PK).gather(1, chosen_P1)[:, 0]


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's output function on int64 taken as unsigned."""
    z = (z ^ _shift(z, 30)) * _MIX_1
    z = (z ^ _shift(z, 27)) * _MIX_2
    return z ^ _shift(z, 31)


def _shift(z: Tensor, places: int) -> Tensor:
    # Shifting int64 to the right copies the sign bit in; unsigned numbers get zeros.
    return (z >> places) & ((1 << (64 - places)) - 1)
