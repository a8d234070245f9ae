"""Who is drawn next: requests join and leave at every token, and none keeps the others waiting.

A turn draws one token for the pictures whose turn it is, and then perhaps some pixels. Whose turn it is:

- All, in one batch, as long as every request has shown something.
- A request that has shown nothing yet goes first, so that its first partial pictures come nearly as fast as
  on an idle engine. The others get a share of the time meanwhile (`OTHERS_SHARE`).
- The first partial pictures are painted at once, later ones while they take little of the time
  (`PARTIALS_SHARE`), and finished pictures a few at a time between the tokens of the others.

Everything here runs in one thread.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nonet.engine.block import Block, never_single
from nonet.engine.drawing_step import draw_step
from nonet.engine.events import Partial, Progress, Started
from nonet.engine.fixed_step import FixedSteps
from nonet.engine.hands import Hands
from nonet.engine.job import Job
from nonet.engine.needs import DrawingModel
from nonet.engine.painting import Painter
from nonet.errors import NonetError
from nonet.model.cache import KVCache
from nonet.model.stepping import CrossKV

if TYPE_CHECKING:
    from nonet.engine.events import Pixels

OTHERS_SHARE = 0.5
"""Time for others for each second that is spent on requests which have shown nothing yet."""
PARTIALS_SHARE = 0.12
"""Time for partial pictures, but for each request's first ones, for each second of tokens."""
FIRST_ROWS = 3 / 16
"""The part of a picture that is drawn when it is first shown."""
LAST_ROWS = 0.85
"""From this part on, waiting for the whole picture is better than another partial one."""
NEGATIVES_KEPT = 16

Read = tuple[CrossKV, list[str]]

_log = logging.getLogger(__name__)


class Batcher:
    """The requests that are being drawn, and the order of the work on them.

    Args:
        model: what draws.
        max_rows: most rows of the decoder at a time; a guided picture takes two.
        low_memory: paint one picture at a time, and keep no caches for later.
        fixed: draw a block that is alone in steps of fixed shapes (see `FixedStep`); None does so on a GPU.
        hands: do what can be done for several pictures at the same time.
    """

    def __init__(
        self,
        model: DrawingModel,
        *,
        max_rows: int,
        low_memory: bool = False,
        fixed: bool | None = None,
        hands: Hands | None = None,
    ) -> None:
        self.model = model
        # One picture at a time needs the least memory.
        self.hands = Hands() if hands is None or low_memory else hands
        self.max_rows = max_rows
        # Half, so that a large request leaves room for the next one; but nine guided pictures stay together.
        self.job_rows = min(max_rows, max(18, max_rows // 2))
        self.painter = Painter(model, low_memory=low_memory, hands=self.hands)
        self.jobs: list[Job] = []
        self.blocks: list[Block] = []
        self.unpainted: deque[tuple[Job, int, Tensor]] = deque()
        self.first_tokens = max(1, round(self.painter.side * FIRST_ROWS)) * self.painter.side
        self._low_memory = low_memory
        self._on_cuda = model.decoder.lm_head.weight.is_cuda
        wanted = self._on_cuda if fixed is None else fixed
        self._fixed = FixedSteps(model) if wanted and FixedSteps.serve(model.decoder) else None
        self._spare: list[KVCache] = []
        self._negatives: OrderedDict[str, Read] = OrderedDict()
        self._empty_TD: Tensor | None = None
        self._credit = 0.0
        self._token_seconds = 0.0
        self._partial_seconds = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.jobs

    def add(self, job: Job) -> None:
        """Take a request in."""
        self.jobs.append(job)

    def turn(self) -> None:
        """Do the next piece of work."""
        for job in self.jobs:
            if job.stream.cancelled:
                job.fail("cancelled", "The drawing was cancelled.")
        self._sweep()
        self._prepare_one()
        self._start_blocks()
        self._show_first()
        fresh = [b for b in self.blocks if b.job.fresh and b.done < self.first_tokens]
        others = len(fresh) < len(self.blocks) or bool(self.unpainted)
        if fresh and others and self._credit <= 0:
            self._credit += OTHERS_SHARE * self._timed(lambda: self._draw_tokens(fresh))
        else:
            spent = self._timed(lambda: self._everything(hurried=bool(fresh)))
            self._credit = self._credit - spent if fresh else 0.0
        self._sweep()
        if self.idle:
            self._rest()

    def end(self, code: str, message: str) -> None:
        """Fail all requests."""
        for job in self.jobs:
            job.fail(code, message)
        self._sweep()
        self._rest()

    def _everything(self, *, hurried: bool) -> None:
        if self.blocks:
            self._token_seconds += self._timed(lambda: self._draw_tokens(list(self.blocks)))
        if self.unpainted:
            self._paint_finished()
        elif self.blocks and not hurried:
            self._show_later()

    # Taking in

    def _prepare_one(self) -> None:
        """Read one request's text: one a turn, so that many at once do not stop the others' tokens."""
        job = next((job for job in self.jobs if job.conditional is None), None)
        if job is None:
            return
        with _Guard([job]):
            context, notes = self._context("prompt", job.request.prompt)
            if job.guided:
                job.unconditional, more = self._negative(job.request.negative_prompt)
                notes = [*notes, *more]
            job.conditional = context
            job.stream.send(Started(job.request, notes))

    def _context(self, name: str, prompt: str) -> Read:
        """Keys and values of a prompt, and what is to be said about reading it."""
        # Each prompt by itself, without its padding: then nothing of it depends on what else is drawn.
        text = self.model.encode_text([prompt])
        decoder = self.model.decoder
        states_BSD = text.states_BSD[:, text.mask_BS[0].bool()].to(decoder.lm_head.weight)
        cut = text.cut[0]
        notes = [f"The {name} is too long: its last {cut} tokens were not read."] if cut else []
        return decoder.cross_keys_values(states_BSD), notes

    def _negative(self, prompt: str) -> Read:
        if prompt not in self._negatives:
            self._negatives[prompt] = self._context("negative prompt", prompt)
            if len(self._negatives) > NEGATIVES_KEPT:
                self._negatives.popitem(last=False)
        self._negatives.move_to_end(prompt)
        return self._negatives[prompt]

    def _start_blocks(self) -> None:
        for job in list(self.jobs):
            while job.conditional is not None and job.left:
                free = min(self.max_rows - sum(j.rows for j in self.jobs), self.job_rows - job.rows)
                pictures = job.next_block(self.job_rows)
                rows = len(pictures) * (2 if job.guided else 1)
                if not rows or rows > free:
                    break
                with _Guard([job]):
                    block = self._block(job, pictures, rows)
                    job.started = pictures.stop
                    job.rows += rows
                    self.blocks.append(block)

    def _block(self, job: Job, pictures: range, rows: int) -> Block:
        if self._fixed is None:
            memory_PST = self._remembered(job, pictures)
            return Block(job, pictures, self.model, self._cache(rows), self._empty_hint(), memory_PST)
        step = self._fixed.take(len(pictures), guided=job.guided, sampling=job.sampling)
        block = Block(job, pictures, self.model, step.cache)
        step.begin(block)
        return block

    def _remembered(self, job: Job, pictures: range) -> Tensor | None:
        """What these pictures remember; without a memory nothing."""
        if self.model.memory is None:
            return None
        shares = self.hands.shares(pictures)
        plans = self.hands.each(lambda share: self.model.plan(job.request, share), shares)
        for share, plan in zip(shares, plans, strict=True):
            job.sources.update(zip(share, plan.sources, strict=True))
        return torch.cat([plan.memory_PST for plan in plans])

    def _empty_hint(self) -> Tensor | None:
        """What a decoder that takes hints is told when nothing is remembered."""
        decoder = self.model.decoder
        if decoder.hint is None:
            return None
        if self._empty_TD is None:
            slots = decoder.config.memory_slots
            size = (1, slots, self.model.image_length)
            device = decoder.embed_tokens.weight.device
            self._empty_TD = decoder.memory_hint(torch.full(size, self.model.codebook_size, device=device))[0]
        return self._empty_TD

    def _cache(self, rows: int) -> KVCache:
        for index, cache in enumerate(self._spare):
            if cache.rows == rows:
                return self._spare.pop(index)
        # Spare ones of other sizes must not take more memory than the rows there may be.
        used = rows + sum(block.cache.rows for block in self.blocks)
        while self._spare and used + sum(cache.rows for cache in self._spare) > self.max_rows:
            del self._spare[0]
        return self.model.decoder.new_cache(rows)

    # Tokens

    def _draw_tokens(self, blocks: Sequence[Block]) -> None:
        model = self.model
        try:
            if len(blocks) == 1 and blocks[0].fixed is not None:
                blocks[0].fixed.draw(blocks[0])
            else:
                draw_step(model.decoder, blocks, model.codebook_size)
        except Exception:
            # Whose fault was it? Each request by itself; a step that failed has changed nothing.
            for job in dict.fromkeys(block.job for block in blocks):
                with _Guard([job]):
                    draw_step(model.decoder, [b for b in blocks if b.job is job], model.codebook_size)
        for block in blocks:
            if block.done % self.painter.side == 0 and block.job.left:
                self._row_done(block)

    def _row_done(self, block: Block) -> None:
        job = block.job
        if not bool(block.healthy_P.all()):
            job.fail(
                "model_failed", "The model gave numbers that are not finite.", "Its weights may be damaged."
            )
            return
        block.row_done()
        length = self.model.image_length
        for picture in block.pictures:
            job.stream.send(Progress(picture, block.done, length))
        if block.done >= self.first_tokens and not block.wants_partials:
            job.fresh = False
        if block.finished:
            self._let_go(block)
            # A copy: a fixed step's memory goes to the next block.
            for picture, tokens_T in zip(block.pictures, block.tokens_PT.clone(), strict=True):
                self.unpainted.append((job, picture, tokens_T))

    def _let_go(self, block: Block) -> None:
        self.blocks.remove(block)
        block.job.rows -= block.row_count
        if block.fixed is not None:
            if self._fixed is not None and not self._low_memory:
                self._fixed.give_back(block.fixed)
        elif not self._low_memory:
            self._spare.append(block.cache)

    # Pixels

    def _show_first(self) -> None:
        """Paint the first partial pictures of one request."""
        for block in self.blocks:
            if block.job.fresh and block.wants_partials and block.done >= self.first_tokens:
                self._show(block)
                return

    def _show_later(self) -> None:
        """Paint partial pictures of the block that has shown the least for its tokens, if there is time."""
        side = self.painter.side
        waiting = [
            block
            for block in self.blocks
            if block.wants_partials
            and self.first_tokens <= block.done <= LAST_ROWS * self.model.image_length
            and block.done // side - block.shown >= 2
        ]
        if waiting:
            block = max(waiting, key=lambda block: block.done // side - block.shown)
            seconds = self.painter.seconds(block)
            if self._partial_seconds + seconds <= PARTIALS_SHARE * self._token_seconds:
                self._partial_seconds += self._timed(lambda: self._show(block))

    def _show(self, block: Block) -> None:
        block.job.fresh = False
        with _Guard([block.job]):
            for picture, pixels in self.painter.unfinished(block):
                block.job.stream.send(Partial(picture, pixels))

    def _paint_finished(self) -> None:
        """Paint some finished pictures, all of one request."""
        job = self.unpainted[0][0]
        batch: list[tuple[int, Tensor]] = []
        most = self.painter.batch * self.hands.count
        while self.unpainted and self.unpainted[0][0] is job and len(batch) < most:
            _, picture, tokens_T = self.unpainted.popleft()
            batch.append((picture, tokens_T))
        with _Guard([job]):
            tokens_BT = torch.stack([tokens for _, tokens in batch])
            parts = self.hands.each(
                lambda part: self._painted(job, part), torch.split(tokens_BT, self.painter.batch)
            )
            done = [painted for part in parts for painted in part]
            for (picture, _), (pixels, score) in zip(batch, done, strict=True):
                job.finished(picture, pixels, score)

    def _painted(self, job: Job, tokens_BT: Tensor) -> list[tuple[Pixels, float | None]]:
        """Pixels of finished pictures, and what the judge thinks of them."""
        pixels_BHWC, pictures = self.painter.finished(tokens_BT)
        scores: Sequence[float | None] = [None] * len(pictures)
        if self.model.judge is not None:
            scores_B = self.model.score(never_single(pixels_BHWC), job.request.prompt)
            scores = scores_B[: len(pictures)].tolist()
        return list(zip(pictures, scores, strict=True))

    # Keeping order

    def _sweep(self) -> None:
        """Forget the requests that have ended."""
        if all(job.left for job in self.jobs):
            return
        self.jobs = [job for job in self.jobs if job.left]
        for block in [block for block in self.blocks if not block.job.left]:
            self._let_go(block)
        self.unpainted = deque(entry for entry in self.unpainted if entry[0].left)

    def _rest(self) -> None:
        self._credit = self._token_seconds = self._partial_seconds = 0.0
        # The largest is kept for the next request; after a crowd the memory is given back.
        self._spare = sorted(self._spare, key=lambda cache: cache.rows)[-1:]

    def _timed(self, work: Callable[[], None]) -> float:
        began = time.perf_counter()
        work()
        if self._on_cuda and len(self.jobs) > 1:
            # Otherwise only the starting of kernels would be measured. Who draws alone shares no time.
            torch.cuda.synchronize()
        return time.perf_counter() - began


class _Guard:
    """Turns an error into the end of the requests whose work it was; the others go on."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        _log.debug("drawing failed", exc_info=error)
        if isinstance(error, NonetError):
            failure = (error.code, error.message, error.hint)
        elif isinstance(error, MemoryError | torch.OutOfMemoryError) or "not enough memory" in str(error):
            failure = ("model_failed", "There is not enough memory.", "Ask for fewer pictures at a time.")
        else:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            failure = ("model_failed", f"The model failed while drawing: {reason}.", "")
        for job in self.jobs:
            job.fail(*failure)
        return True
