"""The running site: makes its parts, keeps them going, ends them in order."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from functools import partial

from nonet.errors import NonetError
from nonet.safety.policy import Policy
from nonet.service import schema
from nonet.service.callers import Callers
from nonet.service.database import Database
from nonet.service.datafolder import DataFolder
from nonet.service.dispatcher import Dispatcher
from nonet.service.engines import Engines
from nonet.service.finishing import certificate_of, finishing_of
from nonet.service.hub import Hub, place_data
from nonet.service.jobs import Jobs
from nonet.service.line import Line
from nonet.service.logs import get_logger
from nonet.service.metrics import Metrics
from nonet.service.records import Job
from nonet.service.services import Services
from nonet.service.settings import Settings
from nonet.service.store import Store

TICK_SECONDS = 1.0
TIDY_SECONDS = 60.0
IDS_OF_A_START = 1_000_000_000
"""Event ids of one start of the server; the next start's are higher."""
ENDING = "The site is ending and will be back in a moment."
_log = get_logger("site")


class Site:
    """Everything that runs beside the web server. Making one takes the data folder and brings the database up to date.

    Attributes:
        warmed_up: set when all is loaded that the first prompts need.

    Args:
        settings: all settings.
        policy: the prompt policy; default as the settings say.

    Raises:
        NonetError: `config_invalid`, `output_unwritable`, `disk_full`, `unavailable`.
    """

    def __init__(self, settings: Settings, *, policy: Policy | None = None) -> None:
        self.settings = settings
        self._folder = DataFolder(settings.data)
        try:
            self.services = self._made(settings, policy)
        except BaseException:
            self._folder.close()
            raise
        self.warmed_up = threading.Event()
        self._stop = threading.Event()
        self._rereading = threading.Lock()
        self._watch = threading.Thread(target=self._run, name="nonet-watch", daemon=True)
        self._waiting_since: dict[str, float] = {}
        self._starts_told = 0
        self._ends_told: Counter[str] = Counter()
        self._drained = False

    def _made(self, settings: Settings, policy: Policy | None) -> Services:
        database = Database(settings.database_url)
        schema.upgrade(database)
        self.line = Line(database, losses_max=settings.attempts, alone=database.sqlite)
        store = Store(settings.store_url)
        metrics = Metrics()
        jobs = Jobs(database, settings)
        hub = Hub(
            jobs.get,
            jobs.place,
            first_id=self.line.count_start() * IDS_OF_A_START,
            poll_seconds=None if database.sqlite else 2.0,
        )
        dispatcher = Dispatcher(self.line, jobs, store, hub, metrics)
        engines = dispatcher.engines = Engines(settings, dispatcher)
        callers = Callers(settings, bytes.fromhex(self.line.settle_fact("salt", secrets.token_hex(16))))
        jobs.watchers.submitted.append(partial(_accepted, metrics))
        jobs.gate.refused.append(lambda code: metrics.turned_away.labels(code).inc())
        return Services(
            settings=settings,
            database=database,
            jobs=jobs,
            store=store,
            hub=hub,
            engines=engines,
            dispatcher=dispatcher,
            line=self.line,
            policy=policy or _policy(settings),
            metrics=metrics,
            callers=callers,
            certificate=certificate_of(finishing_of(settings)),
        )

    def start(self) -> None:
        """Become a worker of the line and start drawing."""
        parts = self.services
        back = self.line.register()
        if parts.database.sqlite:
            # Nobody else writes here, so what lies about was left by a server that was killed.
            parts.store.clean()
            while self.line.sweep(parts.store, after_seconds=0):
                pass
        for seconds, pictures in self.line.recent():
            parts.jobs.speed.observe(seconds, pictures)
        parts.dispatcher.put_back(back, "server died")
        parts.read_state()
        parts.engines.start()
        parts.dispatcher.start()
        self._watch.start()
        # The first prompts would wait for the lists and the text encoder to be read.
        threading.Thread(target=self._warm_up, name="nonet-warm-up", daemon=True).start()
        _log.info("started", taken_up=len(back), queued=parts.jobs.queued())

    def _warm_up(self) -> None:
        try:
            self.services.policy.warm_up(self.settings.safety)
        except NonetError as error:
            _log.warning("policy", code=error.code)
        finally:
            self.warmed_up.set()

    def close_doors(self) -> None:
        """Accept nothing and begin nothing from here on."""
        self.services.draining = True
        self.services.jobs.gate.closed = ENDING
        self.services.dispatcher.begin_ending()

    def drain(self, seconds: float) -> None:
        """Let running drawings end, at most for so long; the others stay in the line."""
        self.close_doors()
        self.services.dispatcher.end(seconds)
        self._drained = True

    def stop(self) -> None:
        """End everything; what was not drained goes back into the line."""
        if not self._drained:
            self.drain(0)
        self._stop.set()
        self.services.hub.close()
        self.services.engines.stop()
        if self._watch.ident is not None:
            self._watch.join()
        try:
            self.line.leave()
        except NonetError as error:
            _log.warning("could not leave", code=error.code)
        self.services.database.close()
        self._folder.close()

    @property
    def alive(self) -> bool:
        """Whether all threads that must run do."""
        return self._watch.is_alive() and self.services.alive

    # Every second

    def _run(self) -> None:
        beat_at = tidy_at = 0.0
        while not self._stop.wait(TICK_SECONDS):
            clock = time.monotonic()
            try:
                if clock - beat_at >= self.settings.heartbeat_seconds:
                    beat_at = clock
                    self._beat()
                if clock - tidy_at >= TIDY_SECONDS:
                    tidy_at = clock
                    self._tidy()
                self._look()
            except NonetError as error:
                _log.warning("watch", code=error.code)
            except Exception:
                # Without this thread the server would soon be taken for dead.
                _log.exception("watch")

    def _beat(self) -> None:
        parts = self.services
        if not self.line.beat():
            _log.warning("taken for dead")
            parts.dispatcher.taken_away()
            parts.dispatcher.put_back(self.line.register(), "server died")
        if not parts.database.sqlite:
            parts.dispatcher.put_back(self.line.bury_dead(self.settings.lease_seconds), "server died")
        parts.dispatcher.check_held()
        parts.jobs.refresh()
        parts.read_state()
        self._expire()

    def _look(self) -> None:
        parts = self.services
        self._tell_places()
        parts.hub.sweep()
        rows, most = parts.engines.rows
        parts.metrics.engine_rows.set(rows)
        self._count_engines()
        parts.metrics.occupancy.set(rows / most if most else 0)
        parts.metrics.queue_length.set(parts.jobs.queued())
        parts.metrics.followers.set(parts.hub.followers())

    def _count_engines(self) -> None:
        """Bring the counters of engines up to what there were."""
        engines, metrics = self.services.engines, self.services.metrics
        starts, ends = engines.starts, engines.ends
        metrics.engine_starts.inc(starts - self._starts_told)
        for reason, count in (ends - self._ends_told).items():
            metrics.engine_ends.labels(reason).inc(count)
        self._starts_told, self._ends_told = starts, ends

    def _tell_places(self) -> None:
        """Tell those who follow waiting drawings where they stand."""
        parts = self.services
        followed = parts.hub.followed()
        if not followed:
            return
        places = parts.jobs.places()
        for id in followed:
            if id in places:
                parts.hub.publish(id, "place", place_data(places[id]))

    def _expire(self) -> None:
        # By this server's own clock: set the wall clock an hour ahead, and the whole line would expire.
        clock = time.monotonic()
        self._waiting_since = {id: self._waiting_since.get(id, clock) for id in self.line.waiting()}
        limit = self.settings.queue_seconds
        old = [id for id, since in self._waiting_since.items() if clock - since > limit]
        for job in self.line.expire(old):
            self.services.dispatcher.cancelled(job)

    def _tidy(self) -> None:
        while self.line.forget(self.settings.retention_days):
            pass
        self.line.sweep(self.services.store)
        self._reload_policy()

    def _reload_policy(self) -> None:
        policy = self.services.policy
        # One at a time, so that each problem is said once.
        with self._rereading:
            before = policy.problem
            if policy.reload():
                _log.info("policy read again")
            elif policy.problem is not None and policy.problem is not before:
                _log.warning("policy kept as it was", problem=policy.problem.message)


def _accepted(metrics: Metrics, job: Job) -> None:
    metrics.accepted.labels(job.api).inc()
    # The log leaves the prompt out unless it is asked to keep it.
    _log.info("accepted", job=job.id, api=job.api, caller=job.caller, prompt=job.request.prompt)


def _policy(settings: Settings) -> Policy:
    from nonet.safety.model_reads import model_reader
    from nonet.safety.semantic import EmbeddedScenes

    reader = model_reader(settings.model)
    return Policy(
        file=settings.policy, scenes=EmbeddedScenes(), model_views=[reader] if reader is not None else []
    )
