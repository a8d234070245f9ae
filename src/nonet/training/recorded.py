"""A training step that a GPU plays back as one graph.

A small network's step is thousands of operations of some microseconds each; to start them one by one takes a
processor several times as long as a GPU needs for them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

PLAIN = 3
"""Runs before one is recorded, in which libraries choose their ways and optimisers make their states."""


class Recorded:
    """Work on a device's memory alone: plain on a processor, on a GPU recorded after some runs and played back.

    Args:
        work: reads and writes tensors that stay where they are, and gives tensors, which the next run overwrites.
            It must not wait for the GPU nor depend on what changes on the processor.
    """

    def __init__(self, work: Callable[[], dict[str, Tensor]], device: torch.device) -> None:
        self._work = work
        self._device = device
        self._runs = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._given: dict[str, Tensor] = {}

    def __call__(self) -> dict[str, Tensor]:
        """Do the work once."""
        if self._device.type != "cuda":
            return self._work()
        if self._graph is None:
            self._runs += 1
            if self._runs <= PLAIN:
                return self._apart()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._given = self._work()
            self._graph = graph
        self._graph.replay()
        return self._given

    def _apart(self) -> dict[str, Tensor]:
        """A plain run on a stream of its own, as recording wants the runs before it to be."""
        other = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        other.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(other):
            given = self._work()
        torch.cuda.current_stream(self._device).wait_stream(other)
        return given
