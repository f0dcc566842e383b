"""What Prometheus reads: requests, and the state of the library."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from audiosearch.results import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# From a remembered query to a long upload; in seconds.
_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)


class Metrics:
    """The counts of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "audiosearch_requests",
            "Requests served.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "audiosearch_request_seconds",
            "From a request's arrival to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._sizes = {
            name: Gauge(f"audiosearch_{name}", meaning, registry=registry)
            for name, meaning in (
                ("sounds", "Sounds that can be found."),
                ("windows", "Windows that can be found."),
                ("failed", "Files without embedding."),
                ("generation", "Rises with each change of the library."),
            )
        }
        self._in_hand = Gauge(
            "audiosearch_requests_in_hand",
            "Requests that were let in and are not answered, by what they may wait for.",
            ["lane"],
            registry=registry,
        )
        self._jobs = Gauge("audiosearch_jobs", "Jobs by state.", ["state"], registry=registry)

    def served(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = method if method in ("GET", "HEAD", "POST", "PATCH", "DELETE") else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, status: Status, jobs: dict[str, int], in_hand: dict[str, int]) -> bytes:
        """All of it, in the text format of Prometheus."""
        for name, gauge in self._sizes.items():
            gauge.set(getattr(status, name))
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)
        for lane, count in in_hand.items():
            self._in_hand.labels(lane).set(count)
        return generate_latest(self._registry)
