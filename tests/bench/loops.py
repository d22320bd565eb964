"""What a step of a long loop and a turn of a long conversation cost, late beside early; flows, in process."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import anyio

from perdure.features.flows.compile import compile_bundled
from perdure.features.flows.program import FlowProgram
from perdure.ids import RunId
from perdure.kernel.model import Effect, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext
from perdure.stores.runs import Committed
from tests.bench.figures import Bench, Figure
from tests.bench.product import bytes_written
from tests.support.drawing import a_bundle
from tests.support.lengthy import a_long_chat, a_long_loop
from tests.support.running import Stage, always, running

SECTION = "Cost of a step of long flows"
LOOP, CHAT = 10_000, 1_000  # passes and turns
FEW = 10  # of which a smoke run has one
WINDOW = 10  # the part of a run that is measured at its beginning, and at its end: one of so many
SLICES = 10  # turns in which the two are measured, since the machine's speed drifts


class Walk:
    """One run that goes as far as it is let, and what its steps cost."""

    def __init__(self) -> None:
        """Let it go nowhere yet."""
        self.took: list[float] = []  # each step, in seconds
        self._made = self._may = self._arrived = 0
        self._at = 0.0
        self._moved = anyio.Event()

    async def step(self) -> None:
        """Make a step, where it may; else wait until it may."""
        self._made += 1
        while self._made > self._may:
            await self._moved.wait()

    def arrived(self) -> None:
        """Note that a step is on disk."""
        now = perf_counter()
        self.took.append(now - self._at)
        self._at, self._arrived = now, self._arrived + 1
        self._tell()

    async def go(self, steps: int) -> float:
        """Let it go so many steps further, and wait until they are on disk; the bytes written for one."""
        before, first = bytes_written(), len(self.took)
        self._may += steps
        self._tell()
        while self._arrived < self._may:
            await self._moved.wait()
        del self.took[first]  # which began before
        return (bytes_written() - before) / steps

    def _tell(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()


class Costs(NamedTuple):
    """What a step costs at the beginning of a run, and at its end."""

    times: tuple[float, float]  # in seconds
    sizes: tuple[float, float]  # in bytes


async def early_and_late(flow: Json, folder: Path, steps: int) -> Costs:
    """What one long run writes at both ends, and the time of its last steps in turns with the first of another."""
    walks: dict[RunId, Walk] = defaultdict(Walk)

    async def said(_effect: Effect, context: EffectContext) -> Outcome:
        await walks[context.run.id].step()
        return Ok({"content": "Because it is so, and what is so stays so.", "tool_calls": None})

    def heard(batch: Sequence[Committed]) -> None:
        for one in batch:
            if one.decision.arrived:
                walks[one.decision.run.id].arrived()

    program = FlowProgram(compile_bundled(a_bundle(flow), flow["id"]))
    kinds = {"answer_user": always(said), "llm_call": always(said)}
    window = steps // WINDOW
    async with running(folder, Stage({"run": program}, kinds)) as on_stage:
        on_stage.runtime.hub.tell_also(heard)
        late = walks[await on_stage.start()]
        first = await late.go(window)
        await late.go(steps - 3 * window)
        sizes = first, await late.go(window)
        late.took.clear()
        early = walks[await on_stage.start()]
        for _ in range(SLICES):
            for walk in (early, late):
                await walk.go(window // SLICES)
    return Costs((median(early.took), median(late.took)), sizes)


def measure(bench: Bench) -> list[Figure]:
    """A loop and a conversation, the end of one beside the beginning of another."""
    figures = []
    part = FEW if bench.small else 1
    for what, a_flow_of, steps in (
        (f"pass of a loop over {LOOP // part:,} items", a_long_loop, LOOP // part),
        (f"turn of a conversation of {CHAT // part:,}", a_long_chat, CHAT // part),
    ):
        with TemporaryDirectory(dir=bench.scratch) as name:
            times, sizes = asyncio.run(early_and_late(a_flow_of(steps), Path(name), steps))
        for kind, unit, (early, late), scale in (
            ("time", "µs", times, 1e6), ("written", "bytes", sizes, 1.0),
        ):  # fmt: skip
            beside = f"a {what}, early: {kind}"
            figures += [
                Figure(SECTION, beside, early * scale, unit),
                Figure(SECTION, f"a {what}, late: {kind}", late * scale, unit, beside, late / early),
            ]  # fmt: skip
    return figures
