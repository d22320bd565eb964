"""Many readers at once: how long after its commit a record is at a reader."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.beside_restate import free_ports
from tests.bench.figures import ROOT, Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import TOKEN

SECTION = "Commit to client, over HTTP streams"
READERS, FEW = 500, 20
STEPS_A_SECOND = 10.0  # of one run that all read; each step is two records in one commit
STEPS_A_SECOND_ALL = 100.0  # of as many runs as readers, together
SLACK_S = 90.0


@dataclass(frozen=True, slots=True)
class Host:
    """A server with runs of the bench's own making."""

    program: "subprocess.Popen[str]"
    port: int
    run_ids: list[str]

    def ended(self) -> dict[str, float]:
        """End it: when each record was on disk, by run and number."""
        said, _ = self.program.communicate("end\n", timeout=SLACK_S)
        answer: dict[str, float] = json.loads(said.splitlines()[-1])
        return answer


@contextmanager
def host(bench: Bench, *options: str) -> Iterator[Host]:
    """Such a server, for as long as the block lasts."""
    with TemporaryDirectory(dir=bench.scratch) as name:
        (port,) = free_ports(1)
        given = ["--port", str(port), "--folder", str(Path(name) / "data"), *options]
        env = {"PATH": os.environ["PATH"], "HOME": name, "PERDURE_AUTH_TOKEN": TOKEN}
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.host", *given],
            cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            if not line:
                raise Unavailable("the server did not start")
            yield Host(program, port, json.loads(line))
        finally:
            program.kill()
            program.wait()


def read(port: int, run_ids: Sequence[str], seconds: float) -> dict[str, Any]:
    """One process with a reader for each of these."""
    command = [sys.executable, "-m", "tests.bench.readers", "--port", str(port)]
    ran = subprocess.run(
        [*command, "--seconds", str(seconds)], input=json.dumps(run_ids) + "\n", cwd=ROOT,
        capture_output=True, text=True, timeout=seconds + SLACK_S,
    )  # fmt: skip
    if ran.returncode:
        raise Unavailable(ran.stderr[-300:])
    answer: dict[str, Any] = json.loads(ran.stdout)
    if answer["failed"]:
        raise Unavailable(str(answer["failed"]))
    return answer


def lateness(came: dict[str, Any], at: dict[str, float]) -> list[float]:
    """How late each record was at each reader. Raises `Unavailable` where one has a gap."""
    late = []
    for run_id, records in came["came"]:
        seqs = [seq for seq, _ in records]
        if seqs and seqs != list(range(seqs[0], seqs[0] + len(seqs))):
            raise Unavailable(f"a reader of {run_id} has a gap or a repeat")
        late += [moment - at[f"{run_id}:{seq}"] for seq, moment in records]
    return late


def figures(bench: Bench, name: str, readers: int, runs: int) -> list[Figure]:
    """p50, p95 and p99 of so many readers spread over so many runs."""
    rate = STEPS_A_SECOND if runs == 1 else STEPS_A_SECOND_ALL
    seconds = max(bench.seconds, 2.0 if bench.small else 5.0)
    with host(bench, "--runs", str(runs), "--every", str(runs / rate)) as it:
        came = read(it.port, (it.run_ids * readers)[:readers], seconds)
        late = lateness(came, it.ended())
    points = quantiles(late, n=100)
    note = f"{len(late) / (came['end'] - came['begin']):,.0f} records a second at all readers"
    marks = (("p50", 49, note), ("p95", 94, ""), ("p99", 98, ""))
    return [
        Figure(SECTION, f"{name}, {mark}", points[it] * 1e3, "ms", note=text)
        for mark, it, text in marks
    ]


def measure(bench: Bench) -> list[Figure]:
    """All at one run, then each at its own."""
    count = FEW if bench.small else READERS
    seen: list[Figure] = []
    for name, runs in (
        (f"{count} readers of one run", 1),
        (f"{count} runs with a reader each", count),
    ):
        try:
            seen += figures(bench, name, count, runs)
        except (Unavailable, subprocess.TimeoutExpired) as why:
            seen.append(not_measured(SECTION, name, why))
    return seen
