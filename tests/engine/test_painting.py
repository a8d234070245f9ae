from __future__ import annotations

import numpy as np
import pytest
import torch

from nonet.engine.batcher import Batcher
from nonet.engine.block import Block
from nonet.engine.job import Job
from nonet.engine.needs import settled
from nonet.engine.painting import GRAY, Painter
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from tiny_model import CODES, LENGTH, SIDE, TinyModel


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return TinyModel()


def tokens(count: int) -> torch.Tensor:
    return torch.randint(CODES, (count, LENGTH), generator=torch.Generator().manual_seed(count))


def block_of(model: TinyModel, request: DrawRequest, done: int) -> Block:
    batcher = Batcher(model, max_rows=288)
    batcher.add(Job(settled(request, model.defaults), DrawStream(request)))
    batcher._prepare_one()
    batcher._start_blocks()
    block = batcher.blocks[0]
    block.tokens_PT.copy_(tokens(len(block.pictures)))
    block.drawn = [done] * len(block.pictures)
    return block


@torch.inference_mode()
def test_finished_pictures_are_what_the_codec_gives(model: TinyModel) -> None:
    wanted = model.codec.decode(tokens(4)).clamp(0, 1)
    floats, pixels = Painter(model).finished(tokens(4))
    assert torch.equal(floats, wanted)
    assert len(pixels) == 4
    for picture, want in zip(pixels, wanted, strict=True):
        assert picture.dtype == np.uint8
        assert np.abs(picture - want.numpy() * 255).max() <= 0.5001


@torch.inference_mode()
def test_a_picture_is_the_same_in_batches_of_any_size(model: TinyModel) -> None:
    # The tiny codec is one of those for which a single picture takes another convolution.
    painter = Painter(model)
    together = painter.finished(tokens(7))[1]
    for size in (1, 2, 3):
        parts = [painter.finished(tokens(7)[start : start + size])[1] for start in range(0, 7, size)]
        assert np.array_equal([picture for part in parts for picture in part], together)


@torch.inference_mode()
@pytest.mark.parametrize("rows", [1, 3, SIDE - 1])
def test_unfinished_pictures_are_drawn_down_to_where_their_tokens_are(model: TinyModel, rows: int) -> None:
    # Half a row more does not count.
    block = block_of(model, DrawRequest(prompt="a cat", count=3), rows * SIDE + SIDE // 2)
    painter = Painter(model)
    shown = dict(painter.unfinished(block))
    assert sorted(shown) == [0, 1, 2]
    assert block.shown == rows
    whole = painter.finished(block.tokens_PT)[1]
    pixels = 32 // SIDE
    for picture, partial in shown.items():
        assert partial.shape == (32, 32, 3)
        assert (partial[rows * pixels :] == GRAY).all()
        assert (partial[: rows * pixels] != GRAY).any()
        # Group norm sees the whole picture, so the drawn part is only about the same.
        part = partial[: rows * pixels].astype(float)
        near, far = (
            np.abs(part - other[: rows * pixels]).mean() for other in (whole[picture], 255 - whole[picture])
        )
        assert near < far


@torch.inference_mode()
def test_of_candidates_only_as_many_are_shown_as_will_be_kept(model: TinyModel) -> None:
    block = block_of(model, DrawRequest(prompt="a cat", count=2, candidates=6), 16)
    assert [picture for picture, _ in Painter(model).unfinished(block)] == [0, 1]


@torch.inference_mode()
def test_how_long_it_will_take_is_learnt(model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = Painter(model)
    block = block_of(model, DrawRequest(prompt="a cat", count=2), 16)
    times = iter([10.0, 13.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    painter.unfinished(block)
    block.drawn = [48, 48]
    # Three seconds for two rows of two pictures, so nine for six rows.
    assert painter.seconds(block) == pytest.approx(9.0)


def test_low_memory_paints_few_at_a_time(model: TinyModel) -> None:
    assert Painter(model).batch == 3
    assert Painter(model, low_memory=True).batch == 2
