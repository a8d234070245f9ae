"""Remembered pictures in another colour, through a codec."""

from __future__ import annotations

import torch

from nonet.model.repaint import filled, repaint, white_tokens
from nonet.model.vqgan import VQGAN
from tiny_codec import trainee


def test_a_picture_comes_back_as_its_repainted_self() -> None:
    codec: VQGAN = trainee().codec.eval()
    tokens_T = codec.encode(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1)))[0]
    painted_T = repaint(codec, tokens_T, "blue")
    assert painted_T.shape == tokens_T.shape
    assert painted_T.dtype == tokens_T.dtype
    assert int(painted_T.max()) < codec.config.n_embed


def test_it_is_the_same_each_time() -> None:
    codec: VQGAN = trainee().codec.eval()
    tokens_T = torch.arange(16) % codec.config.n_embed
    assert torch.equal(repaint(codec, tokens_T, "red"), repaint(codec, tokens_T, "red"))


def test_where_a_cut_out_shows_nothing_it_shows_nothing_repainted() -> None:
    codec: VQGAN = trainee().codec.eval()
    empty = codec.config.n_embed
    tokens_T = torch.arange(16) % empty
    tokens_T[:4] = empty
    painted_T = repaint(codec, tokens_T, "green")
    assert (painted_T == empty).tolist() == [True] * 4 + [False] * 12


def test_white_is_filled_in_for_decoding() -> None:
    codec: VQGAN = trainee().codec.eval()
    empty = codec.config.n_embed
    tokens = torch.tensor([3, empty, 5, empty])
    complete = filled(codec, tokens)
    assert complete[[0, 2]].tolist() == [3, 5]
    assert set(complete[[1, 3]].tolist()) <= set(white_tokens(codec).tolist())
