"""The product's durable steps: how many a second in process, and what one costs late in a long run."""

import sys
from collections.abc import Sequence
from statistics import median

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
ROUNDS_MAX = 3


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
    """Time, processor and bytes of a step, early and late in one long run on SQLite."""
    steps = FEW_STEPS if bench.small else STEPS
    rounds = 1 if bench.small else min(bench.rounds, ROUNDS_MAX)
    try:
        ran = [run(bench, "--steps", str(steps), timeout=LONG_S) for _ in range(rounds)]
    except Unavailable as why:
        return [not_measured(SECTION, SQLITE, why)]
    places = ("around step 10", f"around step {steps - 500:,}")
    kinds = (
        ("one step", "", 1e6, "µs"),
        ("processor for a step", "_cpu", 1e6, "µs"),
        ("written", "_bytes", 1.0, "bytes a step"),
    )
    return [it for kind in kinds for it in pair_of(ran, places, kind)]


def pair_of(
    ran: Sequence[Answer], places: tuple[str, str], kind: tuple[str, str, float, str]
) -> list[Figure]:
    """A value early and late: medians of the rounds, and the median of the rounds' ratios."""
    name, suffix, scale, unit = kind
    early, late = ([it[f"{when}{suffix}"] * scale for it in ran] for when in ("early", "late"))
    ratios = [b / a for a, b in zip(early, late, strict=True)]
    note = f"ratios of the rounds: {', '.join(f'{it:.2f}' for it in ratios)}"
    before, after = (f"{name}, {place}" for place in places)
    return [
        Figure(SECTION, before, median(early), unit, spread=(min(early), max(early))),
        Figure(SECTION, after, median(late), unit, before, median(ratios), (min(late), max(late)), note),
    ]  # fmt: skip
