"""The engine's threads: how many cores draw, and what happens when the engine's own dies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from drawn_events import pictures
from nonet.engine import DrawRequest, Engine, Failed
from nonet.engine.batcher import Batcher
from nonet.errors import NonetError
from threads_of import in_a_new_thread
from tiny_model import TinyModel, TinyPlan, TinyText

CAT = DrawRequest(prompt="a cat", count=3, seed=11)


def test_torch_draws_a_small_decoder_with_one_thread_and_others_keep_theirs() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = ThreadCounter(with_memory=True)
        with Engine(model) as engine:
            assert engine.threads == 2
            list(engine.submit(CAT))
        assert model.tokens == {1}
        assert model.plans == {1}
        assert [torch.get_num_threads(), in_a_new_thread(torch.get_num_threads)] == [2, 2]
    finally:
        torch.set_num_threads(before)


def test_a_large_decoder_takes_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nonet.engine.engine.LARGE_BYTES", 0)
    model = ThreadCounter()
    with Engine(model, threads=3) as engine:
        list(engine.submit(CAT))
    assert model.tokens == {3}


@pytest.mark.parametrize("hands", [2, 5])
def test_however_many_hands_the_pictures_are_the_same(hands: int) -> None:
    request = DrawRequest(prompt="a cat", count=7, seed=11)
    drawn = []
    for threads in (1, hands):
        with Engine(TinyModel(with_memory=True, with_judge=True), threads=threads) as engine:
            drawn.append(pictures(list(engine.submit(request))))
    one, many = drawn
    for place in range(7):
        assert np.array_equal(one[place].pixels, many[place].pixels)
        assert (one[place].score, one[place].sources) == (many[place].score, many[place].sources)


def test_threads_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="threads"):
        Engine(TinyModel(), threads=0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_thread_that_died(monkeypatch: pytest.MonkeyPatch) -> None:
    class Death(BaseException):
        pass

    def die(batcher: Batcher) -> None:
        raise Death

    monkeypatch.setattr(Batcher, "turn", die)
    with Engine(TinyModel()) as engine:
        last = list(engine.submit(CAT))[-1]
        assert isinstance(last, Failed)
        assert last.code == "cancelled"
        with pytest.raises(NonetError, match="closed"):
            engine.submit(CAT)


class ThreadCounter(TinyModel):
    """Notes how many threads torch has where it is asked for tokens' keys and values, and for plans."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tokens: set[int] = set()
        self.plans: set[int] = set()

    def encode_text(self, prompts: Sequence[str]) -> TinyText:
        self.tokens.add(torch.get_num_threads())
        return super().encode_text(prompts)

    def plan(self, request: DrawRequest, pictures: range) -> TinyPlan:
        self.plans.add(torch.get_num_threads())
        return super().plan(request, pictures)
