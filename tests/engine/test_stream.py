from __future__ import annotations

import asyncio
import threading
import time

import pytest

from nonet.engine.events import Done, Drawn, Event, Failed, Progress, Started
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream

REQUEST = DrawRequest(prompt="a cat", count=1, seed=1)
EVENTS: list[Event] = [Started(REQUEST), Progress(0, 16, 256), Progress(0, 32, 256), Done(0.1)]


def fed_later(stream: DrawStream) -> threading.Thread:
    def feed() -> None:
        for event in EVENTS:
            time.sleep(0.01)
            stream.send(event)

    thread = threading.Thread(target=feed)
    thread.start()
    return thread


def test_events_come_in_order_and_end() -> None:
    stream = DrawStream(REQUEST)
    thread = fed_later(stream)
    assert list(stream) == EVENTS
    assert list(stream) == []
    thread.join()


def test_async_iteration() -> None:
    async def read(stream: DrawStream) -> list[Event]:
        return [event async for event in stream]

    stream = DrawStream(REQUEST)
    thread = fed_later(stream)
    assert asyncio.run(read(stream)) == EVENTS
    assert asyncio.run(read(stream)) == []
    thread.join()


def test_two_async_readers_share_the_events_and_both_end() -> None:
    async def read(stream: DrawStream) -> list[Event]:
        return [event async for event in stream]

    async def both() -> tuple[list[Event], list[Event]]:
        return await asyncio.gather(read(stream), read(stream))

    stream = DrawStream(REQUEST)
    thread = fed_later(stream)
    first, second = asyncio.run(both())
    assert sorted(map(repr, first + second)) == sorted(map(repr, EVENTS))
    thread.join()


def test_a_reader_that_gave_up_leaves_the_events_to_the_next() -> None:
    async def hurried(stream: DrawStream) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)

    stream = DrawStream(REQUEST)
    asyncio.run(hurried(stream))
    for event in EVENTS:
        stream.send(event)
    assert list(stream) == EVENTS


def test_nothing_comes_after_the_end() -> None:
    stream = DrawStream(REQUEST)
    stream.send(Progress(0, 16, 256), Failed("model_failed", "No."), Done(1.0))
    stream.send(Done(1.0))
    assert stream.ended
    assert list(stream) == [Progress(0, 16, 256), Failed("model_failed", "No.")]


def test_cancel_calls_back_once_and_never_after_the_end() -> None:
    calls: list[int] = []
    stream = DrawStream(REQUEST, lambda: calls.append(1))
    assert not stream.cancelled
    stream.cancel()
    stream.cancel()
    assert (stream.cancelled, calls) == (True, [1])
    done = DrawStream(REQUEST, lambda: calls.append(2))
    done.send(Done(1.0))
    done.cancel()
    assert (done.cancelled, calls) == (False, [1])


def test_leaving_the_context_cancels_what_is_not_finished() -> None:
    with DrawStream(REQUEST) as stream:
        pass
    assert stream.cancelled
    with DrawStream(REQUEST) as stream:
        stream.send(Done(1.0))
    assert not stream.cancelled


def test_pictures_are_not_in_the_text_of_events() -> None:
    import numpy as np

    assert "array" not in repr(Drawn(0, np.zeros((2, 2, 3), np.uint8), seed=1))
