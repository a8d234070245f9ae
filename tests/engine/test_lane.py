"""Several requests on several cores: which lane draws what, and what becomes of the others when one ends."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_events import pictures
from nonet.engine import DrawRequest, Engine, Failed
from nonet.engine.batcher import Batcher
from nonet.errors import NonetError
from tiny_model import TinyModel

CAT = DrawRequest(prompt="a cat", count=3, seed=11)
LONG = DrawRequest(prompt="a cat", count=64, seed=11)


def test_who_comes_next_gets_the_lane_with_the_least_to_draw() -> None:
    with Engine(TinyModel(), threads=2) as engine:
        first, second = engine.lanes
        assert (first.left, second.left) == (0, 0)
        streams = [engine.submit(LONG)]
        assert second.left == 0
        streams.append(engine.submit(CAT))
        assert second.left
        streams.append(engine.submit(LONG))
        for stream in streams:
            stream.cancel()
        assert all(isinstance(list(stream)[-1], Failed) for stream in streams)
        assert (first.left, second.left) == (0, 0)


def test_pictures_are_the_same_in_every_lane() -> None:
    with Engine(TinyModel(with_memory=True, with_judge=True), threads=3) as engine:
        assert len(engine.lanes) == 3
        drawn = [pictures(list(stream)) for stream in [engine.submit(CAT) for _ in range(7)]]
    for other in drawn[1:]:
        for place in range(3):
            assert np.array_equal(drawn[0][place].pixels, other[place].pixels)
            assert drawn[0][place].score == other[place].score


def test_rows_are_shared_out() -> None:
    with Engine(TinyModel(), max_rows=80, threads=8) as engine:
        assert len(engine.lanes) == 2
        assert [lane.rows for lane in engine.lanes] == [(0, 40), (0, 40)]
        assert engine.rows == (0, 80)


def test_when_there_is_one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ({"threads": 1}, {"max_rows": 40}, {"low_memory": True}):
        with Engine(TinyModel(), **({"threads": 2} | arguments)) as engine:  # type: ignore[arg-type]
            assert len(engine.lanes) == 1
    monkeypatch.setattr("nonet.engine.engine.LARGE_BYTES", 0)
    with Engine(TinyModel(), threads=2) as engine:
        assert len(engine.lanes) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_dies_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Death(BaseException):
        pass

    turn = Batcher.turn

    def die(batcher: Batcher) -> None:
        if any(job.request.count == CAT.count for job in batcher.jobs):
            raise Death
        turn(batcher)

    monkeypatch.setattr(Batcher, "turn", die)
    with Engine(TinyModel(), threads=2) as engine:
        streams = [engine.submit(LONG), engine.submit(CAT)]
        for stream in streams:
            last = list(stream)[-1]
            assert isinstance(last, Failed)
            assert last.code == "cancelled"
        for lane in engine.lanes:
            lane.thread.join(30)
            assert not lane.thread.is_alive()
        with pytest.raises(NonetError, match="closed"):
            engine.submit(CAT)
