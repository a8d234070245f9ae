from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nonet.engine import batcher as batcher_module
from nonet.engine.batcher import Batcher
from nonet.engine.block import Block
from nonet.engine.drawing_step import draw_step
from nonet.engine.events import Done, Drawn
from nonet.engine.fixed_step import SPARE, FixedStep, FixedSteps
from nonet.engine.job import Job
from nonet.engine.needs import settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from nonet.model.seq2seq import ImageDecoder
from tiny_model import CODES, LENGTH, TinyModel

REQUESTS = [
    DrawRequest(prompt="a cat", count=3, seed=11),
    DrawRequest(prompt="a dog on a boat", count=2, seed=40, guidance=1.0),
    DrawRequest(prompt="the moon", count=1, seed=3, temperature=1.3, top_k=0, top_p=0.8),
    DrawRequest(prompt="a", negative_prompt="a cat with a hat", count=2, seed=12, guidance=5.0),
    DrawRequest(prompt="a house", count=1, seed=0, temperature=0),
]


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return TinyModel()


def added(batcher: Batcher, request: DrawRequest) -> DrawStream:
    stream = DrawStream(request)
    batcher.add(Job(settled(request, batcher.model.defaults), stream))
    return stream


def block_of(model: TinyModel, request: DrawRequest, *, fixed: bool) -> Block:
    batcher = Batcher(model, max_rows=288, fixed=fixed)
    added(batcher, request)
    batcher._prepare_one()
    batcher._start_blocks()
    (block,) = batcher.blocks
    return block


def drawn(batcher: Batcher, streams: list[DrawStream]) -> list[list[Drawn]]:
    while not batcher.idle:
        batcher.turn()
    ends = [list(stream) for stream in streams]
    assert all(isinstance(events[-1], Done) for events in ends)
    return [[event for event in events if isinstance(event, Drawn)] for events in ends]


@torch.inference_mode()
@pytest.mark.parametrize("request_", REQUESTS, ids=[request.prompt for request in REQUESTS])
def test_it_draws_what_the_plain_step_draws(model: TinyModel, request_: DrawRequest) -> None:
    plain, fixed = (block_of(model, request_, fixed=way) for way in (False, True))
    assert fixed.fixed is not None
    while not plain.finished:
        draw_step(model.decoder, [plain], CODES)
        fixed.fixed.draw(fixed)
    assert fixed.done == LENGTH
    assert torch.equal(fixed.tokens_PT, plain.tokens_PT)
    assert fixed.healthy_P.tolist() == plain.healthy_P.tolist()


@torch.inference_mode()
def test_plain_and_fixed_steps_may_take_turns(model: TinyModel) -> None:
    plain, fixed = (block_of(model, REQUESTS[0], fixed=way) for way in (False, True))
    assert fixed.fixed is not None
    while not plain.finished:
        draw_step(model.decoder, [plain], CODES)
        if plain.done // 5 % 2:
            fixed.fixed.draw(fixed)
        else:
            draw_step(model.decoder, [fixed], CODES)
    assert torch.equal(fixed.tokens_PT, plain.tokens_PT)


@torch.inference_mode()
def test_requests_that_come_and_go_are_drawn_as_without(model: TinyModel) -> None:
    wanted: list[list[Drawn]] = []
    for request in REQUESTS:
        batcher = Batcher(model, max_rows=288, fixed=False)
        wanted += drawn(batcher, [added(batcher, request)])
    batcher = Batcher(model, max_rows=288, fixed=True)
    streams = []
    for request in REQUESTS:
        streams.append(added(batcher, request))
        # The first ones are drawn alone for a while, then several together.
        for _ in range(23):
            batcher.turn()
    for found, known in zip(drawn(batcher, streams), wanted, strict=True):
        assert len(found) == len(known)
        for mine, other in zip(found, known, strict=True):
            assert mine.seed == other.seed
            assert (mine.pixels == other.pixels).all()


@torch.inference_mode()
def test_a_step_is_used_again_and_few_are_kept(model: TinyModel) -> None:
    batcher = Batcher(model, max_rows=288, fixed=True)
    first = drawn(batcher, [added(batcher, REQUESTS[0])])[0]
    assert batcher.opener.fixed is not None
    (step,) = batcher.opener.fixed._spare
    # Whatever is left over in it, numbers that are not finite as well, does no harm.
    step.cache.kv.fill_(float("nan"))
    again = drawn(batcher, [added(batcher, REQUESTS[0])])[0]
    assert batcher.opener.fixed._spare == [step]
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    for request in REQUESTS:
        drawn(batcher, [added(batcher, request)])
    assert len(batcher.opener.fixed._spare) == SPARE


@torch.inference_mode()
@pytest.mark.parametrize("broken", [False, True])
def test_each_of_several_is_played_and_what_cannot_be_is_drawn_plainly(
    model: TinyModel, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    wanted: list[list[Drawn]] = []
    for request in REQUESTS[:3]:
        plain = Batcher(model, max_rows=288, fixed=False)
        wanted += drawn(plain, [added(plain, request)])
    plainly: list[int] = []
    draw = FixedStep.draw

    def sometimes(step: FixedStep, block: Block) -> None:
        if broken and block.job.request.prompt == REQUESTS[1].prompt and block.done % 7 == 3:
            raise RuntimeError("out of memory")
        draw(step, block)

    def counted(decoder: ImageDecoder, blocks: Sequence[Block], codes: int) -> None:
        plainly.append(len(blocks))
        draw_step(decoder, blocks, codes)

    monkeypatch.setattr(FixedStep, "draw", sometimes)
    monkeypatch.setattr(batcher_module, "draw_step", counted)
    batcher = Batcher(model, max_rows=288, fixed=True)
    found = drawn(batcher, [added(batcher, request) for request in REQUESTS[:3]])
    assert plainly == [1] * len(range(3, LENGTH, 7)) if broken else plainly == []
    for mine, others in zip(found, wanted, strict=True):
        assert all((a.pixels == b.pixels).all() for a, b in zip(mine, others, strict=True))


@torch.inference_mode()
def test_numbers_that_are_not_finite_are_noticed(model: TinyModel) -> None:
    block = block_of(model, REQUESTS[0], fixed=True)
    assert block.fixed is not None
    block.fixed.draw(block)
    block.cache.kv[0, 1, 1, :, 0] = float("inf")
    block.fixed.draw(block)
    assert block.healthy_P.tolist() == [True, False, True]


def test_models_with_a_memory_draw_by_the_plain_step() -> None:
    assert not FixedSteps.serve(TinyModel(with_memory=True).decoder)
    assert Batcher(TinyModel(with_memory=True), max_rows=18, fixed=True).opener.fixed is None


def test_on_a_processor_nothing_is_fixed(model: TinyModel) -> None:
    assert Batcher(model, max_rows=18).opener.fixed is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_is_played_back_as_a_graph(model: TinyModel) -> None:
    on_gpu = TinyModel()
    on_gpu.decoder.cuda()
    on_gpu.codec.cuda()
    tokens: list[Tensor] = []
    with torch.inference_mode():
        for way in (False, True):
            block = block_of(on_gpu, REQUESTS[0], fixed=way)
            while not block.finished:
                if block.fixed is not None:
                    block.fixed.draw(block)
                else:
                    draw_step(on_gpu.decoder, [block], CODES)
            tokens.append(block.tokens_PT.cpu())
    assert block.fixed is not None
    assert block.fixed._graph is not None
    assert torch.equal(*tokens)
