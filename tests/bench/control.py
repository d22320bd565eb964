"""How soon a cancel is acknowledged and committed, and what code that never ends does to everybody else; over HTTP."""

import json
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from itertools import count
from statistics import quantiles
from threading import Event, Thread
from time import perf_counter
from typing import Any

from perdure.bundles.codec import pack_bundle
from perdure.bundles.manifest import Entrypoint, Manifest
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import API, AUTHORIZED, BOUNDARY, Gateway, gateway
from tests.support.drawing import a_flow, a_node, a_start, an_end

SECTION = "Runs under control"
CANCELS, CALLS, FEW = 300, 60, 40
ROUNDS, FEW_ROUNDS = 12, 2
AT_ONCE = 4  # runs whose code never ends; two of them have a turn
ENDLESS = "def transform(given):\n    while True:\n        pass\n"
_numbers = count()


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        """Speak to the gateway at this port of the machine."""
        self._http = HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What it answers; raises `Unavailable` for a problem."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"content-type": "application/json", **AUTHORIZED, **headers}
        self._http.request(method, f"{API}{path}", None if body is None else raw, kind)
        answer = self._http.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise Unavailable(f"{method} {path}: {answer.status} {told[:200]!r}")
        return json.loads(told)


def install(client: Client) -> None:
    """Install a flow that waits for a person, and one whose code never ends."""
    wait = {"start": a_start(), "ask": a_node("ask_user", "prompt"), "end": an_end()}
    loop = {"start": a_start(), "code": a_node("code", code=ENDLESS), "end": an_end()}
    flows = {
        "waits": a_flow(wait, "start -> ask -> end", id="waits"),
        "loops": a_flow(loop, "start -> code -> end", id="loops"),
    }
    entries = tuple(Entrypoint(name, name) for name in flows)
    paths = {name: f"flows/{name}.json" for name in flows}
    packed = pack_bundle(Manifest("control", "1.0.0", entries, paths, "waits"), flows, {})
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="b.flow"\r\n\r\n'
    body = head.encode() + packed + f"\r\n--{BOUNDARY}--\r\n".encode()
    form = f"multipart/form-data; boundary={BOUNDARY}"
    client.ask("POST", "/bundles/upload", body, **{"content-type": form})


def started(client: Client, flow: str) -> str:
    """A new run of a flow."""
    body = {"bundle_id": "control", "flow_id": flow, "input_data": {}}
    return str(client.ask("POST", "/runs/start", body)["run_id"])


def status_of(client: Client, run_id: str) -> str:
    """How a run stands."""
    return str(client.ask("GET", f"/runs/{run_id}")["status"])


def cancel(client: Client, run_id: str) -> None:
    """Ask for a cancel."""
    command = {
        "command_id": f"c{next(_numbers)}",
        "run_id": run_id,
        "type": "cancel",
        "payload": {},
    }
    client.ask("POST", "/commands", command)


def p95(times: list[float]) -> float:
    """The time that 95 of 100 stay below."""
    return quantiles(times, n=20)[-1]


def timed(act: Callable[[], object], times: int) -> list[float]:
    """How long an act takes, again and again."""
    took = []
    for _ in range(times):
        begin = perf_counter()
        act()
        took.append(perf_counter() - begin)
    return took


def cancels(it: Gateway, times: int) -> list[Figure]:
    """Cancels of waiting runs: acknowledged, and then seen to be committed."""
    client, acknowledged, fenced = Client(it.port), [], []
    for run_id in [started(client, "waits") for _ in range(times)]:
        begin = perf_counter()
        cancel(client, run_id)
        acknowledged.append(perf_counter() - begin)
        while status_of(client, run_id) != "cancelled":
            pass
        fenced.append(perf_counter() - begin)
    return [
        Figure(SECTION, "a cancel is acknowledged, p95", p95(acknowledged) * 1e3, "ms", "200 ms", p95(acknowledged) / 0.2),
        Figure(SECTION, "and its fence is seen, p95", p95(fenced) * 1e3, "ms"),
    ]  # fmt: skip


def beside_code(it: Gateway, times: int, rounds: int) -> list[Figure]:
    """Starts of runs and reads of lists, alone and while code never ends."""
    client, over = Client(it.port), Event()
    ran: list[bool] = []

    def both() -> None:
        started(client, "waits")
        client.ask("GET", "/runs?limit=20")

    def keep_busy() -> None:
        busy = Client(it.port)
        while not over.is_set():
            run_ids = [started(busy, "loops") for _ in range(AT_ONCE)]
            over.wait(5)
            ran.append(all(status_of(busy, it) == "running" for it in run_ids))
            for run_id in run_ids:
                with suppress(Unavailable):  # its bound has ended it already
                    cancel(busy, run_id)

    timed(both, FEW)
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(rounds):  # in turns, since the machine's speed drifts
        over.clear()
        alone += timed(both, times)
        busy = Thread(target=keep_busy)
        busy.start()
        over.wait(2)
        beside += timed(both, times)
        over.set()
        busy.join()
    if not all(ran):
        raise Unavailable("code that never ends ended")
    name = "a start and a list of runs, p95, alone"
    return [
        Figure(SECTION, name, p95(alone) * 1e3, "ms"),
        Figure(SECTION, "a start and a list of runs, p95, while code never ends", p95(beside) * 1e3, "ms", name,
               p95(beside) / p95(alone), note="two pieces of code at once, on half of the processors"),
    ]  # fmt: skip


def measure(bench: Bench) -> list[Figure]:
    """One gateway on SQLite."""
    try:
        with gateway(bench) as it:
            install(Client(it.port))
            if bench.small:
                return cancels(it, FEW) + beside_code(it, FEW, FEW_ROUNDS)
            return cancels(it, CANCELS) + beside_code(it, CALLS, ROUNDS)
    except (Unavailable, OSError) as why:
        return [not_measured(SECTION, "runs under control", why)]
