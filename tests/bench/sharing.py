"""One principal's single run while another has thousands queued. Also run as a program, which prints what it measured."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple

import anyio
import uvloop

from perdure.app.build import App, build
from perdure.app.planes import TENANT
from perdure.app.settings import read_settings
from perdure.ids import RunId, RuntimeId
from perdure.kernel.draft import born
from perdure.kernel.model import Advance, Effect, EffectClass, Event, Ok, Outcome
from perdure.kernel.program import Done, Moment, Move, View
from perdure.registry.effects import EffectContext, EffectKind
from perdure.registry.feature import Feature
from perdure.runtimes.context import RuntimeContext
from perdure.stores.runs import Commit, Committed
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.plane import birth_of
from tests.bench.programs import answer_of, settled

SECTION = "One principal beside another"
PROGRAM = (sys.executable, "-m", "tests.bench.sharing")
QUEUED, QUEUED_SMALL = 10_000, 500
STEPS = (0.0, 0.05, 0.5)  # seconds of one's own effect: none, a tool's, a model's
SINGLES, GAP_S = 15, 0.1
AT_ONCE = 512  # births under way
MOVING = 100  # outcomes from which on the queue counts as being worked at
FOR_S = "in/for_s"
ENDS_S, PROGRAM_S = 300.0, 900.0


class Single:
    """Asks for one effect that takes a while, and ends."""

    def next(self, cells: View, event: Event, _moment: Moment) -> Move:
        """Ask, or end."""
        if not isinstance(event, Advance):
            return Move(end=Done(None))
        effect = Effect("rest", {"for_s": cells[FOR_S]}, "rest", "rest", EffectClass.IDEMPOTENT)
        return Move(effects=(effect,))


async def rest(effect: Effect, _context: EffectContext) -> Outcome:
    """Take so long."""
    await anyio.sleep(effect.payload["for_s"])
    return Ok(None)


def feature() -> Feature:
    """The program, and its effect."""
    return Feature(
        name="sharing", effects={"rest": EffectKind(rest)}, programs={"single": lambda _ref, _bundle: Single()}
    )  # fmt: skip


class Instant(NamedTuple):
    """When, and what the process had spent of the processor by then; both in seconds."""

    at: float
    spent: float

    def since(self, begin: "Instant") -> "Instant":
        """The same from `begin` on."""
        return Instant(self.at - begin.at, self.spent - begin.spent)


def moment() -> Instant:
    """Now."""
    return Instant(perf_counter(), process_time())


class Arrivals:
    """When the first outcome of a run was on disk, and how many outcomes there were."""

    def __init__(self) -> None:
        """None yet."""
        self.at: dict[RunId, Instant] = {}
        self.count = 0
        self._moved = anyio.Event()

    def heard(self, batch: Sequence[Committed]) -> None:
        """Note the outcomes of a batch."""
        now = moment()
        for one in batch:
            if one.decision.arrived:
                self.count += 1
                self.at.setdefault(one.decision.run.id, now)
        self._moved.set()
        self._moved = anyio.Event()

    async def of(self, run_id: RunId) -> Instant:
        """Wait for the first outcome of a run."""
        with anyio.fail_after(ENDS_S):
            while run_id not in self.at:
                await self._moved.wait()
        return self.at[run_id]


def never() -> bool:
    """Nothing ends."""
    return False


async def singles(
    runtime: RuntimeContext, arrivals: Arrivals, every: float, over: Callable[[], bool] = never
) -> list[Instant]:
    """So many single runs, one after the other: each from its start to its outcome on disk.

    No more of them once `over` says that what they are measured beside has ended.
    """
    took = []
    for _ in range(SINGLES):
        if over():
            break
        birth, begin = birth_of("single"), moment()
        run = born(birth, {FOR_S: every})
        await runtime.plane.runs.commit(Commit(run))
        took.append((await arrivals.of(birth.id)).since(begin))
        await anyio.sleep(GAP_S)
    return took


async def queue(app: App, runtime: RuntimeContext, count: int) -> None:
    """Put so many runs into the store that nobody has begun, then have the runner look."""
    assert app.runner is not None
    (lane,) = [it for it in app.runner.lanes if it.runtime is runtime]
    lane.stopping = True
    left = iter(range(count))

    async def bear() -> None:
        for _ in left:
            await runtime.plane.runs.commit(Commit(born(birth_of("echo"), {"in/steps": 1})))

    async with anyio.create_task_group() as group:
        for _ in range(min(count, AT_ONCE)):
            group.start_soon(bear)
    lane.stopping = False
    lane.look_again()


async def until_moving(arrivals: Arrivals) -> None:
    """Wait until runs of the queue come to their ends, one after the other."""
    with anyio.fail_after(ENDS_S):
        while arrivals.count < MOVING:
            await anyio.sleep(0.01)


async def measured(folder: Path, queued: int, every: float) -> dict[str, Any]:
    """The single runs alone, and while another principal's are being moved."""
    settings = read_settings(
        data_dir=folder, embedded_model=False, log_level="error", auth_token="bench"
    )
    alice_s, bob_s = Arrivals(), Arrivals()
    async with build(settings, features=[feature()]) as app, anyio.create_task_group() as group:
        assert app.runner is not None
        group.start_soon(app.runner.serve)
        alice, bob = [await app.router.pin(TENANT, RuntimeId(name)) for name in ("alice", "bob")]
        alice.hub.tell_also(alice_s.heard)
        bob.hub.tell_also(bob_s.heard)
        alone = await singles(bob, bob_s, every)
        await queue(app, alice, queued)
        await until_moving(alice_s)
        loaded = await singles(bob, bob_s, every, lambda: alice_s.count >= queued)
        left = queued - alice_s.count
        app.runner.stop()
    return {
        "alone": median(it.at for it in alone), "loaded": median(it.at for it in loaded),
        "worst": max(it.at for it in loaded), "left": left, "taken": len(loaded),
        "work": median(it.spent for it in loaded) - median(it.spent for it in alone),
    }  # fmt: skip


def measure(bench: Bench) -> list[Figure]:
    """Each kind of step."""
    queued, figures = QUEUED_SMALL if bench.small else QUEUED, []
    for every in STEPS:
        kind = f"a step of {every * 1e3:.0f} ms" if every else "a step of nothing"
        with TemporaryDirectory(dir=bench.scratch) as folder:
            given = ["--folder", folder, "--queued", str(queued), "--every", str(every)]
            try:
                it = answer_of([*PROGRAM, *given], PROGRAM_S)
            except Unavailable as why:
                figures.append(not_measured(SECTION, kind, why))
                continue
        beside = f"{kind}, alone"
        work = f"{it['work'] * 1e3:.0f} ms of it at work"
        note = f"{work}; the worst of {it['taken']} {it['worst'] * 1e3:.0f} ms; {it['left']:,} of the queue were left"
        figures += [
            Figure(SECTION, beside, it["alone"] * 1e3, "ms"),
            Figure(SECTION, f"{kind}, while another has {queued:,} runs queued: delay",
                   (it["loaded"] - it["alone"]) * 1e3, "ms", beside,
                   (it["loaded"] - it["alone"]) / it["alone"], note=note),
        ]  # fmt: skip
    return figures


def main() -> None:
    """Measure once, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--queued", type=int, required=True)
    parser.add_argument("--every", type=float, required=True)
    options = parser.parse_args()
    settled()
    print(json.dumps(uvloop.run(measured(options.folder, options.queued, options.every))))


if __name__ == "__main__":
    main()
