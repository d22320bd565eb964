"""What a Python program costs that does nothing: beside it stands what the product costs while all its runs sleep."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import NamedTuple

from tests.bench.figures import Bench, Figure

SECTION = "An idle process"
NAME = "an empty asyncio program"
PROGRAM = "import asyncio; print('up', flush=True); asyncio.run(asyncio.Event().wait())"
STARTS = 5
SETTLE_S = 0.5


class Usage(NamedTuple):
    """What a process holds and has spent."""

    resident: int  # bytes
    cpu: float  # seconds


def usage_of(pid: int) -> Usage:
    """What the process `pid` holds and has spent until now, without its children."""
    # The command stands in brackets and may hold anything; what counts comes after it.
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(numbers[11]) + int(numbers[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))


def idle_share(pid: int, seconds: float) -> float:
    """How much of one core the process takes while nothing is asked of it, in percent."""
    before = usage_of(pid).cpu
    sleep(seconds)
    return (usage_of(pid).cpu - before) / seconds * 100


@contextmanager
def empty_program() -> Iterator[tuple[int, float]]:
    """The empty program while it runs: its id, and how long it took to come up, in seconds."""
    begin, command = perf_counter(), [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            program.stdout.readline()
            yield program.pid, perf_counter() - begin
        finally:
            program.kill()


def start() -> float:
    """How long one start of the empty program takes, in seconds."""
    with empty_program() as (_, took):
        return took


def measure(bench: Bench) -> list[Figure]:
    """Start, memory and idle CPU of the empty program."""
    starts = [start() for _ in range(STARTS)]
    with empty_program() as (pid, _):
        sleep(SETTLE_S)
        share, resident = idle_share(pid, bench.seconds), usage_of(pid).resident
    spread = (min(starts) * 1e3, max(starts) * 1e3)
    return [
        Figure(SECTION, f"{NAME}, start", median(starts) * 1e3, "ms", spread=spread),
        Figure(SECTION, f"{NAME}, memory", resident / 2**20, "MiB"),
        Figure(SECTION, f"{NAME}, CPU", share, "% of a core"),
    ]
