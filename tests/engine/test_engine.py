from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from drawn_events import check_order, pictures
from nonet.engine import Done, DrawRequest, Engine, Event, Failed, Partial, Progress, Started
from nonet.engine.engine import rows_that_fit
from nonet.errors import NonetError
from tiny_model import CODES, SIDE, TinyModel

CAT = DrawRequest(prompt="a cat", count=3, seed=11)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(TinyModel(with_memory=True, with_judge=True)) as engine:
        yield engine


def test_a_request_becomes_its_pictures(engine: Engine) -> None:
    events = list(engine.submit(CAT))
    check_order(events, CAT)
    started = events[0]
    assert isinstance(started, Started)
    assert started.request == DrawRequest(
        prompt="a cat", count=3, seed=11, guidance=3.0, temperature=0.9, top_k=12, top_p=1.0
    )
    for place, drawn in pictures(events).items():
        assert drawn.pixels.shape == (32, 32, 3)
        assert drawn.pixels.dtype == np.uint8
        assert drawn.seed == 11 + place
        assert drawn.sources == [{"title": f"after {11 + place}"}]
        assert drawn.score is not None
        assert -1 <= drawn.score <= 1


def test_it_says_how_full_its_batch_is(engine: Engine) -> None:
    stream = engine.submit(CAT)
    used = []
    for event in stream:
        if isinstance(event, Progress):
            used.append(engine.rows[0])
    assert max(used) <= 6, "three pictures, each guided"
    assert engine.rows[1] >= 6
    with Engine(TinyModel(), max_rows=10) as small:
        assert small.rows == (0, 10)


def test_partial_pictures_are_gray_where_nothing_is_drawn(engine: Engine) -> None:
    partials = [event for event in engine.submit(CAT) if isinstance(event, Partial)]
    assert {event.picture for event in partials} == {0, 1, 2}
    first = partials[0].pixels
    assert first.shape == (32, 32, 3)
    # Two of the eight rows of tokens, four pixels each.
    assert (first[8:] == 128).all()
    assert (first[:8] != 128).any()


def test_without_partials(engine: Engine) -> None:
    events = list(engine.submit(CAT, partials=False))
    check_order(events, CAT)
    assert not any(isinstance(event, Partial) for event in events)


def test_the_same_seed_is_the_same_picture_alone_and_among_others(engine: Engine) -> None:
    others = [
        DrawRequest(prompt="a dog on a boat", count=5, seed=40, guidance=1.0),
        DrawRequest(prompt="the moon", count=2, seed=3, temperature=1.3, top_k=0, top_p=0.8),
        DrawRequest(prompt="a", negative_prompt="a cat with a hat", count=9, seed=12, guidance=5.0),
        DrawRequest(prompt="a house", count=1, seed=0, temperature=0),
    ]
    alone = pictures(list(engine.submit(CAT)))
    streams = [engine.submit(request) for request in (*others[:2], CAT, *others[2:])]
    together = [pictures(list(stream)) for stream in streams]
    for place in range(3):
        assert np.array_equal(together[2][place].pixels, alone[place].pixels)
        single = DrawRequest(prompt="a cat", count=1, seed=11 + place)
        assert np.array_equal(pictures(list(engine.submit(single)))[0].pixels, alone[place].pixels)
    assert not np.array_equal(alone[0].pixels, alone[1].pixels)


def test_a_prompt_that_was_cut_is_said_aloud(engine: Engine) -> None:
    request = DrawRequest(prompt="cat " * 40, negative_prompt="dog " * 31, count=1)
    started = next(iter(engine.submit(request)))
    assert isinstance(started, Started)
    assert started.notes == [
        "The prompt is too long: its last 12 tokens were not read.",
        "The negative prompt is too long: its last 3 tokens were not read.",
    ]


def test_settings_change_the_pictures(engine: Engine) -> None:
    base = pictures(list(engine.submit(CAT)))[0].pixels
    changes: list[dict[str, Any]] = [
        {"prompt": "a dog"},
        {"seed": 12},
        {"guidance": 1.0},
        {"guidance": 9.0},
        {"temperature": 3.0},
        {"top_k": 2},
        {"top_p": 0.2},
        {"negative_prompt": "a dog with a hat"},
    ]
    for change in changes:
        fields: dict[str, Any] = {"prompt": "a cat", "count": 1, "seed": 11} | change
        request = DrawRequest(**fields)
        assert not np.array_equal(pictures(list(engine.submit(request)))[0].pixels, base), change


def test_a_negative_prompt_means_nothing_without_guidance(engine: Engine) -> None:
    plain = DrawRequest(prompt="a cat", count=1, seed=1, guidance=1.0)
    negative = DrawRequest(prompt="a cat", count=1, seed=1, guidance=1.0, negative_prompt="a dog")
    first, second = (pictures(list(engine.submit(request)))[0] for request in (plain, negative))
    assert np.array_equal(first.pixels, second.pixels)


def test_candidates_are_kept_by_score_and_say_their_seed(engine: Engine) -> None:
    every = pictures(list(engine.submit(DrawRequest(prompt="a cat", count=20, seed=5))))
    request = DrawRequest(prompt="a cat", count=3, seed=5, candidates=20)
    events = list(engine.submit(request))
    check_order(events, request)
    kept = pictures(events)
    best = sorted(every.values(), key=lambda drawn: -(drawn.score or 0))[:3]
    assert [kept[place].seed for place in range(3)] == [drawn.seed for drawn in best]
    for place, drawn in enumerate(best):
        assert np.array_equal(kept[place].pixels, drawn.pixels)
        assert kept[place].score == drawn.score
        assert kept[place].sources == drawn.sources


def test_candidates_need_a_judge() -> None:
    with Engine(TinyModel()) as engine:
        assert pictures(list(engine.submit(CAT)))[0].score is None
        with pytest.raises(NonetError) as caught:
            engine.submit(DrawRequest(prompt="a cat", count=3, candidates=4))
        assert caught.value.code == "setting_invalid"
        assert pictures(list(engine.submit(DrawRequest(prompt="a cat", count=3, candidates=3))))


@pytest.mark.parametrize("max_rows", [2, 5, 18])
def test_few_rows_draw_the_same_in_turns(engine: Engine, max_rows: int) -> None:
    request = DrawRequest(prompt="a cat", count=7, seed=11)
    wanted = pictures(list(engine.submit(request)))
    with Engine(TinyModel(with_memory=True, with_judge=True), max_rows=max_rows, low_memory=True) as small:
        streams = [small.submit(request), small.submit(CAT)]
        events = [list(stream) for stream in streams]
    check_order(events[0], request)
    check_order(events[1], CAT)
    for place, drawn in pictures(events[0]).items():
        assert np.array_equal(drawn.pixels, wanted[place].pixels)


def test_max_rows_must_hold_one_guided_picture() -> None:
    with pytest.raises(ValueError, match="max_rows"):
        Engine(TinyModel(), max_rows=1)
    assert rows_that_fit(TinyModel().decoder) == 288


def test_the_most_pictures_that_may_be_asked_for(engine: Engine) -> None:
    request = DrawRequest(prompt="a cat", count=64, seed=1, top_k=2)
    check_order(list(engine.submit(request)), request)


@settings(max_examples=12, deadline=None)
@given(
    requests=st.lists(
        st.builds(
            DrawRequest,
            prompt=st.sampled_from(["a cat", "a dog on a boat", "the moon over a lake"]),
            negative_prompt=st.sampled_from(["", "a hat"]),
            count=st.integers(1, 4),
            seed=st.integers(0, 50),
            guidance=st.sampled_from([None, 0.0, 1.0, 4.5]),
            temperature=st.sampled_from([None, 0.0, 1.0]),
            top_k=st.sampled_from([None, 0, 1, 5]),
            top_p=st.sampled_from([None, 0.7]),
            candidates=st.sampled_from([None, 6]),
        ),
        min_size=1,
        max_size=4,
    ),
    cancelled=st.sets(st.integers(0, 3)),
    after=st.integers(0, 30),
)
def test_any_crowd_ends_well_and_in_order(
    engine: Engine, requests: list[DrawRequest], cancelled: set[int], after: int
) -> None:
    streams = [engine.submit(request) for request in requests]
    for index, (stream, request) in enumerate(zip(streams, requests, strict=True)):
        events: list[Event] = []
        for event in stream:
            events.append(event)
            if index in cancelled and len(events) > after:
                stream.cancel()
        if isinstance(events[-1], Failed):
            assert index in cancelled
            assert events[-1].code == "cancelled"
        else:
            check_order(events, request)


def test_cancel_ends_one_request_and_no_other(engine: Engine) -> None:
    long = engine.submit(DrawRequest(prompt="a cat", count=64, seed=1))
    other = engine.submit(CAT)
    for event in long:
        if isinstance(event, Progress):
            long.cancel()
            break
    rest = list(long)
    assert isinstance(rest[-1], Failed)
    assert rest[-1].code == "cancelled"
    check_order(list(other), CAT)


def test_cancel_before_anything_is_drawn(engine: Engine) -> None:
    stream = engine.submit(CAT)
    stream.cancel()
    events = list(stream)
    assert isinstance(events[-1], Failed)
    assert events[-1].code == "cancelled"


def test_closing_ends_all_streams() -> None:
    engine = Engine(TinyModel())
    streams = [engine.submit(DrawRequest(prompt="a cat", count=64)) for _ in range(3)]
    next(streams[0])
    engine.close()
    engine.close()
    for stream in streams:
        last = list(stream)[-1]
        assert isinstance(last, Failed)
        assert last.code == "cancelled"
    with pytest.raises(NonetError) as caught:
        engine.submit(CAT)
    assert caught.value.code == "cancelled"
    assert not [
        thread for thread in threading.enumerate() if thread in [lane.thread for lane in engine.lanes]
    ]


def test_requests_that_are_drawn_at_the_same_time_share_the_cores() -> None:
    with Engine(TinyModel(), threads=2) as engine:
        hands = [lane._batcher.hands for lane in engine.lanes]
        assert [one.count for one in hands] == [2, 2]
        streams = [engine.submit(DrawRequest(prompt="a cat", count=64)) for _ in range(2)]
        for stream in streams:
            next(stream)
        assert [one.count for one in hands] == [1, 1]
        streams[0].cancel()
        list(streams[0])
        deadline = time.monotonic() + 20
        while [one.count for one in hands] != [2, 2] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [one.count for one in hands] == [2, 2]


def test_a_program_may_end_in_the_middle_of_a_drawing() -> None:
    code = (
        "from tiny_model import TinyModel\n"
        "from nonet.engine import DrawRequest, Engine\n"
        "stream = Engine(TinyModel()).submit(DrawRequest(prompt='a cat', count=64))\n"
        "next(iter(stream))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_async_reading(engine: Engine) -> None:
    async def read(request: DrawRequest) -> list[Event]:
        return [event async for event in engine.submit(request)]

    async def both() -> tuple[list[Event], list[Event]]:
        return await asyncio.gather(read(CAT), read(CAT))

    for events in asyncio.run(both()):
        check_order(events, CAT)


def test_only_codes_are_ever_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    # In the tiny model the columns beyond the codebook have by far the largest logits.
    from nonet.engine import painting

    seen: list[Tensor] = []
    finished = painting.Painter.finished

    def record(self: Any, tokens_BT: Tensor) -> Any:
        seen.append(tokens_BT)
        return finished(self, tokens_BT)

    monkeypatch.setattr(painting.Painter, "finished", record)
    with Engine(TinyModel()) as engine:
        for top_k in (0, 1, CODES + 3):
            list(engine.submit(DrawRequest(prompt="a cat", count=2, top_k=top_k, temperature=5.0)))
    tokens = torch.cat(seen)
    assert tokens.shape == (6, SIDE * SIDE)
    assert 0 <= tokens.min() <= tokens.max() < CODES


def test_a_late_request_is_shown_long_before_the_crowd_is_done(engine: Engine) -> None:
    crowd = [engine.submit(DrawRequest(prompt=f"a cat {i}", count=9, seed=i)) for i in range(6)]
    for event in crowd[0]:
        if isinstance(event, Partial):
            break
    late = engine.submit(DrawRequest(prompt="a dog", count=9, seed=1))
    shown = next(event for event in late if isinstance(event, Partial))
    assert shown
    # The crowd was shown before it, and still has much to draw.
    assert not any(stream.ended for stream in crowd)
    for stream in (*crowd, late):
        assert isinstance(list(stream)[-1], Done)


def test_the_engine_waits_without_working(engine: Engine) -> None:
    list(engine.submit(CAT))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1
