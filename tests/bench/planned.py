"""Schedules that are due in the same minute: how late each of their runs is started, and has begun."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import time
from typing import Final

import anyio

from perdure.clock import SystemClock, text_of
from perdure.features.schedules.program import schedule_program
from perdure.features.schedules.spec import Asked, Target, spec_of
from perdure.kernel.program import Done, Move
from perdure.registry.feature import Feature
from perdure.services.schedules import SCHEDULE, SPEC
from perdure.stores.runs import Committed
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.plane import product
from tests.support.scripted import ScriptedProgram

SECTION: Final = "Schedules"
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


async def due_at_once(folder: Path, dsn: str, count: int, ahead: float) -> Heard:
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
            while len(heard.begun) < count:
                await anyio.sleep(0.02)
    if len(heard.begun) < count:
        raise Unavailable(f"{len(heard.begun)} of {count} had begun")
    heard.started = [it - due.timestamp() for it in heard.started]
    heard.begun = [it - due.timestamp() for it in heard.begun]
    return heard


def measure(bench: Bench) -> list[Figure]:
    """On SQLite."""
    count, ahead = (FEW, FEW_AHEAD_S) if bench.small else (COUNT, AHEAD_S)
    name = f"{count:,} due in the same minute, p95 late"
    try:
        heard = anyio.run(due_at_once, bench.scratch / "planned", "", count, ahead)
    except Unavailable as why:
        return [not_measured(SECTION, name, why)]
    started, begun = (quantiles(it, n=100) for it in (heard.started, heard.begun))
    note = f"p50 {started[49]:.2f} s; their first records were on disk with p95 {begun[94]:.2f} s"
    beside = f"{PROMISED_S:.0f} s"
    return [Figure(SECTION, name, started[94], "s", beside, started[94] / PROMISED_S, note=note)]
