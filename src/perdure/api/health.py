"""`/api/health`, `/healthz`, `/readyz`, `/metrics`: how the server is."""

from prometheus_client import generate_latest
from starlette.responses import PlainTextResponse, Response

from perdure.api.deps import Collaborating, require
from perdure.api.routing import answers, json_of, refusals, resource
from perdure.api.schemas import health as shown

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = resource("health", "")


@router.get("/api/health", dependencies=[require("health:read")], responses=answers(shown.Health))
async def read_health() -> Response:
    """Say that the process answers."""
    return json_of({"status": "healthy", "service": shown.SERVICE})


@router.get("/healthz", dependencies=[require("health:read")], responses=answers(shown.Alive))
async def read_liveness() -> Response:
    """Say that the process answers."""
    return json_of({"status": "ok"})


@router.get("/readyz", dependencies=[require("health:read")], responses=answers(shown.Alive))
async def read_readiness(collaborators: Collaborating) -> Response:
    """Say that the process can do its work; 503 says why it cannot."""
    for ready in collaborators.ready:
        await ready()
    return json_of({"status": "ready"})


@router.get(
    "/metrics",
    dependencies=[require("metrics:read")],
    responses=refusals(),
    response_class=PlainTextResponse,
)
async def read_metrics(collaborators: Collaborating) -> Response:
    """Give the metrics, as Prometheus reads them."""
    return Response(generate_latest(collaborators.metrics), headers={"content-type": METRICS_TYPE})
