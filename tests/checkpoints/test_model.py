"""What a model keeps between requests changes nothing but the time they take."""

from __future__ import annotations

import torch

from nonet.engine.request import DrawRequest
from tiny_doodle import tiny_doodle

RED_CATS = DrawRequest(prompt="a red cat on a blue table", seed=4)


def test_a_plan_is_the_same_from_what_was_kept_and_anew() -> None:
    model = tiny_doodle()
    first = model.plan(RED_CATS, range(5))
    kept = model.plan(RED_CATS, range(5))
    model.forget()
    anew = model.plan(RED_CATS, range(5))
    for other in (kept, anew):
        assert torch.equal(other.memory_PST, first.memory_PST)
        assert other.sources == first.sources


def test_another_codec_imagines_anew() -> None:
    model, other = tiny_doodle(), tiny_doodle()
    model.plan(RED_CATS, range(5))
    torch.nn.init.normal_(other.codec.encoder.conv_out.weight)
    model.vqgan = other.vqgan
    assert torch.equal(model.plan(RED_CATS, range(5)).memory_PST, other.plan(RED_CATS, range(5)).memory_PST)
