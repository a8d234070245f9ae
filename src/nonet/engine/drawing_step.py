"""One step for every picture of some blocks: a token, or as many as were guessed rightly and one more."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nonet.engine.block import Block, Stretch
from nonet.engine.sampling import sample
from nonet.model.seq2seq import ImageDecoder
from nonet.model.stepping import step_states


def draw_step(decoder: ImageDecoder, blocks: Sequence[Block], codebook_size: int) -> None:
    """Draw the next tokens of all pictures of `blocks`, which may stand at different positions.

    Super conditioning: logits = unconditional + guidance * (conditional - unconditional), before temperature,
    top-k and top-p. It is computed on the states before the output matrix, which has no bias: the same
    numbers for half of the largest product. Copies of remembered tokens have no unconditional part, so guidance
    multiplies them.

    Nothing of a block changes before the whole step has succeeded, so it can be tried again.
    """
    stretches = [stretch for block in blocks for stretch in block.stretches()]
    hints = [hint_XD for stretch in stretches if (hint_XD := stretch.hint_XD) is not None]
    fed_X = _joined([stretch.fed_X for stretch in stretches])
    states_XD = step_states(decoder, fed_X, [s.rows for s in stretches], _joined(hints) if hints else None)
    guided: list[Tensor] = []
    conditional: list[Tensor] = []
    start = 0
    for stretch in stretches:
        states_YD = states_XD[start : start + stretch.count]
        conditional.append(states_YD)
        start += stretch.count
        if stretch.block.job.guided:
            unconditional_YD = states_XD[start : start + stretch.count]
            start += stretch.count
            guidance = stretch.block.job.request.guidance
            assert guidance is not None
            difference_YD = states_YD.float() - unconditional_YD.float()
            states_YD = unconditional_YD + (guidance * difference_YD).to(states_YD.dtype)
        guided.append(states_YD)
    logits_YV = decoder.lm_head(_joined(guided))[:, :codebook_size].float()
    counts = [stretch.count for stretch in stretches]
    if decoder.copies is not None:
        parts = zip(stretches, conditional, torch.split(logits_YV, counts), strict=True)
        logits_YV = _joined([_with_copies(decoder, *part) for part in parts])
    # A sum is finite when all of its parts are.
    healthy_Y = logits_YV.sum(1).isfinite()
    chosen_Y = _sample(stretches, logits_YV)
    done = zip(stretches, torch.split(chosen_Y, counts), torch.split(healthy_Y, counts), strict=True)
    for stretch, chosen, healthy in done:
        stretch.block.take(stretch, chosen.view(-1, stretch.width), healthy.view(-1, stretch.width))


def _with_copies(decoder: ImageDecoder, stretch: Stretch, states_YD: Tensor, logits_YV: Tensor) -> Tensor:
    guidance = stretch.block.job.request.guidance
    assert guidance is not None
    held_PTS = stretch.block.held_PTS
    if held_PTS is None:
        return logits_YV
    return decoder.copy(logits_YV, states_YD, stretch.of_places(held_PTS), guidance)


def _sample(stretches: Sequence[Stretch], logits_YV: Tensor) -> Tensor:
    keys_Y = _joined([stretch.of_places(stretch.block.keys_PT) for stretch in stretches])
    ways = {stretch.block.sampling for stretch in stretches}
    if len(ways) == 1:
        return sample(logits_YV, keys_Y, ways.pop())
    chosen_Y = torch.empty_like(keys_Y)
    for way in ways:
        where = [stretch.block.sampling == way for stretch in stretches for _ in range(stretch.count)]
        index = torch.tensor(where, device=keys_Y.device).nonzero()[:, 0]
        chosen_Y[index] = sample(logits_YV[index], keys_Y[index], way)
    return chosen_Y


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
