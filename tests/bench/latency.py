"""The product over HTTP: how long a short run takes from its start to its end, and how many steps a second."""

import asyncio
import json
from statistics import quantiles
from time import perf_counter

import uvloop

from tests.bench.beside_restate import AS_IT_COMES, EFFECTS, TUNED, WARM_UP, Spans
from tests.bench.beside_restate import LATENCY as SECTION
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import API, AUTHORIZED, flow_id, gateway, installed
from tests.bench.race import Contestant, done_within
from tests.bench.wire import Line

NAME = "Perdure, 10-effect runs over HTTP"


async def one_run(line: Line, body: bytes) -> bytes:
    """Start a run and read its ledger as a stream, which ends when the run has ended."""
    run_id = json.loads(await line.post(f"{API}/runs/start", body))["run_id"]
    return await line.get(f"{API}/runs/{run_id}/ledger/stream?after=0")


async def loaded(port: int, runs: int, effects: int, seconds: float) -> tuple[float, Spans]:
    """Let so many clients start runs one after the other: steps per second, and when each run went."""
    body = json.dumps({"bundle_id": f"bench@1.0.{effects}", "flow_id": flow_id(effects)}).encode()
    begin = perf_counter() + WARM_UP
    end = begin + seconds
    spans: Spans = []

    async def client() -> None:
        async with Line(port, AUTHORIZED) as line:
            while (now := perf_counter()) < end:
                told = await one_run(line, body)
                spans.append((now, perf_counter()))
                if told.count(b'"status":"completed"') <= effects:
                    raise Unavailable(f"a run did not end well: {told[-300:]!r}")

    await asyncio.gather(*(client() for _ in range(runs)))
    return done_within(begin, end, spans) * effects / seconds, spans


def contestants(bench: Bench, _dsn: str | None) -> list[Contestant]:
    """The product on SQLite, behind HTTP as Restate is."""

    def rate(runs: int, seconds: float) -> float:
        with gateway(bench) as it:
            installed(it.port, EFFECTS)
            return uvloop.run(loaded(it.port, runs, EFFECTS, seconds))[0]

    return [Contestant(NAME, rate, (AS_IT_COMES, TUNED))]


def measure(bench: Bench) -> list[Figure]:
    """One client, one effect a run, beside Restate's."""
    try:
        with gateway(bench) as it:
            installed(it.port, 1)
            _, spans = uvloop.run(loaded(it.port, 1, 1, bench.seconds * 2))
    except Unavailable as why:
        return [not_measured(SECTION, "Perdure", why)]
    took = [after - before for before, after in spans]
    points = quantiles(took, n=100)
    lines = (("p50", points[49] * 1e3, f"{len(took)} runs"), ("p99", points[98] * 1e3, ""))
    return [line_of(bench, name, value, note) for name, value, note in lines]


def line_of(bench: Bench, name: str, value: float, note: str) -> Figure:
    """A line beside Restate's of the same name; a start and a stream are two requests, Restate's is one."""
    other = bench.value_of(SECTION, f"Restate, {name}")
    ratio = None if other is None else value / other
    beside = "" if other is None else f"Restate, {name}"
    return Figure(SECTION, f"Perdure, {name}", value, "ms", beside, ratio, note=note)
