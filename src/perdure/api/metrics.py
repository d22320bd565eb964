"""What is counted of requests, for whoever watches the server."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
STREAM: Final = "/ledger/stream"  # how long it lasts says nothing


class Meters:
    """Counters of one application, in its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Count in `registry`."""
        self._requests = Counter(
            "perdure_http_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )  # fmt: skip
        self._seconds = Histogram(
            "perdure_http_seconds", "Time to answer, streams left out", ("route",), registry=registry,
            buckets=BUCKETS_S,
        )  # fmt: skip
        self.streams = Gauge("perdure_http_streams", "Streams that are open", registry=registry)
        self._kept: dict[tuple[str, str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. A path that no route has is counted as none, so that labels stay few."""
        named = method if route else "other"
        key = (named, route or "none", status)
        counter = self._kept.get(key)
        if counter is None:
            counter = self._kept[key] = self._requests.labels(named, route or "none", str(status))
        counter.inc()
        if route and not route.endswith(STREAM):
            timed = self._timed.get(route)
            if timed is None:
                timed = self._timed[route] = self._seconds.labels(route)
            timed.observe(seconds)
