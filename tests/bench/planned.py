"""Schedules that are due in the same minute: how late each of their runs is started, and has begun."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import process_time, time
from typing import Final

import anyio
import uvloop

from perdure.clock import SystemClock, text_of
from perdure.features.schedules.program import schedule_program
from perdure.features.schedules.spec import Asked, Target, spec_of
from perdure.kernel.program import Done, Move
from perdure.registry.feature import Feature
from perdure.services.schedules import SCHEDULE, SPEC
from perdure.stores.runs import Committed
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.plane import product
from tests.bench.postgres import postgres
from tests.bench.programs import Answer, answer_of, settled
from tests.support.scripted import ScriptedProgram

SECTION: Final = "Schedules"
PROGRAM: Final = (sys.executable, "-m", "tests.bench.planned")
WHERE: Final[Mapping[str, str]] = {"SQLite": "", "Postgres": ", Postgres"}
COUNT, FEW = 1_000, 200
AHEAD_S, FEW_AHEAD_S, PATIENCE_S = 30.0, 10.0, 120.0
PROMISED_S: Final = 1.0
FLOW: Final = ScriptedProgram({"begin": Move(end=Done("did"))})
FEATURE: Final = Feature("planned", programs={SCHEDULE: schedule_program, "flow": lambda *_: FLOW})


class Heard:
    """When the runs of schedules were started and had begun, on disk."""

    def __init__(self) -> None:
        """None yet."""
        self.asleep = 0
        self.started: list[float] = []
        self.begun: list[float] = []

    def heard(self, batch: Sequence[Committed]) -> None:
        """Take the time of each birth that a schedule decided, and of the first decision of what was born."""
        now = time()
        for one in batch:
            self.started += [now] * len(one.decision.births)
            birth, is_first = one.decision.run.birth, one.decision.read_version == 1
            if is_first and birth.parent_id is not None:
                self.begun.append(now)
            elif is_first:
                self.asleep += 1


async def due_at_once(folder: Path, dsn: str, count: int, ahead: float) -> Answer:
    """How late so many were, in seconds after the time that was theirs. Raises `Unavailable`."""
    heard, now = Heard(), SystemClock().now()
    due: datetime = now + timedelta(seconds=ahead)
    spec = spec_of(Asked(start_at=text_of(due)), Target("b@1:f", "b@1", "f"), now)
    async with product(folder, dsn, features=[FEATURE], heard=[heard.heard]) as it:
        await it.start_many(SCHEDULE, {SPEC: spec}, count)
        with anyio.move_on_after(ahead + PATIENCE_S):
            while heard.asleep < count:
                await anyio.sleep(0.02)
            if time() > due.timestamp():
                raise Unavailable("not all slept before the time")
            await anyio.sleep(due.timestamp() - time() - 0.1)
            spent = process_time()
            while len(heard.started) < count:
                await anyio.sleep(0.02)
            spent = process_time() - spent
            while len(heard.begun) < count:
                await anyio.sleep(0.02)
    if len(heard.begun) < count:
        raise Unavailable(f"{len(heard.begun)} of {count} had begun")
    late = [sorted(it - due.timestamp() for it in times) for times in (heard.started, heard.begun)]
    started, begun = (quantiles(it, n=100) for it in late)
    return {"p50": started[49], "p95": started[94], "begun": begun[94], "spent": spent / count}


def measure(bench: Bench) -> list[Figure]:
    """On both databases."""
    try:
        with postgres() as dsn:
            return [*on(bench, "SQLite", ""), *on(bench, "Postgres", dsn)]
    except Unavailable as why:
        return [*on(bench, "SQLite", ""), not_measured(SECTION, "Postgres", why)]


def on(bench: Bench, database: str, dsn: str) -> list[Figure]:
    """In a process of its own."""
    count, ahead = (FEW, FEW_AHEAD_S) if bench.small else (COUNT, AHEAD_S)
    name = f"{count:,} due in the same minute{WHERE[database]}, p95 late"
    given = ["--folder", str(bench.scratch / f"planned-{database}"), "--dsn", dsn,
             "--count", str(count), "--ahead", str(ahead)]  # fmt: skip
    try:
        it = answer_of([*PROGRAM, *given], 2 * PATIENCE_S)
    except Unavailable as why:
        return [not_measured(SECTION, name, why)]
    note = (
        f"p50 {it['p50']:.2f} s; {it['spent'] * 1e6:.0f} µs of the processor for each start;"
        f" their first records were on disk with p95 {it['begun']:.2f} s"
    )
    beside = f"{PROMISED_S:.0f} s"
    return [Figure(SECTION, name, it["p95"], "s", beside, it["p95"] / PROMISED_S, note=note)]


def main() -> None:
    """Measure once, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--dsn", default="")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--ahead", type=float, required=True)
    it = parser.parse_args()
    settled()
    print(json.dumps(uvloop.run(due_at_once(it.folder, it.dsn, it.count, it.ahead))))


if __name__ == "__main__":
    main()
