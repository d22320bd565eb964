"""Runs that sleep: what they cost while they do, and how late they wake when all are due at once."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

from tests.bench.beside_restate import TIMERS
from tests.bench.figures import ROOT, Bench, Figure, Unavailable, not_measured
from tests.bench.idle import Usage, idle_share, usage_of
from tests.bench.programs import answer_of

SECTION = "Runs that sleep"
PROGRAM = (sys.executable, "-m", "tests.bench.sleeping")
MANY, FEW = 100_000, 2_000
SETTLE_S = 2.0
IDLE_S = 25.0  # longer than the runner takes from one look at its store to the next
MAKE_S, RING_S = 300.0, 300.0


def held(folder: Path, seconds: float) -> tuple[Usage, float]:
    """What a process holds that has this plane open, and its share of a core while nothing is due."""
    command = [*PROGRAM, "hold", "--folder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            if not program.stdout.readline():
                raise Unavailable("the plane did not open")
            sleep(SETTLE_S)
            share = idle_share(program.pid, seconds)
            return usage_of(program.pid), share
        finally:
            program.kill()


def asleep(bench: Bench, count: int) -> list[Figure]:
    """Idle CPU and memory with so many runs asleep, beside the same process with none."""
    with TemporaryDirectory(dir=bench.scratch) as name:
        full, empty = Path(name) / "full", Path(name) / "empty"
        # Both are there before, so that neither of the two that are looked at lays tables out.
        for folder, runs in ((full, count), (empty, 0)):
            made = ["make", "--runs", str(runs), "--folder", str(folder)]
            answer_of([*PROGRAM, *made], MAKE_S)
        seconds = max(bench.seconds, 1.0 if bench.small else IDLE_S)
        some, share = held(full, seconds)
        none, idle = held(empty, seconds)
        disk = (full / "plane.db").stat().st_size
    more = some.resident - none.resident
    beside, mib = "the same with no runs", 2**20
    return [
        Figure(SECTION, f"{count:,} asleep, CPU", share, "% of a core", note=f"with none {idle:.3g} %"),
        Figure(SECTION, f"{count:,} asleep, memory", some.resident / mib, "MiB", beside,
               some.resident / none.resident),
        Figure(SECTION, f"{count:,} asleep, memory of a run", more / count, "bytes"),
        Figure(SECTION, f"{count:,} asleep, disk of a run", disk / count, "bytes"),
    ]  # fmt: skip


def woken(bench: Bench, count: int, ahead: float) -> list[Figure]:
    """How late so many are that are due at one instant."""
    with TemporaryDirectory(dir=bench.scratch) as name:
        folder = Path(name) / "plane"
        given = ["--runs", str(count), "--ahead", str(ahead), "--folder", str(folder)]
        late = answer_of([*PROGRAM, "ring", *given], RING_S)
    if late["spare"] < 0 or late["woke"] < count:
        raise Unavailable(f"{late['woke']} woke; all slept {late['spare']:.1f} s before the time")
    beside = f"Restate, {count:,} delayed calls, p99 late"
    other = bench.value_of(TIMERS, beside)
    ratio = late["p99"] / other if other else None
    name = f"Perdure, {count:,} sleeping runs, p99 late"
    note = f"p50 {late['p50']:.2f} s; until the next record is on disk"
    return [Figure(TIMERS, name, late["p99"], "s", beside if other else "", ratio, note=note)]


def measure(bench: Bench) -> list[Figure]:
    """Waking, then sleeping."""
    figures: list[Figure] = []
    counts = ((1_000, 10.0),) if bench.small else ((1_000, 10.0), (10_000, 45.0))
    try:
        for count, ahead in counts:
            figures += woken(bench, count, ahead)
    except Unavailable as why:
        figures.append(not_measured(TIMERS, "Perdure", why))
    try:
        return [*figures, *asleep(bench, FEW if bench.small else MANY)]
    except Unavailable as why:
        return [*figures, not_measured(SECTION, "asleep", why)]
