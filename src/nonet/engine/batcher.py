"""Who is drawn next: requests join and leave at every step, and none keeps the others waiting.

A turn takes one step of the decoder for the pictures whose turn it is, and then perhaps some pixels. Whose turn it is:

- As many as go well into one step (`STEP_TOKENS`), who came first before others, when every request has shown
  something; but a large request lets a few others pass for each of its later blocks (`LET_PASS`). Not the most advanced
  first: some need more steps for as many tokens, and would be overtaken by all who come later.
- A request that has shown nothing yet goes first, so that its first partial pictures come nearly as fast as
  on an idle engine. The others get a share of the time meanwhile (`OTHERS_SHARE`).
- The first partial pictures are painted at once, later ones while they take little of the time (`PARTIALS_SHARE`) and
  there is no crowd (`CROWD`), and finished pictures a few at a time beside the tokens of the others.

What is here runs in one thread. What pictures remember is planned, and finished ones are painted, by hands (`Hands`).
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nonet.engine.block import Block, never_single
from nonet.engine.drawing_step import draw_step
from nonet.engine.events import Partial, Progress, Started
from nonet.engine.hands import Hands, Pending, wait_for_any
from nonet.engine.job import BLOCK_PICTURES, Job
from nonet.engine.needs import DrawingModel
from nonet.engine.opening import Opener, Opening
from nonet.engine.painting import Painter
from nonet.engine.reading import Reader
from nonet.errors import NonetError

if TYPE_CHECKING:
    from nonet.engine.events import Pixels

OTHERS_SHARE = 0.5
"""Time for others for each second that is spent on requests which have shown nothing yet."""
PARTIALS_SHARE = 0.12
"""Time for partial pictures, but for each request's first ones, for each second of tokens."""
FIRST_ROWS = 3 / 16
"""The part of a picture that is drawn when it is first shown."""
STEP_TOKENS = 320
"""Tokens of rows in one step on a processor: more are not faster each, and who comes meanwhile would wait longer."""
LET_PASS = 2
"""So many who came later pass each further block of a large request."""
MOMENT = 0.01
"""Seconds to wait for the hands before looking again who has come or gone."""
CROWD = 2
"""With more there is a crowd, until one is left. Nothing is painted then of a picture between its first rows and the
whole, for others would wait for it; and who is first has company (`COMPANY`)."""
COMPANY = 8
"""In a crowd so many larger steps of the second request go with smaller ones of the first, for each row of the first.
A step of a few tokens costs a tenth of one of 300, and a picture that leaves what it remembers needs many. More would
keep a first one with many such pictures waiting."""
LAST_ROWS = 0.85
"""From this part on, waiting for the whole picture is better than another partial one."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Painting:
    """Finished pictures of a request that are being painted."""

    job: Job
    pictures: list[int]
    done: Pending[list[tuple[Pixels, float | None]]]


class Batcher:
    """The requests that are being drawn, and the order of the work on them.

    Args:
        model: what draws.
        max_rows: most rows of the decoder at a time; a guided picture takes two.
        low_memory: paint one picture at a time, and keep no caches for later.
        fixed: draw each block in steps of fixed shapes (see `FixedStep`); None does so on a GPU.
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
        self._on_cuda = model.decoder.lm_head.weight.is_cuda
        self._step_tokens = math.inf if self._on_cuda else STEP_TOKENS
        self._reader = Reader(model)
        self.opener = Opener(
            model,
            max_rows=max_rows,
            keep=not low_memory,
            fixed=self._on_cuda if fixed is None else fixed,
            hands=self.hands,
        )
        self._openings: list[Opening] = []
        self._painting: Painting | None = None
        self._arrived = 0
        self._crowded = False
        self._credit = 0.0
        self._token_seconds = 0.0
        self._partial_seconds = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.jobs

    def add(self, job: Job) -> None:
        """Take a request in."""
        job.arrival = self._arrived
        self._arrived += 1
        self.jobs.append(job)

    def turn(self) -> None:
        """Do the next piece of work."""
        for job in self.jobs:
            if job.stream.cancelled:
                job.fail("cancelled", "The drawing was cancelled.")
        self._sweep()
        self._crowded = len(self.jobs) > (1 if self._crowded else CROWD)
        self._prepare_one()
        self._start_blocks()
        self._take_painted()
        self._show_first()
        fresh = [b for b in self.blocks if b.job.fresh and b.done < self.first_tokens]
        others = len(fresh) < len(self.blocks) or bool(self.unpainted)
        if fresh and others and self._credit <= 0:
            self._credit += OTHERS_SHARE * self._timed(lambda: self._draw_tokens(self._foremost(fresh)))
        else:
            spent = self._timed(lambda: self._everything(hurried=bool(fresh)))
            self._credit = self._credit - spent if fresh else 0.0
        self._take_painted()
        self._sweep()
        if self.idle:
            self._rest()
        elif not self.blocks:
            # Nothing to draw before the hands are done; but who comes meanwhile is to be heard.
            painting = [] if self._painting is None else [self._painting.done]
            wait_for_any([*painting, *(opening.plans for opening in self._openings)], MOMENT)

    def end(self, code: str, message: str) -> None:
        """Fail all requests."""
        for job in self.jobs:
            job.fail(code, message)
        self._sweep()
        self._rest()

    def _everything(self, *, hurried: bool) -> None:
        if self.blocks:
            # Blocks that end here are held by nobody while their pictures are painted: caches take much memory.
            self._token_seconds += self._timed(lambda: self._draw_tokens(self._foremost(self.blocks)))
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
            job.stream.send(Started(job.request, self._reader.read(job)))

    def _start_blocks(self) -> None:
        for job in list(self.jobs):
            while job.conditional is not None and job.left:
                free = min(self.max_rows - sum(j.rows for j in self.jobs), self.job_rows - job.rows)
                pictures = job.next_block(self.job_rows)
                rows = len(pictures) * (2 if job.guided else 1)
                if not rows or rows > free:
                    break
                job.started = pictures.stop
                job.rows += rows
                self._openings.append(self.opener.begin(job, pictures))
        for opening in [opening for opening in self._openings if opening.plans.done]:
            self._openings.remove(opening)
            with _Guard([opening.job]):
                self.blocks.append(self.opener.open(opening))

    # Tokens

    def _foremost(self, blocks: Sequence[Block]) -> list[Block]:
        """As many blocks as go well into one step, in the order of their requests.

        With the first one goes what needs no more of a step than it does: one that gets on by a token a step would
        wait at each for others that get on by a row, and get next to nothing of the time. But in a crowd, where more
        is gained than lost, the second one's row may come along now and then.
        """
        first, *others = sorted(blocks, key=_place)
        chosen = [first]
        room = self._step_tokens - first.ahead
        for block in others:
            goes = block.ahead <= room
            if goes and block.ahead > first.ahead:
                goes = block is others[0] and self._crowded and first.company < COMPANY
                first.company += goes
            if goes:
                chosen.append(block)
                room -= block.ahead
        return chosen

    def _draw_tokens(self, blocks: Sequence[Block]) -> None:
        if blocks[0].fixed is not None:
            # Then all of them have one: a graph each is faster than the same rows in one plain step.
            for block in blocks:
                self._play(block)
        else:
            try:
                draw_step(self.model.decoder, blocks, self.model.codebook_size)
            except Exception:
                # Whose fault was it? Each request by itself; a step that failed has changed nothing.
                for job in dict.fromkeys(block.job for block in blocks):
                    self._draw_by_itself(job, [block for block in blocks if block.job is job])
        for block in blocks:
            if block.done % self.painter.side == 0 and block.job.left:
                self._row_done(block)

    def _play(self, block: Block) -> None:
        assert block.fixed is not None
        try:
            block.fixed.draw(block)
        except Exception:
            self._draw_by_itself(block.job, [block])

    def _draw_by_itself(self, job: Job, blocks: Sequence[Block]) -> None:
        with _Guard([job]):
            draw_step(self.model.decoder, blocks, self.model.codebook_size)

    def _row_done(self, block: Block) -> None:
        job = block.job
        if not bool(block.healthy_P.all()):
            job.fail(
                "model_failed", "The model gave numbers that are not finite.", "Its weights may be damaged."
            )
            return
        block.row_done()
        length = self.model.image_length
        job.stream.send(*(Progress(picture, block.done, length) for picture in block.pictures))
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
        self.opener.close(block)

    # Pixels

    def _show_first(self) -> None:
        """Paint the first partial pictures of one request."""
        for block in self.blocks:
            if block.job.fresh and block.wants_partials and block.done >= self.first_tokens:
                self._show(block)
                return

    def _show_later(self) -> None:
        """Paint partial pictures of the block that has shown the least for its tokens, if there is time."""
        if self._crowded:
            # Nor is time for it saved up.
            self._partial_seconds = PARTIALS_SHARE * self._token_seconds
            return
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
            shown = self.painter.unfinished(block)
            block.job.stream.send(*(Partial(picture, pixels) for picture, pixels in shown))

    def _paint_finished(self) -> None:
        """Have some finished pictures painted, all of one request."""
        if self._painting is not None:
            return
        job = self.unpainted[0][0]
        batch: list[tuple[int, Tensor]] = []
        most = self.painter.batch * self.hands.count
        while self.unpainted and self.unpainted[0][0] is job and len(batch) < most:
            _, picture, tokens_T = self.unpainted.popleft()
            batch.append((picture, tokens_T))
        parts = torch.split(torch.stack([tokens for _, tokens in batch]), self.painter.batch)
        done = self.hands.start(lambda part: self._painted(job, part), parts)
        self._painting = Painting(job, [picture for picture, _ in batch], done)

    def _take_painted(self) -> None:
        """Hand out pictures that have been painted."""
        painting = self._painting
        if painting is None or not painting.done.done:
            return
        self._painting = None
        if painting.job.left:
            with _Guard([painting.job]):
                done = [painted for part in painting.done.results() for painted in part]
                for picture, (pixels, score) in zip(painting.pictures, done, strict=True):
                    painting.job.finished(picture, pixels, score)

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
        self._openings = [opening for opening in self._openings if opening.job.left]

    def _rest(self) -> None:
        self._credit = self._token_seconds = self._partial_seconds = 0.0
        self.opener.rest()

    def _timed(self, work: Callable[[], None]) -> float:
        began = time.perf_counter()
        work()
        if self._on_cuda and len(self.jobs) > 1:
            # Otherwise only the starting of kernels would be measured. Who draws alone shares no time.
            torch.cuda.synchronize()
        return time.perf_counter() - began


def _place(block: Block) -> float:
    return block.job.arrival + LET_PASS * block.pictures.start / BLOCK_PICTURES


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
