"""Requests are counted by route, never by path, so that nobody can fill the memory with labels."""

from prometheus_client import CollectorRegistry, generate_latest

from perdure.api.metrics import Meters


def shown(registry: CollectorRegistry) -> str:
    """What a scrape shows."""
    return generate_latest(registry).decode()


def test_answers_are_counted_by_route_and_status() -> None:
    registry = CollectorRegistry()
    meters = Meters(registry)
    for status in (200, 200, 404):
        meters.answered("GET", "/runs/{run_id}", status, 0.01)
    told = shown(registry)
    assert (
        'perdure_http_requests_total{method="GET",route="/runs/{run_id}",status="200"} 2.0' in told
    )
    assert 'perdure_http_seconds_count{route="/runs/{run_id}"} 3.0' in told


def test_what_has_no_route_is_one_label() -> None:
    registry = CollectorRegistry()
    meters = Meters(registry)
    for method in ("GET", "BREW", "X" * 100):
        meters.answered(method, "", 404, 0.01)
    assert 'perdure_http_requests_total{method="other",route="none",status="404"} 3.0' in shown(
        registry
    )


def test_streams_are_counted_and_not_timed() -> None:
    registry = CollectorRegistry()
    Meters(registry).answered("GET", "/runs/{run_id}/ledger/stream", 200, 3_600)
    assert "perdure_http_seconds_count{" not in shown(registry)
