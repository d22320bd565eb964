"""Restate: its server and a Python service on loopback ports of our choice, and the load that is put on them."""

import asyncio
import json
import socket
import subprocess
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep, time
from typing import Any

import uvloop

from tests.bench.environment import python, restate_server
from tests.bench.figures import ROOT, Bench, Figure, Unavailable, not_measured
from tests.bench.race import Contestant, done_within
from tests.bench.wire import Line, Refused

NAME = "Restate, 10-effect runs over HTTP"
FEW_PARTITIONS = 4  # it comes with 24; fewer do better on few cores
AS_IT_COMES, TUNED = f"{NAME}, as it comes", f"{NAME}, with {FEW_PARTITIONS} partitions"
LATENCY = "One-effect run over HTTP, start to finish"
TIMERS = "Timers due at the same instant"
APP = "tests.bench.peer_restate:app"
EFFECTS = 10
WARM_UP = 1.0  # seconds that are not counted
START_S, STOP_S = 30.0, 10.0
SENDERS = 50
RING_S = 120.0  # how long the last timer may take


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return [it.getsockname()[1] for it in sockets]


@contextmanager
def running(
    folder: Path, *command: str | Path, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A program that lives as long as the block."""
    with (folder / "log").open("ab") as log:
        program = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        yield
    finally:
        program.terminate()
        try:
            program.wait(STOP_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait(STOP_S)


async def registered(admin: int, service: int) -> None:
    """Tell the server where the service is, as soon as both are up."""
    body = json.dumps({"uri": f"http://127.0.0.1:{service}"}).encode()
    async with Line(admin) as line:
        await line.post("/deployments", body)


async def reachable(ingress: int) -> None:
    """Make one run, to see that all three work together."""
    async with Line(ingress) as line:
        await asyncio.wait_for(line.post("/bench/run", b"1"), 10)


def awaited(make: Coroutine[Any, Any, None]) -> bool:
    """True if it went well."""
    try:
        uvloop.run(make)
    except (OSError, Refused, TimeoutError, asyncio.IncompleteReadError):
        return False
    return True


@contextmanager
def restate(bench: Bench, partitions: int | None = None) -> Iterator[int]:
    """Server and service, both fresh; gives the port that takes requests."""
    binary, interpreter = restate_server(bench), python(bench)
    fabric, ingress, admin, service = free_ports(4)
    env = {
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_BIND_PORT": str(fabric),
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
        "RESTATE_LOG_FILTER": "error",
    }
    if partitions:
        env["RESTATE_DEFAULT_NUM_PARTITIONS"] = str(partitions)
    server = ("--no-logo", "--node-name", "bench", "--base-dir")
    app = ("-m", "hypercorn", "-k", "uvloop", "-b", f"127.0.0.1:{service}", APP)
    with TemporaryDirectory(dir=bench.scratch) as name, ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(running(folder, binary, *server, folder / "data", env=env))
        stack.enter_context(running(folder, interpreter, *app))
        give_up = perf_counter() + START_S
        while not (awaited(registered(admin, service)) and awaited(reachable(ingress))):
            if perf_counter() > give_up:
                raise Unavailable(f"it did not start: {(folder / 'log').read_text()[-300:]}")
            sleep(0.2)
        yield ingress


Spans = list[tuple[float, float]]


async def loaded(port: int, runs: int, effects: int, seconds: float) -> tuple[float, Spans]:
    """Let so many clients start runs one after the other: steps per second, and when each run went."""
    begin = perf_counter() + WARM_UP
    end = begin + seconds
    spans: Spans = []

    async def client() -> None:
        async with Line(port) as line:
            while (now := perf_counter()) < end:
                await line.post("/bench/run", str(effects).encode())
                spans.append((now, perf_counter()))

    await asyncio.gather(*(client() for _ in range(runs)))
    return done_within(begin, end, spans) * effects / seconds, spans


def contestants(bench: Bench, _dsn: str | None) -> list[Contestant]:
    """Restate as it comes, and set up for few cores. It brings its own storage, which it syncs."""

    def named(name: str, partitions: int | None) -> Contestant:
        def rate(runs: int, seconds: float) -> float:
            with restate(bench, partitions) as port:
                return uvloop.run(loaded(port, runs, EFFECTS, seconds))[0]

        return Contestant(name, rate)

    return [named(AS_IT_COMES, None), named(TUNED, FEW_PARTITIONS)]


def latency(bench: Bench) -> list[Figure]:
    """One client, one effect a run."""
    with restate(bench) as port:
        _, spans = uvloop.run(loaded(port, 1, 1, bench.seconds * 2))
    took = [after - before for before, after in spans]
    points = quantiles(took, n=100)
    return [
        Figure(LATENCY, "Restate, p50", points[49] * 1e3, "ms", note=f"{len(took)} runs"),
        Figure(LATENCY, "Restate, p99", points[98] * 1e3, "ms"),
    ]


async def rung(port: int, count: int, ahead: float) -> list[float]:
    """Send calls that are due at one instant, and give how late each was made, in order."""
    due, waiting = time() + ahead, iter(range(count))

    async def sender() -> None:
        async with Line(port) as line:
            for _ in waiting:
                delay = max(0, int((due - time()) * 1000))
                await line.post(f"/bench/ring/send?delay={delay}ms", str(due).encode())

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    if time() > due:
        raise Unavailable(f"sending {count} calls took longer than {ahead:.0f} s")
    late: list[float] = []
    await asyncio.sleep(due - time())
    async with Line(port) as line:
        while len(late) < count and time() < due + RING_S:
            await asyncio.sleep(1)
            late = json.loads(await line.post("/bench/lateness", str(count).encode()))
    if len(late) < count:
        raise Unavailable(f"{count - len(late)} of {count} calls were not made in {RING_S:.0f} s")
    return sorted(late)


def timers(bench: Bench, count: int, ahead: float) -> list[Figure]:
    """Delayed calls, which is Restate's cheapest timer: a row, and no open invocation."""
    with restate(bench) as port:
        late = uvloop.run(rung(port, count, ahead))
    points = quantiles(late, n=100)
    name, note = f"Restate, {count:,} delayed calls, p99 late", f"p50 {points[49]:.2f} s"
    return [Figure(TIMERS, name, points[98], "s", note=note)]


def measure(bench: Bench) -> list[Figure]:
    """What stands beside the product outside of the race; without Restate the table says why."""
    try:
        return [*latency(bench), *timers(bench, 1_000, 8.0), *timers(bench, 10_000, 30.0)]
    except Unavailable as why:
        return [not_measured(LATENCY, "Restate", why), not_measured(TIMERS, "Restate", why)]
