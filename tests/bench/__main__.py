"""Measure everything, print the table, and keep it with `--write`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import (
    artifacts,
    audit,
    beside_dbos,
    beside_restate,
    control,
    environment,
    idle,
    incoming,
    isolation,
    latency,
    loops,
    machine,
    planned,
    raw,
    replay,
    resting,
    retold,
    sharing,
    sleepers,
    start,
    steps,
    streams,
    table,
)
from tests.bench.figures import ROOT, Bench, Figure, Unavailable
from tests.bench.postgres import postgres
from tests.bench.race import Contestant, race

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
# Each has `measure(bench) -> list[Figure]`. Limits and peers come first: what follows stands beside them.
ALONE = {
    "raw": raw.measure,
    "idle": idle.measure,
    "start": start.measure,
    "restate": beside_restate.measure,
    "latency": latency.measure,
    "sleepers": sleepers.measure,
    "streams": streams.measure,
    "loops": loops.measure,
    "control": control.measure,
    "replay": replay.measure,
    "retold": retold.measure,
    "audit": audit.measure,
    "artifacts": artifacts.measure,
    "isolation": isolation.measure,
    "incoming": incoming.measure,
    "planned": planned.measure,
    "resting": resting.measure,
    "sharing": sharing.measure,
    "steps": steps.measure,
}
# Each has `contestants(bench, dsn) -> list[Contestant]`.
RACING = {
    "raw": raw.contestants,
    "dbos": beside_dbos.contestants,
    "restate": beside_restate.contestants,
    "latency": latency.contestants,
    "steps": steps.contestants,
}


def options_of(words: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parts = [*ALONE, *(it for it in RACING if it not in ALONE)]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"keep it in {PAGE.name}")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of the race")
    parser.add_argument(
        "--no-install", action="store_true", help="take peers only if they are here"
    )
    parser.add_argument("--small", action="store_true", help="a smoke run, of little of each")
    parser.add_argument("--no-race", action="store_true", help="leave steps per second out")
    return parser.parse_args(words)


def measured(options: argparse.Namespace, bench: Bench) -> list[Figure]:
    """All figures in the order of the page."""
    for name in (it for it in ALONE if it in options.only):
        say(f"measuring {name}")
        bench.seen.extend(ALONE[name](bench))
    if not options.no_race:
        bench.seen.extend(raced(options, bench))
    return bench.seen


def raced(options: argparse.Namespace, bench: Bench) -> list[Figure]:
    """Steps per second of all, in turns."""
    with ExitStack() as stack:
        dsn: str | None = None
        try:
            dsn = stack.enter_context(postgres())
        except Unavailable as why:
            say(f"without Postgres: {why}")
        racing: list[Contestant] = []
        for name in (it for it in RACING if it in options.only):
            racing.extend(RACING[name](bench, dsn))
        return race(racing, bench, say) if racing else []


def say(words: str) -> None:
    """Tell where the bench is, beside the table."""
    print(words, file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> None:
    """Measure, print, and keep. What was started is ended, also if the bench is told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = options_of(words)
    facts = machine.facts()
    with TemporaryDirectory(prefix="bench-") as scratch:
        install = not options.no_install
        bench = Bench(Path(scratch), options.seconds, options.rounds, install, options.small)
        figures = measured(options, bench)
    facts["peers"] = environment.versions()
    text = table.page(figures, facts, " ".join(["python -m tests.bench", *words]))
    print(text)
    if options.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
