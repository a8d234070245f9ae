"""Remembered pictures in another colour, through a codec."""

from __future__ import annotations

import torch

from nonet.model.repaint import repaint
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
