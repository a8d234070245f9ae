"""One token for every picture of some blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nonet.engine.job import Block
from nonet.engine.sampling import sample
from nonet.model.seq2seq import ImageDecoder
from nonet.model.stepping import step_states


def draw_token(decoder: ImageDecoder, blocks: Sequence[Block], codebook_size: int) -> None:
    """Draw the next token of all pictures of `blocks`, which may stand at different positions.

    Super conditioning: logits = unconditional + guidance * (conditional - unconditional), before temperature,
    top-k and top-p. It is computed on the states before the output matrix, which has no bias: the same
    numbers for half of the largest product. Copies of remembered tokens have no unconditional part, so guidance
    multiplies them.

    Nothing of a block changes before the whole step has succeeded, so it can be tried again.
    """
    for block in blocks:
        block.rows.position = block.done
    hints = [block.hint_TRD[block.done] for block in blocks if block.hint_TRD is not None]
    fed_R = _joined([block.fed_R for block in blocks])
    states_RD = step_states(decoder, fed_R, [b.rows for b in blocks], _joined(hints) if hints else None)
    guided: list[Tensor] = []
    conditional: list[Tensor] = []
    start = 0
    for block in blocks:
        count = len(block.pictures)
        states_PD = states_RD[start : start + count]
        conditional.append(states_PD)
        start += count
        if block.job.guided:
            unconditional_PD = states_RD[start : start + count]
            start += count
            assert block.job.request.guidance is not None
            difference_PD = states_PD.float() - unconditional_PD.float()
            states_PD = unconditional_PD + (block.job.request.guidance * difference_PD).to(states_PD.dtype)
        guided.append(states_PD)
    logits_PV = decoder.lm_head(_joined(guided))[:, :codebook_size].float()
    counts = [len(block.pictures) for block in blocks]
    if decoder.copies is not None:
        parts = zip(blocks, conditional, torch.split(logits_PV, counts), strict=True)
        logits_PV = _joined([_with_copies(decoder, *part) for part in parts])
    # A sum is finite when all of its parts are.
    healthy_P = logits_PV.sum(1).isfinite()
    chosen_P = _sample(blocks, logits_PV)
    done = zip(blocks, torch.split(chosen_P, counts), torch.split(healthy_P, counts), strict=True)
    for block, chosen, healthy in done:
        block.tokens_PT[:, block.done] = chosen
        block.healthy_P &= healthy
        block.fed_R = chosen.repeat(2) if block.job.guided else chosen
        block.done += 1


def _with_copies(decoder: ImageDecoder, block: Block, states_PD: Tensor, logits_PV: Tensor) -> Tensor:
    guidance = block.job.request.guidance
    assert guidance is not None
    if block.held_TPS is None:
        return logits_PV
    return decoder.copy(logits_PV, states_PD, block.held_TPS[block.done], guidance)


def _sample(blocks: Sequence[Block], logits_PV: Tensor) -> Tensor:
    keys_P = _joined([block.keys_TP[block.done] for block in blocks])
    ways = {block.sampling for block in blocks}
    if len(ways) == 1:
        return sample(logits_PV, keys_P, ways.pop())
    chosen_P = torch.empty_like(keys_P)
    for way in ways:
        where = [block.sampling == way for block in blocks for _ in block.pictures]
        index = torch.tensor(where, device=keys_P.device).nonzero()[:, 0]
        chosen_P[index] = sample(logits_PV[index], keys_P[index], way)
    return chosen_P


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
