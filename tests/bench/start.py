"""What it costs to have the product up: its start, its memory and its idle CPU, beside an empty program."""

from statistics import median
from time import sleep

from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import gateway
from tests.bench.idle import NAME as EMPTY
from tests.bench.idle import SECTION, SETTLE_S, STARTS, idle_share, usage_of

NAME = "perdure serve"


def measure(bench: Bench) -> list[Figure]:
    """From the start of the process to the first answer of /healthz; then what it takes while nobody asks."""
    try:
        starts = [started(bench) for _ in range(1 if bench.small else STARTS)]
        with gateway(bench) as it:
            sleep(SETTLE_S)
            share, resident = idle_share(it.pid, bench.seconds), usage_of(it.pid).resident
    except Unavailable as why:
        return [not_measured(SECTION, NAME, why)]
    spread = (min(starts) * 1e3, max(starts) * 1e3)
    lines = (
        ("start", median(starts) * 1e3, "ms", spread),
        ("memory", resident / 2**20, "MiB", None),
        ("CPU", share, "% of a core", None),
    )
    return [line_of(bench, *line) for line in lines]


def started(bench: Bench) -> float:
    """How long one start takes, in seconds."""
    with gateway(bench) as it:
        return it.up_after


def line_of(
    bench: Bench, name: str, value: float, unit: str, spread: tuple[float, float] | None
) -> Figure:
    """A line beside the empty program's of the same name."""
    beside = f"{EMPTY}, {name}"
    other = bench.value_of(SECTION, beside)
    ratio = value / other if other else None
    return Figure(SECTION, f"{NAME}, {name}", value, unit, beside if other else "", ratio, spread)
