"""The product's durable steps: how many a second in process, and what one costs late in a long run."""

import sys

from tests.bench.beside_dbos import DEFAULT, WAL
from tests.bench.beside_dbos import POSTGRES as DBOS_POSTGRES
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.programs import Answer, answer_of
from tests.bench.race import Contestant
from tests.bench.raw import POSTGRES as BARE_POSTGRES
from tests.bench.raw import SQLITE as BARE_SQLITE

SECTION = "Cost of a step as the history grows"
SQLITE = "Perdure, SQLite"
POSTGRES = "Perdure, Postgres"
PROGRAM = ("-m", "tests.bench.product")
SLACK_S = 60.0
LONG_S = 240.0
STEPS, FEW_STEPS = 11_000, 3_000


def run(bench: Bench, *options: str, timeout: float) -> Answer:
    """What one program that was just started answers."""
    command = [sys.executable, *PROGRAM, "--folder", str(bench.scratch), *options]
    return answer_of(command, timeout)


def contestants(bench: Bench, dsn: str | None) -> list[Contestant]:
    """The product in process, on each database."""

    def rate(runs: int, seconds: float, *options: str) -> float:
        given = ("--runs", str(runs), "--seconds", str(seconds), *options)
        answer: float = run(bench, *given, timeout=seconds + SLACK_S)["rate"]
        return answer

    def postgres(runs: int, seconds: float) -> float:
        if dsn is None:
            raise Unavailable("there is no Postgres")
        return rate(runs, seconds, "--dsn", dsn)

    return [
        Contestant(SQLITE, rate, (BARE_SQLITE, DEFAULT, WAL)),
        Contestant(POSTGRES, postgres, (BARE_POSTGRES, DBOS_POSTGRES)),
    ]


def measure(bench: Bench) -> list[Figure]:
    """Time and bytes of a step, early and late in one long run on SQLite."""
    steps = FEW_STEPS if bench.small else STEPS
    try:
        it = run(bench, "--steps", str(steps), timeout=LONG_S)
    except Unavailable as why:
        return [not_measured(SECTION, SQLITE, why)]
    early, late = "around step 10", f"around step {steps - 500:,}"
    return [
        Figure(SECTION, f"one step, {early}", it["early"] * 1e6, "µs", note="median of 1,000, twice"),
        Figure(SECTION, f"one step, {late}", it["late"] * 1e6, "µs", early, it["late"] / it["early"]),
        Figure(SECTION, f"written, {early}", it["early_bytes"], "bytes a step"),
        Figure(
            SECTION, f"written, {late}", it["late_bytes"], "bytes a step", early,
            it["late_bytes"] / it["early_bytes"],
        ),
    ]  # fmt: skip
