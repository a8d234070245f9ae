"""The engine: it owns a model and draws all requests with it."""

from __future__ import annotations

import atexit
import threading
from types import TracebackType
from typing import Self

import torch

from nonet.engine.batcher import Batcher
from nonet.engine.hands import Hands
from nonet.engine.job import Job
from nonet.engine.lane import Lane
from nonet.engine.needs import DrawingModel, settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from nonet.errors import NonetError
from nonet.heap import give_back_free
from nonet.model.seq2seq import ImageDecoder
from nonet.threads import apart

CACHE_BYTES = 1 << 30
"""Memory for keys and values on a CPU, unless the weights are larger: then as much as the weights."""
ROWS_MAX = 288
"""Sixteen requests of nine guided pictures: more rows in a batch hardly make a token cheaper."""
LARGE_BYTES = 256 << 20
"""Of larger decoders only the packed copy of the weights is kept while an engine has them, and all cores draw a token.

A step of a smaller one is a hundred operations of some microseconds each. Two cores that hand such parts to one
another, and wait for one another after each, take longer than one: they work on different pictures (`Hands`) and on
different requests (`Lane`) instead.
"""
LANES_MAX = 4
"""Each has Python's lock for a tenth of its time, and caches of its own."""
LANE_ROWS = 36
"""Two requests of nine guided pictures: with fewer rows a lane is not worth its thread."""


class Engine:
    """Draws requests with one model, in one batch or, where one core draws a token, in a batch for each core.

    From its making on, nobody else may use or change the model's networks.

    Args:
        model: what `nonet.load` gave.
        max_rows: most rows of the decoder at a time, at least 2; a picture takes two, or one with guidance 1.
            None chooses by memory.
        low_memory: turn tokens into pixels one picture at a time.
        threads: cores to use at most; None is as many as torch uses.
    """

    def __init__(
        self,
        model: DrawingModel,
        *,
        max_rows: int | None = None,
        low_memory: bool = False,
        threads: int | None = None,
    ) -> None:
        if max_rows is not None and max_rows < 2:
            raise ValueError("max_rows must be at least 2")
        if threads is not None and threads < 1:
            raise ValueError("threads must be at least 1")
        self.model = model
        decoder = model.decoder.eval()
        large = _bytes_of(decoder) > LARGE_BYTES
        self.threads = threads or torch.get_num_threads()
        # A large model on a GPU has nothing to share out among cores.
        on_cpu = decoder.lm_head.weight.device.type == "cpu"
        cores = self.threads if on_cpu or not large else 1

        def ready() -> list[Batcher]:
            decoder.pack(release=large)
            rows = rows_that_fit(decoder) if max_rows is None else max_rows
            many = on_cpu and not large and not low_memory
            count = max(1, min(cores, LANES_MAX, rows // LANE_ROWS)) if many else 1
            hands = [Hands(cores, beside=not large, sharing=self._busy) for _ in range(count)]
            return [Batcher(model, max_rows=rows // count, low_memory=low_memory, hands=one) for one in hands]

        self.lanes: list[Lane] = []
        # Laying weights out is no slower with one thread, and leaves no helpers to this one.
        batchers = apart(ready, threads=1)
        # What the weights have left behind, up to a fifth of a large model.
        give_back_free()
        self._closing = False
        self._lock = threading.Lock()
        step_cores = self.threads if large else 1
        for batcher in batchers:
            self.lanes.append(Lane(batcher, cores=step_cores, ended=self._end))
        # A daemon must not be inside torch when the interpreter is taken down.
        atexit.register(self.close)

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the decoder that are being drawn now, and the most there may be."""
        used, most = zip(*(lane.rows for lane in self.lanes), strict=True)
        return sum(used), sum(most)

    def submit(self, request: DrawRequest, *, partials: bool = True) -> DrawStream:
        """Draw a request; returns at once. May be called from any thread.

        Args:
            request: what to draw.
            partials: whether partial pictures are wanted; without them it is a little faster.

        Raises:
            NonetError: `setting_invalid`, if more candidates than pictures are asked of a model without a
                judge; `cancelled`, if the engine is closed.
        """
        if request.pictures > request.count and self.model.judge is None:
            raise NonetError(
                "setting_invalid",
                f"The model {self.model.name} has no judge to choose among candidates.",
                "Leave candidates out.",
            )
        with self._lock:
            if self._closing:
                raise NonetError("cancelled", "The engine is closed.")
            # Of equals the first one: it is warm.
            lane = min(self.lanes, key=lambda one: one.left)
            stream = DrawStream(request, on_cancel=lane.wake)
            lane.give(Job(settled(request, self.model.defaults), stream, partials))
        return stream

    def close(self) -> None:
        """End all drawings with `Failed("cancelled")` and stop the threads; a second call does nothing."""
        self._end()
        for lane in self.lanes:
            if threading.current_thread() is not lane.thread:
                lane.thread.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _busy(self) -> int:
        """How many lanes draw."""
        return sum(lane.busy for lane in self.lanes)

    def _end(self) -> None:
        """Take nothing more, and stop all lanes: also when one of them has died."""
        with self._lock:
            self._closing = True
            for lane in self.lanes:
                lane.close()


def rows_that_fit(decoder: ImageDecoder) -> int:
    """How many rows' keys and values fit into the memory meant for them."""
    config, weight = decoder.config, decoder.lm_head.weight
    row_bytes = 2 * config.decoder_layers * config.image_length * config.d_model * decoder.attends_in.itemsize
    if weight.device.type == "cuda":
        budget = torch.cuda.mem_get_info(weight.device)[0] // 2
    else:
        budget = max(CACHE_BYTES, _bytes_of(decoder))
    return max(2, min(ROWS_MAX, budget // row_bytes))


def _bytes_of(decoder: ImageDecoder) -> int:
    return sum(parameter.nbytes for parameter in decoder.parameters())
