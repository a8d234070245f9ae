from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from drawn_events import check_order, pictures
from nonet.engine import DrawRequest, Engine, Failed
from nonet.engine.drawing_step import draw_step
from nonet.errors import NonetError
from tiny_model import TinyModel, TinyText

CAT = DrawRequest(prompt="a cat", count=3, seed=11)


class Failing(TinyModel):
    """Breaks at a prompt: while its text is read, while it is planned, or at a token."""

    def encode_text(self, prompts: Sequence[str]) -> TinyText:
        if prompts == ["unreadable"]:
            raise RuntimeError("no such word\nand a long explanation")
        if prompts == ["refused"]:
            raise NonetError("prompt_refused", "No.", "Never.")
        text = super().encode_text(prompts)
        if prompts == ["poison"]:
            return TinyText(text.states_BSD * float("nan"), text.mask_BS, text.cut)
        return text


@pytest.mark.parametrize(
    ("prompt", "code", "message"),
    [
        ("unreadable", "model_failed", "no such word"),
        ("refused", "prompt_refused", "No."),
        ("poison", "model_failed", "not finite"),
    ],
)
def test_what_breaks_one_request_leaves_the_others_alone(prompt: str, code: str, message: str) -> None:
    with Engine(Failing()) as engine:
        alone = pictures(list(engine.submit(CAT)))
        streams = [engine.submit(CAT), engine.submit(DrawRequest(prompt=prompt, count=2)), engine.submit(CAT)]
        events = [list(stream) for stream in streams]
        last = events[1][-1]
        assert isinstance(last, Failed)
        assert last.code == code
        assert message in last.message
        assert "\n" not in last.message
        for index in (0, 2):
            check_order(events[index], CAT)
            assert np.array_equal(pictures(events[index])[0].pixels, alone[0].pixels)


def test_an_error_in_a_shared_step_fails_only_those_who_cause_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(decoder: Any, blocks: Any, columns: int) -> None:
        if any(block.job.request.prompt == "broken" and block.done == 9 for block in blocks):
            raise RuntimeError("a kernel broke")
        draw_step(decoder, blocks, columns)

    monkeypatch.setattr("nonet.engine.batcher.draw_step", failing)
    with Engine(TinyModel()) as engine:
        alone = pictures(list(engine.submit(CAT)))
        streams = [
            engine.submit(DrawRequest(prompt=p, count=3, seed=11)) for p in ("a cat", "broken", "a cat")
        ]
        events = [list(stream) for stream in streams]
    last = events[1][-1]
    assert isinstance(last, Failed)
    assert (last.code, last.message) == ("model_failed", "The model failed while drawing: a kernel broke.")
    for index in (0, 2):
        check_order(events[index], CAT)
        assert np.array_equal(pictures(events[index])[1].pixels, alone[1].pixels)


def test_running_out_of_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from nonet.engine import painting

    def full(self: Any, tokens_BT: Tensor) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(painting.Painter, "finished", full)
    with Engine(TinyModel()) as engine:
        last = list(engine.submit(CAT))[-1]
    assert isinstance(last, Failed)
    assert last.message == "There is not enough memory."


def test_a_codec_that_gives_no_numbers_fails_the_request() -> None:
    model = TinyModel()
    torch.nn.init.constant_(model.codec.decoder.conv_out.bias, float("nan"))  # type: ignore[arg-type]
    with Engine(model) as engine:
        last = list(engine.submit(CAT, partials=False))[-1]
    assert isinstance(last, Failed)
    assert last.code == "model_failed"
