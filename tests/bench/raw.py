"""The limits of this machine: the disk, SQLite alone, and the bare loop that writes the product's rows."""

import os
import sys
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryFile
from time import perf_counter

from tests.bench.figures import Bench, Figure, Unavailable
from tests.bench.programs import answer_of
from tests.bench.race import Contestant

SECTION = "Limits of the machine"
BLOCK = bytes(4096)
SYNC = "fdatasync after each 4 KiB appended"
SQLITE = "bare loop, SQLite"
POSTGRES = "bare loop, Postgres"
SLACK_S = 60.0  # for starting, laying tables out, closing
MANY = 50  # from here a second connection to Postgres gains


def syncs(folder: Path, seconds: float) -> list[float]:
    """How long each append took to reach the disk, in seconds."""
    took: list[float] = []
    with TemporaryFile(dir=folder, buffering=0) as file:
        end = perf_counter() + seconds
        while (begin := perf_counter()) < end:
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            took.append(perf_counter() - begin)
    return took


def bare(*options: str, runs: int, seconds: float, folder: Path) -> float:
    """Steps per second of one bare program."""
    program = [sys.executable, "-m", "tests.bench.bare", *options]
    given = ["--runs", str(runs), "--seconds", str(seconds), "--folder", str(folder)]
    rate: float = answer_of([*program, *given], seconds + SLACK_S)["rate"]
    return rate


def measure(bench: Bench) -> list[Figure]:
    """What the disk gives to one writer that waits for it each time, and SQLite on top of that."""
    took = syncs(bench.scratch, bench.seconds)
    middle, last = (quantiles(took, n=100)[it] * 1e6 for it in (49, 98))
    disk = len(took) / sum(took)
    alone = bare(
        "--sink", "sqlite3", "--alone", runs=1, seconds=bench.seconds, folder=bench.scratch
    )
    note = f"p50 {middle:.0f} µs, p99 {last:.0f} µs"
    name = "SQLite, WAL, synchronous=FULL, one effect-step a transaction, no loop"
    return [
        Figure(SECTION, SYNC, disk, "/s", note=note),
        Figure(SECTION, name, alone, "steps/s", SYNC, alone / disk),
    ]


def contestants(bench: Bench, dsn: str | None) -> list[Contestant]:
    """The bare loops: with both SQLite drivers, and on Postgres."""

    def sqlite(driver: str) -> Contestant:
        def rate(runs: int, seconds: float) -> float:
            return bare("--sink", driver, runs=runs, seconds=seconds, folder=bench.scratch)

        return Contestant(f"{SQLITE} ({driver})", rate)

    def on_postgres(runs: int, seconds: float) -> float:
        if dsn is None:
            raise Unavailable("there is no Postgres")
        given = ("--sink", "postgres", "--dsn", dsn, "--writers", str(1 + (runs >= MANY)))
        return bare(*given, runs=runs, seconds=seconds, folder=bench.scratch)

    return [sqlite("sqlite3"), sqlite("pysqlite3"), Contestant(POSTGRES, on_postgres)]
