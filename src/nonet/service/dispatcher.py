"""Takes drawings from the line to the engine and brings their pictures into the store and their ends into the rows.

Several drawings are with the engine at a time. A job's messages are handled in their order by one of a few threads, so
a slow store delays nobody else; whatever cannot be written now is tried again until it can: the job is still held.
"""

from __future__ import annotations

import queue
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from nonet.errors import NonetError
from nonet.service import points
from nonet.service.desk import Desk, Drawing
from nonet.service.engines import Engines
from nonet.service.errors import OverloadedError
from nonet.service.hub import Hub, drawn_data, final_of
from nonet.service.jobs import Jobs
from nonet.service.line import Failure, Held, Line
from nonet.service.logs import get_logger
from nonet.service.metrics import Metrics
from nonet.service.records import Job, JobPicture
from nonet.service.store import Store
from nonet.service.supervisor import Loss

WRITERS = 4
SUSPICIOUS_LOSSES = 2
"""A job that was lost so often is drawn alone: if it kills what draws it, it takes nobody else along."""
IDLE_SECONDS = 1.0
HUNG: Failure = (
    "model_failed",
    "The model stopped answering while it drew this.",
    "Try it again, with another seed or other words.",
)
FAULT: Failure = ("internal", "The drawing could not be kept.", "This is a fault of nonet: please report it.")
_log = get_logger("dispatcher")


class Dispatcher:
    """One server's work on the line; a `supervisor.Listener`.

    Attributes:
        paused: no drawing is begun; those in the line stay there.
        engines: set by whoever puts the two together, before `start`.
    """

    engines: Engines

    def __init__(self, line: Line, jobs: Jobs, store: Store, hub: Hub, metrics: Metrics) -> None:
        self._line, self._jobs, self._store, self._hub, self._metrics = line, jobs, store, hub, metrics
        self.paused = False
        self._ending = False
        self._given_up = threading.Event()
        self._unknown: set[Held] = set()
        self._wanted = threading.Event()
        self._desk = Desk()
        self._suspects: set[str] = set()
        self._alone: Job | None = None
        self._told: dict[str, Any] = {}
        self._telling = threading.Lock()
        self._mail: list[queue.SimpleQueue[Callable[[], None] | None]] = [
            queue.SimpleQueue() for _ in range(WRITERS)
        ]
        self._threads = [
            threading.Thread(target=self._write, args=(mail,), name=f"nonet-writer-{number}", daemon=True)
            for number, mail in enumerate(self._mail)
        ]
        self._threads.append(threading.Thread(target=self._take, name="nonet-dispatcher", daemon=True))
        jobs.watchers.submitted.append(lambda job: self._wanted.set())
        jobs.watchers.cancelled.append(self.cancelled)

    def start(self) -> None:
        """Begin to take drawings."""
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def begin_ending(self) -> None:
        """Take nothing more."""
        self._ending = True
        self._wanted.set()

    def wake(self) -> None:
        """Look at the line now."""
        self._wanted.set()

    def drawing(self) -> int:
        """How many drawings are with the engine or being written."""
        return len(self._desk)

    def end(self, seconds: float) -> None:
        """Take nothing more, give running drawings so long, and put the rest back into the line."""
        self.begin_ending()
        until = time.monotonic() + seconds
        # One that waits to be drawn alone will not be begun any more.
        alone = self._alone is not None
        while self.drawing() > alone and time.monotonic() < until:
            time.sleep(0.05)
        self.give_back_all()
        self._given_up.set()
        for mail in self._mail:
            mail.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(5)

    def give_back_all(self) -> None:
        """Put everything that is with the engine back into the line; what cannot be is taken up at the next start."""
        for held in self._desk.all():
            self.engines.cancel(held)
            self._forget(held)
            try:
                self._line.give_back(held, lost=False)
            except NonetError as error:
                _log.warning("not given back", code=error.code, job=held.id)
                break  # each would wait for the database as long as this one did
        self._jobs.changed()

    def check_held(self) -> None:
        """Give back what this server holds without knowing, because the answer to its claim was lost."""
        unknown = set(self._line.held()) - set(self._desk.all())
        for held in unknown & self._unknown:
            _log.warning("held without knowing", job=held.id)
            self._line.give_back(held, lost=True)
        self._unknown = unknown

    def taken_away(self) -> None:
        """This server was taken for dead: others have its drawings now."""
        for held in self._desk.all():
            self._lose(held)

    def cancelled(self, job: Job) -> None:
        """A caller has cancelled a job."""
        self._lose(Held(job.id, job.attempt))
        self._ended(job)

    def put_back(self, jobs: Sequence[Job], reason: str) -> None:
        """Tell the world of jobs whose worker died: they wait again, or failed for good."""
        for job in jobs:
            self._metrics.retaken.labels(reason).inc()
            self._hub.again(job.id)
            if job.over:
                self._ended(job)
        self._jobs.changed()
        self._wanted.set()

    # Taking

    def _take(self) -> None:
        while not self._ending:
            try:
                took = self._take_one()
            except NonetError as error:
                _log.warning("line unavailable", code=error.code)
                took = False
            except Exception:
                # Whatever it was, without this thread nothing is drawn any more.
                _log.exception("a drawing could not be taken")
                took = False
            if not took:
                self._wanted.wait(IDLE_SECONDS)
                self._wanted.clear()

    def _take_one(self) -> bool:
        if self._ending or self.paused or not self.engines.ready:
            return False
        busy = bool(self.engines.flying())
        if self._alone is not None:
            if busy:
                return False
            job, self._alone = self._alone, None
            if not self._line.holds(Held(job.id, job.attempt)):
                self._forget(Held(job.id, job.attempt))
                return True
            self._hand_over(job)
            return True
        if not self.engines.room or self._drawn_alone():
            return False
        claimed = self._line.claim()
        if claimed is None:
            return False
        points.reach("claimed")
        self._jobs.changed()
        self._remember(claimed)
        if self._suspicious(claimed) and busy:
            self._alone = claimed
        else:
            self._hand_over(claimed)
        return True

    def _suspicious(self, job: Job) -> bool:
        return job.id in self._suspects or job.losses >= SUSPICIOUS_LOSSES

    def _drawn_alone(self) -> bool:
        return any(self._suspicious(job) for job in self._desk.jobs())

    def _hand_over(self, job: Job) -> None:
        held = Held(job.id, job.attempt)
        self._metrics.wait.observe(max(0.0, ((job.started or job.created) - job.created).total_seconds()))
        if not self.engines.draw(job):
            # It died between the question and the answer.
            self._forget(held)
            self._persist(lambda: self._line.give_back(held, lost=False))
            self._jobs.changed()

    # What the engine says

    def engine_said(self, held: Held, kind: str, values: Sequence[Any]) -> None:
        """Hand a message to the job's thread."""
        self._post(held, lambda: self._said(held, kind, values))
        if kind in ("done", "failed"):
            self._wanted.set()

    def engine_lost(self, loss: Loss) -> None:
        """Drawings whose engine is gone: those to blame fail, the others wait again."""
        _log.warning("engine lost", reason=loss.reason, drawings=len(loss.held))
        for held in loss.held:
            self._post(held, partial(self._lost, held, loss))

    def engine_changed(self) -> None:
        """It became ready or is no longer."""
        # Several engines' threads come here: the last to look must also be the last to tell.
        with self._telling:
            engines = self.engines
            self._metrics.ready.set(engines.ready)
            told = {"state": engines.state, "ready": engines.how_many_ready, "model": engines.model}
            # Engines that all fail to load the same model, again and again, are one piece of news.
            if told != self._told:
                self._told = told
                _log.info("engine", **told)
        self._wanted.set()

    def _post(self, held: Held, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception:
                if self._given_up.is_set():
                    return
                _log.exception("a message could not be handled", job=held.id)
                self.engines.cancel(held)
                self._failed(held, FAULT)

        self._mail[zlib.crc32(held.id.encode()) % WRITERS].put(guarded)

    def _write(self, mail: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (work := mail.get()) is not None:
            try:
                work()
            except Exception:
                _log.exception("a message could not be handled")

    def _said(self, held: Held, kind: str, values: Sequence[Any]) -> None:
        drawing = self._desk.get(held)
        if drawing is None:
            return
        match kind, list(values):
            case "started", [list(notes)]:
                drawing.notes = [str(note) for note in notes]
                data = {"notes": drawing.notes, "model": self.engines.model}
                self._hub.publish(held.id, "started", data)
            case "progress", [list(done), int(total)]:
                self._progress(held, drawing, done, total)
            case "partial", [int(picture), str(webp)]:
                self._hub.publish(held.id, "partial", {"picture": picture, "webp": webp})
            case "drawn", [int(picture), bytes(png), int(seed), score, list(sources)]:
                self._drawn(
                    held, JobPicture(picture, self._store.key_of(png, ".png"), seed, score, sources), png
                )
            case "done", [float(seconds)]:
                self._done(held, drawing, seconds)
            case "failed", [str(code), str(message), str(hint)]:
                self._failed(held, (code, message, hint))

    def _progress(self, held: Held, drawing: Drawing, done: list[list[int]], total: int) -> None:
        before = sum(drawing.tokens.values())
        for picture, tokens in done:
            drawing.tokens[picture] = tokens
            self._hub.publish(held.id, "progress", {"picture": picture, "done": tokens, "total": total})
        after = sum(drawing.tokens.values())
        self._metrics.tokens.inc(max(0, after - before))
        self._jobs.progress[held.id] = min(1.0, after / max(1, total * drawing.job.request.pictures))

    def _drawn(self, held: Held, picture: JobPicture, png: bytes) -> None:
        points.reach("first picture")
        if not self._persist(lambda: self._line.add_picture(held, picture)):
            self._lose(held)
            return
        points.reach("row written")
        began = time.monotonic()
        try:
            self._store.put(png, ".png")
        except NonetError as error:
            self.engines.cancel(held)
            self._failed(held, (error.code, error.message, error.hint))
            return
        points.reach("file written")
        self._metrics.store_seconds.observe(time.monotonic() - began)
        self._metrics.pictures.inc()
        self._hub.publish(held.id, "drawn", drawn_data(held.id, picture.index, picture.seed))

    def _done(self, held: Held, drawing: Drawing, seconds: float) -> None:
        points.reach("before the end")
        end = partial(self._line.finish, seconds=seconds, model=self.engines.model, notes=drawing.notes)
        job = self._persist(lambda: end(held))
        points.reach("ended")
        crowd, took = self._desk.crowd(drawing)
        self._forget(held)
        if job is None:
            return
        self._jobs.speed.observe(took, max(crowd, job.request.pictures))
        self._metrics.seconds.observe(took)
        error = self._jobs.eta_error(job.id)
        if error is not None:
            self._metrics.eta_error.observe(abs(error))
            self._metrics.eta_bias.set(error)
        self._ended(job)

    def _failed(self, held: Held, failure: Failure) -> None:
        try:
            job = self._persist(lambda: self._line.fail(held, failure))
        finally:
            self._forget(held)
        if job is not None:
            self._ended(job)

    def _lost(self, held: Held, loss: Loss) -> None:
        if self._desk.get(held) is None:
            return
        if loss.reason == "hung" and loss.blamed == held:
            self._suspects.discard(held.id)
            job = self._persist(lambda: self._line.fail(held, HUNG))
        else:
            if loss.reason == "hung" and loss.blamed is None:
                # One of them did it. Each is drawn alone next time, and then it shows.
                self._suspects.add(held.id)
            lost = loss.reason != "stopped"
            job = self._persist(lambda: self._line.give_back(held, lost=lost))
        self._forget(held)
        if job is not None and job.state == "failed" and loss.blamed == held:
            self._ended(job)
        elif job is not None:
            self.put_back([job], loss.reason)

    def _lose(self, held: Held) -> None:
        """The job is no longer ours: cancelled, or taken by another server."""
        self.engines.cancel(held)
        self._forget(held)

    def _ended(self, job: Job) -> None:
        self._suspects.discard(job.id)
        self._jobs.forget_told(job.id)
        self._jobs.changed()
        code = job.error[0] if job.error is not None else ""
        self._metrics.ended.labels(job.state, code).inc()
        self._hub.publish(job.id, *final_of(job))
        _log.info("drawing ended", job=job.id, state=job.state, code=code, api=job.api, attempt=job.attempt)

    # Bookkeeping

    def _remember(self, job: Job) -> None:
        self._desk.add(job)
        self._jobs.progress[job.id] = 0.0
        self._metrics.drawing.set(len(self._desk))

    def _forget(self, held: Held) -> None:
        if self._desk.remove(held):
            self._jobs.progress.pop(held.id, None)
        self._metrics.drawing.set(len(self._desk))
        self._wanted.set()

    def _persist(self, work: Callable[[], Any]) -> Any:
        """Do it, however long the database does not answer or has no room: the job stays held meanwhile."""
        pause = 0.1
        while True:
            try:
                return work()
            except NonetError as error:
                if not isinstance(error, OverloadedError) and error.code != "disk_full":
                    raise
                _log.warning("written later", code=error.code)
                if self._given_up.wait(pause):
                    raise  # the server ends; the next one takes the job up
                pause = min(2.0, pause * 2)
