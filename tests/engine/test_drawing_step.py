from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nonet.engine.batcher import Batcher
from nonet.engine.block import Block
from nonet.engine.drawing_step import draw_step
from nonet.engine.job import Job
from nonet.engine.needs import settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from tiny_model import CODES, LENGTH, TinyModel

REQUESTS = [
    DrawRequest(prompt="a cat", count=3, seed=11),
    DrawRequest(prompt="a dog on a boat", count=5, seed=40, guidance=1.0),
    DrawRequest(prompt="the moon", count=1, seed=3, temperature=1.3, top_k=0, top_p=0.8),
    DrawRequest(prompt="a", negative_prompt="a cat with a hat", count=2, seed=12, guidance=5.0),
    DrawRequest(prompt="a house", count=1, seed=0, temperature=0),
]


@pytest.fixture(scope="module")
def model() -> TinyModel:
    model = TinyModel(with_memory=True)
    model.decoder.pack()
    return model


def blocks_of(model: TinyModel, requests: list[DrawRequest]) -> list[Block]:
    batcher = Batcher(model, max_rows=288)
    for request in requests:
        batcher.add(Job(settled(request, model.defaults), DrawStream(request)))
        batcher._prepare_one()
    batcher._start_blocks()
    return batcher.blocks


def drawn_alone(model: TinyModel, request: DrawRequest) -> Tensor:
    (block,) = blocks_of(model, [request])
    while not block.finished:
        draw_step(model.decoder, [block], CODES)
    return block.tokens_PT


@torch.inference_mode()
def test_pictures_are_the_same_alone_and_in_a_batch_at_mixed_positions(model: TinyModel) -> None:
    alone = [drawn_alone(model, request) for request in REQUESTS]
    blocks = blocks_of(model, REQUESTS)
    turn = 0
    while not all(block.finished for block in blocks):
        # One joins every five turns, and some wait a turn now and then.
        some = [
            block
            for number, block in enumerate(blocks)
            if turn >= 5 * number and not block.finished and (turn + number) % 7
        ]
        if some:
            draw_step(model.decoder, some, CODES)
        turn += 1
    for block, tokens_PT in zip(blocks, alone, strict=True):
        assert torch.equal(block.tokens_PT, tokens_PT)


@torch.inference_mode()
def test_a_picture_is_the_same_drawn_as_one_or_as_one_of_several(model: TinyModel) -> None:
    together = drawn_alone(model, REQUESTS[0])
    for picture in range(3):
        single = DrawRequest(prompt="a cat", count=1, seed=11 + picture)
        assert torch.equal(drawn_alone(model, single)[0], together[picture])


def reference(model: TinyModel, request: DrawRequest) -> list[int]:
    """Greedy drawing of one picture without cache: the whole sequence through the decoder at every token."""
    decoder = model.decoder
    assert request.guidance is not None
    contexts = []
    for prompt in (request.prompt, request.negative_prompt):
        text = model.encode_text([prompt])
        contexts.append(text.states_BSD[:, text.mask_BS[0]])
    plan = model.plan(request, range(request.pictures))
    empty = torch.full_like(plan.memory_PST, CODES)
    # Copies of what is remembered have no unconditional part.
    told = [(decoder.memory_hint(plan.memory_PST), plan.memory_PST), (decoder.memory_hint(empty), None)]
    tokens = [CODES]
    for _ in range(LENGTH):
        fed = torch.tensor([tokens])
        conditional, unconditional = (
            decoder(
                fed,
                context,
                None,
                hint[:, : len(tokens)],
                None if memory is None else memory[:, :, : len(tokens)],
            )[0, -1, :CODES]
            for context, (hint, memory) in zip(contexts, told, strict=True)
        )
        logits = unconditional + request.guidance * (conditional - unconditional)
        tokens.append(int(logits.argmax()))
    return tokens[1:]


@torch.inference_mode()
@pytest.mark.parametrize("negative", ["", "a dog"])
def test_super_conditioning_with_a_memory(model: TinyModel, negative: str) -> None:
    request = DrawRequest(
        prompt="a cat", negative_prompt=negative, count=1, seed=5, guidance=3.0, temperature=0
    )
    assert drawn_alone(model, request)[0].tolist() == reference(model, request)


@torch.inference_mode()
def test_without_guidance_there_is_one_row_a_picture(model: TinyModel) -> None:
    blocks = blocks_of(model, REQUESTS[:2])
    assert [block.row_count for block in blocks] == [6, 5]
    assert [block.cache.rows for block in blocks] == [6, 5]


@torch.inference_mode()
def test_pictures_of_a_request_share_the_keys_of_its_prompt(model: TinyModel) -> None:
    (block,) = blocks_of(model, REQUESTS[:1])
    (stretch,) = block.stretches()
    for context in stretch.rows.contexts:
        assert context.rows == 3
        # A row each, and all of them in the same place.
        assert all(t.shape[0] == 3 and t.stride(0) == 0 for kv in context.kv for t in kv)


@torch.inference_mode()
def test_a_step_that_fails_can_be_tried_again(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = drawn_alone(model, REQUESTS[0])
    (block,) = blocks_of(model, REQUESTS[:1])
    while not block.finished:
        with monkeypatch.context() as patched:

            def broken(x: Tensor) -> Tensor:
                raise RuntimeError("not now")

            patched.setattr(model.decoder.lm_head, "forward", broken)
            with pytest.raises(RuntimeError, match="not now"):
                draw_step(model.decoder, [block], CODES)
        draw_step(model.decoder, [block], CODES)
    assert torch.equal(block.tokens_PT, wanted)


@torch.inference_mode()
def test_a_cache_that_was_used_before_changes_nothing(model: TinyModel) -> None:
    wanted = drawn_alone(model, REQUESTS[0])
    (block,) = blocks_of(model, REQUESTS[:1])
    block.cache.kv.fill_(float("nan"))
    while not block.finished:
        draw_step(model.decoder, [block], CODES)
    assert torch.equal(block.tokens_PT, wanted)
    assert bool(block.healthy_P.all())


@torch.inference_mode()
def test_numbers_that_are_not_finite_are_noticed_in_the_picture_that_has_them(model: TinyModel) -> None:
    (block,) = blocks_of(model, REQUESTS[:1])
    draw_step(model.decoder, [block], CODES)
    block.cache.kv[0, 1, 1, :, 0] = float("inf")
    draw_step(model.decoder, [block], CODES)
    assert block.healthy_P.tolist() == [True, False, True]
