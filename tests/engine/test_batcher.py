from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from client_clock import Client, Clock, turns
from nonet.engine.batcher import COMPANY, CROWD, OTHERS_SHARE, PARTIALS_SHARE, Batcher
from nonet.engine.block import Block
from nonet.engine.drawing_step import draw_step
from nonet.engine.events import Done, Drawn, Failed, Partial, Progress
from nonet.engine.painting import Painter
from nonet.model.cache import KVCache
from tiny_model import LENGTH, SIDE, TinyModel, TinyText


def idle_time(clock: Clock, kind: type) -> float:
    batcher = Batcher(TinyModel(), max_rows=288)
    client = Client(batcher, clock)
    turns(batcher, [client])
    when = client.time_of(kind)
    assert when is not None
    return when


@pytest.mark.parametrize("crowd", [1, 5])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1.0])
def test_a_newcomer_is_shown_within_twice_its_idle_time(clock: Clock, crowd: int, part: float) -> None:
    idle = idle_time(clock, Partial)
    batcher = Batcher(TinyModel(), max_rows=288)
    others = [Client(batcher, clock, seed=seed) for seed in range(crowd)]

    def crowd_is_there() -> bool:
        done = [e.tokens_done for c in others for _, e in c.events if isinstance(e, Progress)]
        shown = crowd == 1 or all(c.time_of(Partial) for c in others)
        return shown and bool(done) and max(done) >= part * LENGTH

    turns(batcher, others, crowd_is_there)
    assert not batcher.idle
    late = Client(batcher, clock)
    turns(batcher, [*others, late], lambda: late.time_of(Partial) is not None)
    when = late.time_of(Partial)
    assert when is not None
    assert when <= 2 * idle
    turns(batcher, [*others, late])
    assert all(isinstance(client.events[-1][1], Done) for client in (*others, late))


def test_the_others_go_on_while_newcomers_keep_coming(clock: Clock) -> None:
    alone = idle_time(clock, Done)
    batcher = Batcher(TinyModel(), max_rows=288)
    first = Client(batcher, clock)
    clients = [first]

    def another() -> bool:
        first.read()
        # As soon as the last one was shown, the next one is there.
        if clients[-1].time_of(Partial) is not None and len(clients) < 12:
            clients.append(Client(batcher, clock, seed=len(clients)))
        return first.time_of(Done) is not None

    turns(batcher, clients, another)
    when = first.time_of(Done)
    assert when is not None
    # Newcomers take 1 / (1 + OTHERS_SHARE) of the time, and the rest is shared by all that were shown.
    assert when < 12 * alone / OTHERS_SHARE
    turns(batcher, clients)


def test_partial_pictures_take_little_of_the_time(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    client = Client(batcher, clock)
    turns(batcher, [client])
    shown = [event for _, event in client.events if isinstance(event, Partial)]
    assert 9 <= len(shown) <= 36


def test_in_a_crowd_only_first_rows_are_shown_and_no_time_is_saved_up_for_more(clock: Clock) -> None:
    saved: list[float] = []

    def times_first_shown(crowd: int) -> list[int]:
        batcher = Batcher(TinyModel(), max_rows=288)
        clients = [Client(batcher, clock, count=3, seed=seed) for seed in range(crowd)]

        def look() -> None:
            if 0 < len(batcher.jobs) <= CROWD:
                saved.append(PARTIALS_SHARE * batcher._token_seconds - batcher._partial_seconds)

        turns(batcher, clients, look)
        return [sum(isinstance(e, Partial) and e.picture == 0 for _, e in c.events) for c in clients]

    assert sorted(times_first_shown(CROWD + 5))[:5] == [1] * 5
    # The tokens of one request, not of five.
    assert saved[0] <= PARTIALS_SHARE * 6 * LENGTH
    assert min(times_first_shown(CROWD)) > 1


def test_painting_finished_pictures_does_not_stop_the_tokens_of_others(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    first, second = Client(batcher, clock), Client(batcher, clock, seed=2)
    rows: list[int] = []
    while not batcher.idle:
        with torch.inference_mode():
            batcher.turn()
        first.read()
        second.read()
        rows.append(sum(isinstance(event, Progress) for _, event in second.events))
    # The second began one turn later, so while the first was painted it had tokens to draw: it finished before.
    last_token = max(when for when, event in second.events if isinstance(event, Progress))
    first_done = first.time_of(Done)
    assert first_done is not None
    assert last_token < first_done


def test_a_large_request_leaves_room_for_the_next(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=40)
    large = Client(batcher, clock, count=64)
    turns(batcher, [large], lambda: large.time_of(Progress) is not None)
    assert sum(block.row_count for block in batcher.blocks) <= 20
    small = Client(batcher, clock, count=3)
    turns(batcher, [large, small], lambda: small.time_of(Done) is not None)
    assert large.time_of(Done) is None
    turns(batcher, [large, small])
    assert large.time_of(Done) is not None


def test_rows_never_exceed_what_there_is_room_for(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=36)
    clients = [Client(batcher, clock, count=5, seed=seed) for seed in range(6)]
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, sum(block.row_count for block in batcher.blocks))
        return False

    turns(batcher, clients, look)
    assert 30 <= most <= 36
    assert all(isinstance(client.events[-1][1], Done) for client in clients)


def test_caches_are_used_again_and_given_back(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TinyModel()
    made: list[tuple[int, int | None]] = []
    new_cache = model.decoder.new_cache

    def counted(rows: int, length: int | None = None) -> KVCache:
        made.append((rows, length))
        return new_cache(rows, length)

    monkeypatch.setattr(model.decoder, "new_cache", counted)
    batcher = Batcher(model, max_rows=288)
    for _ in range(3):
        turns(batcher, [Client(batcher, clock), Client(batcher, clock)])
    # Two at a time; after a crowd a long one is kept.
    short, long = (18, LENGTH // 4), (18, LENGTH)
    assert made == [short, short, long, long, *[short, long] * 2]
    assert [(cache.rows, cache.length) for cache in batcher.opener.spare] == [long]
    frugal = Batcher(model, max_rows=288, low_memory=True)
    turns(frugal, [Client(frugal, clock)])
    assert frugal.opener.spare == []


def test_a_cache_that_grew_changes_nothing_of_what_is_drawn(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    drawn: list[list[bytes]] = []
    # The second one has the first one's long cache from the beginning.
    for _ in range(2):
        client = Client(batcher, clock)
        lengths: set[int] = set()

        def look(lengths: set[int] = lengths) -> bool:
            lengths.update(block.cache.length for block in batcher.blocks)
            return False

        turns(batcher, [client], look)
        assert (LENGTH // 4 in lengths) == (not drawn)
        drawn.append([event.pixels.tobytes() for _, event in client.events if isinstance(event, Drawn)])
    assert len(drawn[0]) == 9
    assert drawn[0] == drawn[1]


def test_a_large_cache_is_free_again_when_its_pictures_are_painted(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nonet.engine.opening.KEEP_BYTES", 1000)
    model = TinyModel()
    new_cache, finished = model.decoder.new_cache, Painter.finished
    caches: list[weakref.ref[KVCache]] = []
    left: list[int] = []

    def counted(rows: int, length: int | None = None) -> KVCache:
        cache = new_cache(rows, length)
        caches.append(weakref.ref(cache))
        return cache

    def painted(self: Painter, tokens_BT: torch.Tensor) -> tuple[torch.Tensor, list[NDArray[np.uint8]]]:
        left.append(sum(cache() is not None for cache in caches))
        return finished(self, tokens_BT)

    monkeypatch.setattr(model.decoder, "new_cache", counted)
    monkeypatch.setattr(Painter, "finished", painted)
    batcher = Batcher(model, max_rows=288)
    turns(batcher, [Client(batcher, clock)])
    assert len(caches) == 2
    assert set(left) == {0}
    assert batcher.opener.spare == []


def test_spare_caches_never_take_more_than_there_is_room_for(clock: Clock) -> None:
    batcher = Batcher(TinyModel(), max_rows=20)
    clients = [Client(batcher, clock, count=1 + number % 5) for number in range(8)]

    def look() -> bool:
        caches = [*batcher.opener.spare, *(block.cache for block in batcher.blocks)]
        assert sum(cache.positions for cache in caches) <= 20 * LENGTH
        return False

    turns(batcher, clients, look)
    assert all(isinstance(client.events[-1][1], Done) for client in clients)


def test_a_negative_prompt_is_read_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TinyModel()
    read: list[str] = []
    encode_text = model.encode_text

    def counted(prompts: list[str]) -> TinyText:
        read.extend(prompts)
        return encode_text(prompts)

    monkeypatch.setattr(model, "encode_text", counted)
    batcher = Batcher(model, max_rows=288)
    turns(batcher, [Client(batcher, clock, count=1) for _ in range(3)])
    assert read == ["a cat", "", "a cat", "a cat"]


@pytest.mark.parametrize("token", range(0, LENGTH, 9))
def test_a_request_can_be_cancelled_at_any_token(clock: Clock, token: int) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    client, other = Client(batcher, clock, count=2), Client(batcher, clock, count=2)
    turns(batcher, [], lambda: bool(batcher.blocks) and batcher.blocks[0].done >= token)
    client.stream.cancel()
    turns(batcher, [client, other])
    last = client.events[-1][1]
    assert isinstance(last, Failed)
    assert last.code == "cancelled"
    assert isinstance(other.events[-1][1], Done)
    assert not batcher.blocks
    assert not batcher.unpainted


def test_what_does_not_fit_into_a_step_is_drawn_one_request_after_another(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nonet.engine.batcher.STEP_TOKENS", 20)
    batcher = Batcher(TinyModel(), max_rows=288)
    clients = [Client(batcher, clock, count=9, seed=seed) for seed in range(4)]
    turns(batcher, clients)
    ends = [client.time_of(Done) for client in clients]
    shown = [client.time_of(Partial) for client in clients]
    assert None not in ends
    assert ends == sorted(ends, key=lambda end: end or 0.0)
    # All were shown something before most of the work was done, and the first did not wait for the last.
    assert max(time or 0.0 for time in shown) < 0.5 * (ends[-1] or 0.0)
    assert (ends[0] or 0.0) < 0.6 * (ends[-1] or 0.0)


def test_who_needs_more_steps_is_not_overtaken_by_all(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose tokens are guessed badly draws one at a time; one after another those come who draw three rows."""
    monkeypatch.setattr("nonet.engine.batcher.STEP_TOKENS", 9)
    batcher = Batcher(TinyModel(), max_rows=288)
    slow = Client(batcher, clock)
    slow_job = batcher.jobs[0]

    def drawing(decoder, blocks, columns):  # type: ignore[no-untyped-def]
        clock.now += 1
        for _ in range(1 if blocks[0].job is slow_job else min(3 * SIDE, LENGTH - blocks[0].done)):
            draw_step(decoder, blocks, columns)

    monkeypatch.setattr("nonet.engine.batcher.draw_step", drawing)
    turns(batcher, [slow], lambda: slow.time_of(Partial) is not None)
    others: list[Client] = []

    def another_comes() -> bool:
        if all(client.time_of(Done) for client in others):
            others.append(Client(batcher, clock))
        return slow.time_of(Done) is not None

    with torch.inference_mode():
        while not another_comes():
            batcher.turn()
            for client in (slow, *others):
                client.read()
    assert len(others) <= 2


@pytest.mark.parametrize(
    ("crowded", "ahead", "together"),
    [
        (False, (9, 9, 9, 9), [0, 1, 2, 3]),
        (False, (9, 144, 9, 18), [0, 2]),
        (False, (144, 9, 144, 144), [0, 1, 2]),
        (False, (400, 9, 9, 9), [0]),
        # In a crowd the second one's row comes along, but nobody else's.
        (True, (9, 144, 9, 18), [0, 1, 2]),
        (True, (9, 320, 9, 18), [0, 2]),
        (True, (9, 9, 144, 9), [0, 1, 3]),
    ],
)
def test_a_step_takes_along_who_needs_no_more_of_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, crowded: bool, ahead: tuple[int, ...], together: list[int]
) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    clients = [Client(batcher, clock, seed=seed) for seed in range(4)]
    turns(batcher, clients, until=lambda: len(batcher.blocks) == 4)
    batcher._crowded = crowded
    monkeypatch.setattr(Block, "ahead", property(lambda block: ahead[block.job.request.seed]))
    assert [block.job.request.seed for block in batcher._foremost(batcher.blocks)] == together


def test_in_a_crowd_the_first_is_not_kept_waiting_by_ever_more_rows_of_the_second(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = Batcher(TinyModel(), max_rows=288)
    clients = [Client(batcher, clock, seed=seed) for seed in range(CROWD + 1)]
    turns(batcher, clients, until=lambda: len(batcher.blocks) == CROWD + 1)
    first = batcher.blocks[0]
    with monkeypatch.context() as patched:
        patched.setattr(Block, "ahead", property(lambda block: 9 if block is first else 144))
        steps = [len(batcher._foremost(batcher.blocks)) for _ in range(COMPANY + 2)]
        assert steps == [2] * COMPANY + [1, 1]
        first.row_done()
        assert len(batcher._foremost(batcher.blocks)) == 2
    turns(batcher, clients)
    assert all(isinstance(client.events[-1][1], Done) for client in clients)


def test_a_small_request_does_not_wait_for_all_of_a_large_one(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nonet.engine.batcher.STEP_TOKENS", 20)
    batcher = Batcher(TinyModel(), max_rows=288)
    large = Client(batcher, clock, count=64)
    turns(batcher, [large], until=lambda: large.time_of(Partial) is not None)
    small = Client(batcher, clock, count=1)
    turns(batcher, [large, small])
    done = small.time_of(Done)
    assert done is not None
    assert small.began + done < 0.4 * (large.began + (large.time_of(Done) or 0.0))
