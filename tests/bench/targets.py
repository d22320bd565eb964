"""What the product is to reach, and whether it did in this run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.figures import Figure

TITLE = "Targets"


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that is wanted; `name` and `beside` are how the names of the figure begin."""

    what: str
    name: str
    beside: str
    bound: float
    at_least: bool = True

    def met(self, ratio: float) -> bool:
        """Whether a ratio is good enough."""
        return ratio >= self.bound if self.at_least else ratio <= self.bound


TARGETS = (
    Target("steps/s beside the bare loop, SQLite, 100 runs",
           "Perdure, SQLite, 100 at once", "bare loop, SQLite", 0.5),
    Target("steps/s beside the bare loop, Postgres, 100 runs",
           "Perdure, Postgres, 100 at once", "bare loop, Postgres", 0.5),
    Target("steps/s beside DBOS in its default journal, 100 runs",
           "Perdure, SQLite, 100 at once", "DBOS, SQLite as it comes", 10.0),
    Target("steps/s beside Restate as it comes, both over HTTP, 100 clients",
           "Perdure, 10-effect runs over HTTP, 100 at once", "Restate, 10-effect runs over HTTP, as it comes", 1.5),
    Target("time of a late pass of a loop over 10,000 items", "a pass of a loop over 10,000 items, late: time", "a pass of a loop", 1.2, False),
    Target("bytes of a late pass of a loop over 10,000 items", "a pass of a loop over 10,000 items, late: written", "a pass of a loop", 1.2, False),
    Target("time of a late turn of a conversation of 1,000", "a turn of a conversation of 1,000, late: time", "a turn of", 1.2, False),
    Target("bytes of a late turn of a conversation of 1,000", "a turn of a conversation of 1,000, late: written", "a turn of", 1.2, False),
    Target("a cancel is acknowledged in 200 ms, p95", "a cancel is acknowledged", "200 ms", 1.0, False),
    Target("1,000 schedules of one minute start within 1 s, p95", "1,000 due in the same minute, p95", "1 s", 1.0, False),
    Target("everybody's p95 while code never ends", "a start and a list of runs, p95, while", "a start and a list", 1.2, False),
    Target("time of a step late in a long run over one early", "one step, around", "one step, around", 1.2, False),
    Target("bearer check among 10,000 users, SQLite", "a bearer check, SQLite, 10,000", "a bearer check, SQLite, 10 ", 1.2, False),
    Target("bearer check among 10,000 users, Postgres",
           "a bearer check, Postgres, 10,000", "a bearer check, Postgres, 10 ", 1.2, False),
    Target("sign-in among 10,000 users, SQLite", "a sign-in, SQLite, 10,000", "a sign-in, SQLite, 10 ", 1.2, False),
    Target("sign-in among 10,000 users, Postgres", "a sign-in, Postgres, 10,000", "a sign-in, Postgres, 10 ", 1.2, False),
    Target("memory that 10,000 runtimes at rest add, SQLite", "10,000 at rest, SQLite: added memory", "50 MiB", 1.0, False),
    Target("memory that 1,000 runtimes at rest add, Postgres", "1,000 at rest, Postgres: added memory", "50 MiB", 1.0, False),
    Target("delay of a model's step while another has 10,000 runs queued",
           "a step of 500 ms, while", "a step of 500 ms, alone", 2.0, False),
    Target("delay of a tool's step while another has 10,000 runs queued",
           "a step of 50 ms, while", "a step of 50 ms, alone", 2.0, False),
    Target("one-effect run over HTTP beside Restate, p50", "Perdure, p50", "Restate, p50", 1.0, False),
)  # fmt: skip


def found(target: Target, figures: Iterable[Figure]) -> float | None:
    """The ratio that was measured, if it was."""
    ratios = (
        it.ratio
        for it in figures
        if it.name.startswith(target.name) and it.beside.startswith(target.beside)
    )
    return next((it for it in ratios if it is not None), None)


def verdict_of(target: Target, ratio: float | None) -> str:
    """In a word."""
    if ratio is None:
        return "not measured"
    return "met" if target.met(ratio) else "**missed**"


def verdicts(figures: Sequence[Figure]) -> str:
    """A table with a line for each target."""
    lines = [f"## {TITLE}", "", "| what | target | measured | |", "|---|---|---|---|"]
    for target in TARGETS:
        ratio = found(target, figures)
        wanted = f"{'at least' if target.at_least else 'at most'} {target.bound:g} ×"
        measured = "" if ratio is None else f"{ratio:.2f} ×"
        lines.append(f"| {target.what} | {wanted} | {measured} | {verdict_of(target, ratio)} |")
    return "\n".join([*lines, ""])
