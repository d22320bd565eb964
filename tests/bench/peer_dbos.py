"""DBOS at the same work: workflows of steps that do nothing. Run as a program, in the bench's own environment."""

import argparse
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from dbos import DBOS

STEPS = 100  # in a workflow, so that beginning one weighs little
WARM_UP = 0.5  # seconds that are not counted


def echo(number: int) -> int:
    """Do nothing; DBOS keeps the outcome before the next step begins."""
    return number


def steps(begin: float, end: float) -> int:
    """Make steps until the time is over, and say how many were made after `begin`."""
    counted = 0
    for number in range(STEPS):
        step(number)
        now = time.perf_counter()
        counted += now >= begin
        if now >= end:
            break
    return counted


step = DBOS.step(name="echo")(echo)
workflow = DBOS.workflow(name="steps")(steps)


def rate_of(runs: int, seconds: float) -> float:
    """Steps per second of so many workflows at once, called straight from threads: the fastest way."""
    begin = time.perf_counter() + WARM_UP
    end = begin + seconds

    def one_after_another(_: int) -> int:
        counted = 0
        while time.perf_counter() < end:
            counted += workflow(begin, end)
        return counted

    with ThreadPoolExecutor(runs) as threads:
        counted = sum(threads.map(one_after_another, range(runs)))
    return counted / (time.perf_counter() - begin)


def address_of(options: argparse.Namespace, folder: Path) -> str:
    """The database that was asked for; a SQLite file keeps the journal mode that it is given here."""
    if options.url:
        return str(options.url)
    file = folder / "dbos.sqlite"
    if options.wal:
        sqlite3.connect(file).execute("PRAGMA journal_mode=WAL").close()
    return f"sqlite:///{file}"


def main() -> None:
    """Measure once and print the rate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="")
    parser.add_argument("--wal", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        address = address_of(options, Path(folder))
        DBOS(
            config={
                "name": "bench",
                "system_database_url": address,
                "log_level": "ERROR",
                "run_admin_server": False,
            }
        )
        DBOS.launch()
        rate = rate_of(options.runs, options.seconds)
        DBOS.destroy()
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main()
