"""The product as people run it: `perdure serve` in a process of its own, over HTTP."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from urllib.error import URLError
from urllib.request import Request, urlopen

from perdure.bundles.codec import pack_bundle
from perdure.bundles.manifest import Entrypoint, Manifest
from tests.bench.beside_restate import free_ports
from tests.bench.figures import ROOT, Bench, Unavailable
from tests.support.drawing import a_flow, a_node, a_start, an_end

API = "/api/gateway"
TOKEN = "the-token-of-the-bench"  # of a server that lives for one measurement
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
START_S, STOP_S = 30.0, 15.0
BOUNDARY = "bench-boundary"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A server under way."""

    port: int
    pid: int
    up_after: float  # seconds from the start of the process to the first 200


def environment(folder: Path, port: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Only what the server needs, so that nothing of this shell reaches it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PERDURE_DATA_DIR": str(folder / "data"),
        "PERDURE_PORT": str(port),
        "PERDURE_AUTH_TOKEN": TOKEN,
        "PERDURE_EMBEDDED_MODEL": "false",
        "PERDURE_LOG_LEVEL": "warning",
        **(more or {}),
    }


@contextmanager
def gateway(
    bench: Bench, folder: Path | None = None, more: Mapping[str, str] | None = None
) -> Iterator[Gateway]:
    """A server on an empty data directory, or on the one in `folder`, with `more` settings."""
    with TemporaryDirectory(dir=bench.scratch) as name:
        (port,), home = free_ports(1), folder or Path(name)
        command = [str(Path(sys.executable).with_name("perdure")), "serve"]
        begin = perf_counter()
        with (home / "log").open("ab") as log:
            program = subprocess.Popen(
                command, cwd=ROOT, env=environment(home, port, more), stdout=log, stderr=log
            )
        try:
            until_healthy(program, port, home / "log")
            yield Gateway(port, program.pid, perf_counter() - begin)
        finally:
            program.terminate()
            program.wait(STOP_S)


def until_healthy(program: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Ask until it answers; the moment of the first 200 is the moment of the return."""
    give_up = perf_counter() + START_S
    while perf_counter() < give_up and program.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (URLError, OSError):
            sleep(0.005)
    raise Unavailable(f"perdure serve did not start: {log.read_text()[-300:]}")


def bundle(effects: int) -> bytes:
    """A flow that tells a person something so many times, packed: each is one durable effect."""
    tell = a_node("answer_user", "message", defaults={"message": "It is done."})
    between = {f"tell-{it}": tell for it in range(effects)}
    nodes = {"start": a_start(), **between, "end": an_end()}
    name = flow_id(effects)
    flow = a_flow(nodes, " -> ".join(nodes), id=name)
    entries = (Entrypoint(name, name),)
    manifest = Manifest("bench", f"1.0.{effects}", entries, {name: f"flows/{name}.json"}, name)
    return pack_bundle(manifest, {name: flow}, {})


def flow_id(effects: int) -> str:
    """The name of that flow."""
    return f"effects-{effects}"


def installed(port: int, effects: int) -> None:
    """Upload that bundle."""
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.flow"\r\n\r\n'
    body = head.encode() + bundle(effects) + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    url = f"http://127.0.0.1:{port}{API}/bundles/upload"
    with urlopen(Request(url, body, {**AUTHORIZED, **kind}), timeout=30):  # loopback
        pass
