"""What the site measures of itself, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters, gauges and histograms of one server, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.queue_length = Gauge("nonet_queue_length", "Drawings that wait.", registry=registry)
        self.drawing = Gauge("nonet_drawing", "Drawings that are being drawn here.", registry=registry)
        self.followers = Gauge("nonet_followers", "Open event streams.", registry=registry)
        self.ready = Gauge("nonet_ready", "1 if drawings can be drawn now.", registry=registry)
        self.accepted = Counter("nonet_accepted", "Drawings accepted.", ["api"], registry=registry)
        self.ended = Counter("nonet_ended", "Drawings that ended.", ["state", "code"], registry=registry)
        self.pictures = Counter("nonet_pictures", "Pictures drawn.", registry=registry)
        self.tokens = Counter("nonet_tokens", "Image tokens drawn.", registry=registry)
        self.retaken = Counter(
            "nonet_retaken", "Drawings that went back into the line.", ["reason"], registry=registry
        )
        self.refusals = Counter(
            "nonet_refusals", "Prompts refused by the policy.", ["category"], registry=registry
        )
        self.turned_away = Counter(
            "nonet_turned_away", "Drawings refused for want of room.", ["code"], registry=registry
        )
        self.engine_starts = Counter("nonet_engine_starts", "Engines started.", registry=registry)
        self.engine_ends = Counter("nonet_engine_ends", "Engines that ended.", ["reason"], registry=registry)
        self.engine_rows = Gauge("nonet_batch_rows", "Rows in the engine's batch.", registry=registry)
        self.occupancy = Gauge(
            "nonet_batch_occupancy",
            "Rows in the engine's batch over the most there may be.",
            registry=registry,
        )
        self.wait = Histogram(
            "nonet_wait_seconds", "From accepted to begun.", buckets=_SECONDS, registry=registry
        )
        self.seconds = Histogram(
            "nonet_drawing_seconds", "From begun to drawn.", buckets=_SECONDS, registry=registry
        )
        self.eta_error = Histogram(
            "nonet_eta_error_seconds",
            "How far the time that was told at acceptance was from the truth.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.eta_bias = Gauge(
            "nonet_eta_bias_seconds",
            "The last such error with its sign: above 0 it took longer.",
            registry=registry,
        )
        self.http = Histogram(
            "nonet_http_seconds",
            "Time to the end of an answer; of streams to its beginning.",
            ["method", "route", "status"],
            buckets=_FAST,
            registry=registry,
        )
        self.loop_lag = Histogram(
            "nonet_loop_lag_seconds", "How late the event loop runs.", buckets=_FAST, registry=registry
        )
        self.store_seconds = Histogram(
            "nonet_store_seconds", "Writing one picture.", buckets=_FAST, registry=registry
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
