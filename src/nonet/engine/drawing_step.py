"""One step for every picture of some blocks: a token, or as many as were guessed rightly and one more."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nonet.engine.block import Block, Stretch
from nonet.engine.sampling import sample
from nonet.model.seq2seq import ImageDecoder
from nonet.model.stepping import joined, parted, step_states


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
    fed_X = joined([stretch.fed_X for stretch in stretches])
    states_XD = step_states(decoder, fed_X, [s.rows for s in stretches], joined(hints) if hints else None)
    # For all stretches at once: each of torch's operations is a moment in which another lane may take Python's lock.
    counts = [stretch.count for stretch in stretches]
    parts = iter(parted(states_XD, [s.count for s in stretches for _ in s.block.contexts]))
    pairs = [[next(parts) for _ in stretch.block.contexts] for stretch in stretches]
    conditional_YD = states_YD = joined([pair[0] for pair in pairs])
    guidance = _guidance(stretches, states_YD)
    if any(len(pair) > 1 for pair in pairs):
        # Without guidance a picture has no unconditional part, and no difference.
        unconditional_YD = joined([pair[-1] for pair in pairs])
        difference_YD = conditional_YD.float() - unconditional_YD.float()
        states_YD = unconditional_YD + (guidance * difference_YD).to(states_YD.dtype)
    logits_YV = decoder.lm_head(states_YD)[:, :codebook_size].float()
    # All pictures of a model remember something, or none does.
    held = [
        stretch.of_places(held_PTS)
        for stretch in stretches
        if (held_PTS := stretch.block.held_PTS) is not None
    ]
    if held:
        logits_YV = decoder.copy(logits_YV, conditional_YD, joined(held), guidance)
    # A sum is finite when all of its parts are.
    healthy_Y = logits_YV.sum(1).isfinite()
    chosen_Y = _sample(stretches, logits_YV)
    done = zip(stretches, parted(chosen_Y, counts), parted(healthy_Y, counts), strict=True)
    for stretch, chosen, healthy in done:
        stretch.block.take(stretch, chosen.view(-1, stretch.width), healthy.view(-1, stretch.width))


def _guidance(stretches: Sequence[Stretch], states_YD: Tensor) -> float | Tensor:
    """One number, or one for each of the states."""
    each = [stretch.block.job.request.guidance for stretch in stretches]
    if len(set(each)) == 1:
        assert each[0] is not None
        return each[0]
    rows = [value for stretch, value in zip(stretches, each, strict=True) for _ in range(stretch.count)]
    return torch.tensor(rows, device=states_YD.device)[:, None]


def _sample(stretches: Sequence[Stretch], logits_YV: Tensor) -> Tensor:
    keys_Y = joined([stretch.of_places(stretch.block.keys_PT) for stretch in stretches])
    ways = {stretch.block.sampling for stretch in stretches}
    if len(ways) == 1:
        return sample(logits_YV, keys_Y, ways.pop())
    chosen_Y = torch.empty_like(keys_Y)
    for way in ways:
        where = [stretch.block.sampling == way for stretch in stretches for _ in range(stretch.count)]
        index = torch.tensor(where, device=keys_Y.device).nonzero()[:, 0]
        chosen_Y[index] = sample(logits_YV[index], keys_Y[index], way)
    return chosen_Y
