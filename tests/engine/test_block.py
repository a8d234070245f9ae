from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nonet.engine import block as block_module
from nonet.engine.batcher import Batcher
from nonet.engine.block import Block
from nonet.engine.drawing_step import draw_step
from nonet.engine.job import Job
from nonet.engine.needs import settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from tiny_model import CODES, LENGTH, SIDE, TinyModel

CAT = DrawRequest(prompt="a cat", count=5, seed=7)
# Copies win less often: there are misses in nearly every row.
BOLD = DrawRequest(prompt="a cat", count=5, seed=7, guidance=1.5, temperature=1.2)


@pytest.fixture(scope="module")
def model() -> TinyModel:
    model = TinyModel(with_memory=True)
    model.decoder.pack()
    return model


def block_of(model: TinyModel, request: DrawRequest) -> Block:
    batcher = Batcher(model, max_rows=288)
    batcher.add(Job(settled(request, model.defaults), DrawStream(request)))
    batcher._prepare_one()
    batcher._start_blocks()
    return batcher.blocks[0]


def drawn(model: TinyModel, block: Block) -> int:
    """Draw it; how many steps it took."""
    steps = 0
    while not block.finished:
        draw_step(model.decoder, [block], CODES)
        steps += 1
        if block.done % SIDE == 0:
            block.row_done()
    return steps


@torch.inference_mode()
@pytest.mark.parametrize("request_", [CAT, BOLD])
def test_guesses_change_nothing_of_what_is_drawn(
    model: TinyModel, monkeypatch: pytest.MonkeyPatch, request_: DrawRequest
) -> None:
    guessed = block_of(model, request_)
    steps = drawn(model, guessed)
    with monkeypatch.context() as patched:
        patched.setattr(block_module, "Drafts", lambda *_: None)
        plain = block_of(model, request_)
        assert drawn(model, plain) == LENGTH
    assert steps < LENGTH
    assert torch.equal(guessed.tokens_PT, plain.tokens_PT)
    assert bool(guessed.healthy_P.all())


@torch.inference_mode()
def test_rightly_guessed_rows_are_drawn_in_a_step_each(
    model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = block_of(model, CAT)
    drawn(model, plain)

    class Known:
        def __init__(self, *_: object) -> None:
            pass

        def guess(self, tokens_PT: Tensor, pictures: slice, start: int, stop: int) -> Tensor:
            return plain.tokens_PT[pictures, start:stop]

        def missed(self, tokens_PT: Tensor, start: int, stop: int) -> list[int]:
            return [0] * len(tokens_PT)

    monkeypatch.setattr(block_module, "Drafts", Known)
    known = block_of(model, CAT)
    # Before the very first token there is nothing to go on with, so it is drawn by itself.
    assert drawn(model, known) == SIDE + 1
    assert torch.equal(known.tokens_PT, plain.tokens_PT)


@torch.inference_mode()
def test_who_is_behind_catches_up_before_the_next_row(model: TinyModel) -> None:
    block = block_of(model, BOLD)
    apart = 0
    while not block.finished:
        first = min(block.done, LENGTH - 1) // SIDE * SIDE
        draw_step(model.decoder, [block], CODES)
        assert all(first < drawn <= first + SIDE for drawn in block.drawn)
        apart += len(set(block.drawn)) > 1
    assert apart


@torch.inference_mode()
def test_guessing_stops_where_it_does_not_pay_and_begins_again(model: TinyModel) -> None:
    block = block_of(model, CAT)
    drawn(model, block)
    answers = iter([[9, 0, 0, 0, 0], [9, 9, 9, 9, 9], [0, 0, 0, 0, 0]])
    assert block._drafts is not None
    block._drafts.missed = lambda *_: next(answers)  # type: ignore[method-assign]
    block.drawn = [SIDE] * 5
    block.row_done()
    widths = [(stretch.pictures.start, stretch.width) for stretch in block.stretches()]
    assert widths == [(0, 1), (1, SIDE), (2, SIDE), (3, SIDE), (4, SIDE)]
    block.row_done()
    assert [(stretch.pictures, stretch.width) for stretch in block.stretches()] == [(slice(None), 1)]
    block.row_done()
    assert [(stretch.pictures, stretch.width) for stretch in block.stretches()] == [(slice(None), SIDE)]


@torch.inference_mode()
def test_numbers_after_a_wrong_guess_say_nothing_of_the_picture(model: TinyModel) -> None:
    block = block_of(model, CAT)
    draw_step(model.decoder, [block], CODES)
    (stretch,) = block.stretches()
    chosen_PW = torch.cat([stretch.fed_PW[:, 1:], stretch.fed_PW[:, :1]], 1)
    chosen_PW[1, 2] = (chosen_PW[1, 2] + 1) % CODES
    healthy_PW = torch.ones_like(chosen_PW, dtype=torch.bool)
    # Picture 1 is right up to its third place, which is drawn; the fourth is not.
    healthy_PW[1, 3] = False
    healthy_PW[2, 3] = False
    block.take(stretch, chosen_PW, healthy_PW)
    assert block.drawn == [SIDE, 4, SIDE, SIDE, SIDE]
    assert block.healthy_P.tolist() == [True, True, False, True, True]
    assert block.tokens_PT[:, 1:4].tolist() == chosen_PW[:, :3].tolist()
