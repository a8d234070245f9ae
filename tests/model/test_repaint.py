"""Remembered pictures in another colour, through a codec."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nonet.model import repaint
from nonet.model.repaint import CodecFancy, white_ground
from nonet.model.vqgan import VQGAN
from tiny_codec import trainee


def test_a_picture_comes_back_as_its_repainted_self() -> None:
    codec: VQGAN = trainee().codec.eval()
    tokens_T = codec.encode(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1)))[0]
    painted_T = CodecFancy(codec).repaint(tokens_T, "blue")
    assert painted_T.shape == tokens_T.shape
    assert painted_T.dtype == tokens_T.dtype
    assert int(painted_T.max()) < codec.config.n_embed


def test_it_is_the_same_each_time() -> None:
    codec: VQGAN = trainee().codec.eval()
    tokens_T = torch.arange(16) % codec.config.n_embed
    assert torch.equal(CodecFancy(codec).repaint(tokens_T, "red"), CodecFancy(codec).repaint(tokens_T, "red"))


def test_what_was_imagined_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    codec: VQGAN = trainee().codec.eval()
    fancy = CodecFancy(codec)
    asked: list[Tensor] = []
    encode = codec.encode

    def counted(pixels_BHWC: Tensor) -> Tensor:
        asked.append(pixels_BHWC)
        return encode(pixels_BHWC)

    monkeypatch.setattr(codec, "encode", counted)
    monkeypatch.setattr(repaint, "KEPT", 2)
    tokens_T = torch.arange(16) % codec.config.n_embed
    red_T = fancy.repaint(tokens_T, "red")
    assert torch.equal(fancy.repaint(tokens_T.clone(), "red"), red_T)
    assert len(asked) == 1
    assert not torch.equal(fancy.repaint(tokens_T, "blue"), red_T)
    fancy.repaint(tokens_T.flip(0), "red")
    assert len(asked) == 3
    assert torch.equal(fancy.repaint(tokens_T, "red"), red_T)
    assert len(asked) == 4


def test_where_a_cut_out_shows_nothing_it_shows_nothing_repainted() -> None:
    codec: VQGAN = trainee().codec.eval()
    empty = codec.config.n_embed
    tokens_T = torch.arange(16) % empty
    tokens_T[:4] = empty
    painted_T = CodecFancy(codec).repaint(tokens_T, "green")
    assert (painted_T == empty).tolist() == [True] * 4 + [False] * 12


def test_white_is_filled_in_for_decoding() -> None:
    codec: VQGAN = trainee().codec.eval()
    empty = codec.config.n_embed
    tokens = torch.tensor([3, empty, 5, empty])
    fancy = CodecFancy(codec)
    complete = fancy.filled(tokens)
    assert complete[[0, 2]].tolist() == [3, 5]
    assert set(complete[[1, 3]].tolist()) <= set(fancy.white_tokens().tolist())


def test_a_plain_canvas_has_its_colour() -> None:
    fancy = CodecFancy(trainee().codec.eval())
    tokens_T = fancy.plain("purple")
    assert tokens_T.shape == (256,)
    # Away from the edges every place looks alike.
    assert len(set(tokens_T.view(16, 16)[4:12, 4:12].flatten().tolist())) == 1


def test_ground_is_the_white_that_reaches_the_outside() -> None:
    pixels = torch.ones(1, 64, 64, 3)
    pixels[:, 16:48, 16:48] = 0.3
    pixels[:, 28:36, 28:36] = 1.0  # white that is enclosed
    there = torch.zeros(4, 4, dtype=torch.bool)
    there[1:3, 1:3] = True
    ground = white_ground(pixels, there)[0, ..., 0]
    assert float(ground[4, 4]) == 1
    assert float(ground[32, 32]) == 0
    assert float(ground[24, 24]) == 0
    assert 0 < float(ground[15:19, 32].mean()) < 1


def test_ground_is_followed_around_corners_as_far_as_it_may_be() -> None:
    pixels = torch.full((1, 96, 96, 3), 0.3)
    pixels[:, 8:12] = 1.0  # a corridor from the left edge of the thing
    there = torch.zeros(6, 6, dtype=torch.bool)
    there[:, 1:] = True
    ground = white_ground(pixels, there)[0, 10, :, 0]
    end = 16 + 2 * repaint.REACH
    assert float(ground[end - 3]) == 1
    assert float(ground[end + 3]) == 0


@pytest.mark.parametrize("size", [(1, 1, 88, 70), (1, 1, 1, 5), (2, 3, 2, 2)])
def test_growing_is_pooling_of_3_by_3(size: tuple[int, ...]) -> None:
    x = torch.rand(size, generator=torch.manual_seed(1))
    assert torch.equal(repaint._grown(x), torch.nn.functional.max_pool2d(x, 3, 1, 1))


def test_rims_are_encoded_anew_and_insides_stay() -> None:
    codec: VQGAN = trainee().codec.eval()
    empty = codec.config.n_embed
    slots = torch.full((4, 16), empty)
    slots[0] = torch.arange(16) % empty
    slots[2, 5:7] = 3
    before = CodecFancy(codec).before(slots)
    assert torch.equal(before[0], slots[0])
    assert torch.equal(before == empty, slots == empty)
