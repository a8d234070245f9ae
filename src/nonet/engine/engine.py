"""The engine: one thread that owns a model and draws all requests with it."""

from __future__ import annotations

import atexit
import threading
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

import torch

from nonet.engine.batcher import Batcher
from nonet.engine.hands import Hands
from nonet.engine.job import Job
from nonet.engine.needs import DrawingModel, settled
from nonet.engine.request import DrawRequest
from nonet.engine.stream import DrawStream
from nonet.errors import NonetError
from nonet.model.seq2seq import ImageDecoder
from nonet.threads import apart, use_threads

CACHE_BYTES = 1 << 30
"""Memory for keys and values on a CPU, unless the weights are larger: then as much as the weights."""
ROWS_MAX = 288
"""Sixteen requests of nine guided pictures: more rows in a batch hardly make a token cheaper."""
LARGE_BYTES = 256 << 20
"""Of larger decoders only the packed copy of the weights is kept while an engine has them, and all cores draw a token.

A step of a smaller one is a hundred operations of some microseconds each. Two cores that hand such parts to one
another, and wait for one another after each, take longer than one: they work on different pictures instead (`Hands`).
"""


class Engine:
    """Draws requests with one model, all in one batch.

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
        self._step_threads = self.threads if large else 1
        # A large model on a GPU has nothing to share out among cores.
        shared = not large or decoder.lm_head.weight.device.type == "cpu"
        hands = Hands(self.threads if shared else 1, beside=not large)

        def ready() -> Batcher:
            decoder.pack(release=large)
            rows = rows_that_fit(decoder) if max_rows is None else max_rows
            return Batcher(model, max_rows=rows, low_memory=low_memory, hands=hands)

        # Laying weights out is no slower with one thread, and leaves no helpers to this one.
        self._batcher = apart(ready, threads=1)
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nonet-engine", daemon=True)
        self._thread.start()
        # A daemon must not be inside torch when the interpreter is taken down.
        atexit.register(self.close)

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the decoder that are being drawn now, and the most there may be."""
        return sum(job.rows for job in list(self._batcher.jobs)), self._batcher.max_rows

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
        stream = DrawStream(request, on_cancel=lambda: self._inbox.put(None))
        job = Job(settled(request, self.model.defaults), stream, partials)
        with self._lock:
            if self._closing:
                raise NonetError("cancelled", "The engine is closed.")
            self._inbox.put(job)
        return stream

    def close(self) -> None:
        """End all drawings with `Failed("cancelled")` and stop the thread; a second call does nothing."""
        with self._lock:
            self._closing = True
            self._inbox.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        use_threads(self._step_threads)
        batcher = self._batcher
        try:
            with torch.inference_mode():
                while True:
                    self._take_in(wait=batcher.idle)
                    if self._closing:
                        break
                    if batcher.idle:
                        continue
                    try:
                        batcher.turn()
                    except Exception as error:
                        # Errors of the model were caught where they belong to a request; this is one of ours.
                        batcher.end("internal", f"The engine failed: {error!r}.")
        finally:
            # However this thread ends, nobody is left waiting for it.
            with self._lock:
                self._closing = True
            self._take_in(wait=False)
            batcher.end("cancelled", "The engine was closed.")
            batcher.hands.close()

    def _take_in(self, *, wait: bool) -> None:
        while True:
            try:
                job = self._inbox.get(block=wait)
            except Empty:
                return
            wait = False
            if job is not None:
                self._batcher.add(job)


def rows_that_fit(decoder: ImageDecoder) -> int:
    """How many rows' keys and values fit into the memory meant for them."""
    config, weight = decoder.config, decoder.lm_head.weight
    row_bytes = 2 * config.decoder_layers * config.image_length * config.d_model * weight.element_size()
    if weight.device.type == "cuda":
        budget = torch.cuda.mem_get_info(weight.device)[0] // 2
    else:
        budget = max(CACHE_BYTES, _bytes_of(decoder))
    return max(2, min(ROWS_MAX, budget // row_bytes))


def _bytes_of(decoder: ImageDecoder) -> int:
    return sum(parameter.nbytes for parameter in decoder.parameters())
