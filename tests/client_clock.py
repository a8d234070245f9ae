"""Requests in a batcher whose time passes only when it is told to."""

from __future__ import annotations

import torch

from nonet.engine.batcher import Batcher
from nonet.engine.events import Event
from nonet.engine.job import Job
from nonet.engine.needs import settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream


class Clock:
    """Time that passes only when it is told to: a token of a row of the decoder costs 1, a row of tokens painted 2."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Client:
    """A request in a batcher, and when its events came."""

    def __init__(self, batcher: Batcher, clock: Clock, count: int = 9, seed: int = 1) -> None:
        request = DrawRequest(prompt="a cat", count=count, seed=seed)
        self.clock = clock
        self.began = clock.now
        self.stream = DrawStream(request)
        self.events: list[tuple[float, Event]] = []
        batcher.add(Job(settled(request, batcher.model.defaults), self.stream))

    def read(self) -> None:
        while self.stream._events:
            self.events.append((self.clock.now - self.began, next(self.stream)))

    def time_of(self, kind: type) -> float | None:
        return next((when for when, event in self.events if isinstance(event, kind)), None)


def turns(batcher: Batcher, clients: list[Client], until: object = None) -> None:
    with torch.inference_mode():
        while not batcher.idle:
            batcher.turn()
            for client in clients:
                client.read()
            if callable(until) and until():
                return
