"""Looking at the events of a drawing."""

from __future__ import annotations

from collections.abc import Sequence

from nonet.engine import Done, Drawn, DrawRequest, Event, Failed, Partial, Progress, Started
from tiny_model import LENGTH


def pictures(events: Sequence[Event]) -> dict[int, Drawn]:
    return {event.picture: event for event in events if isinstance(event, Drawn)}


def check_order(events: Sequence[Event], request: DrawRequest) -> None:
    """What holds for the events of every request that ends well."""
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert not any(isinstance(event, Started | Failed | Done) for event in events[1:-1])
    done = dict.fromkeys(range(request.pictures), 0)
    drawn: set[int] = set()
    for event in events:
        if isinstance(event, Progress):
            assert done[event.picture] < event.tokens_done <= event.tokens_total == LENGTH
            done[event.picture] = event.tokens_done
        elif isinstance(event, Partial):
            assert event.picture < request.count
            assert event.picture not in drawn
            assert 0 < done[event.picture] < LENGTH
        elif isinstance(event, Drawn):
            assert event.picture not in drawn
            drawn.add(event.picture)
    assert drawn == set(range(request.count))
    assert set(done.values()) == {LENGTH}
