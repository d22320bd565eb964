"""What a step of a long loop and a turn of a long conversation cost, late beside early; flows, in process."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from perdure.features.flows.compile import compile_bundled
from perdure.features.flows.effects import answer_user
from perdure.features.flows.program import FlowProgram
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
WINDOWS = 10  # parts of a run, of which the first and the last are compared


class Course:
    """When each effect of a run was on disk, and what this process had written by then."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.at: list[float] = []
        self.written: list[int] = []

    def heard(self, batch: Sequence[Committed]) -> None:
        """Note the outcomes of a batch."""
        for one in batch:
            if one.decision.arrived:
                self.at.append(perf_counter())
                self.written.append(bytes_written())

    def early_and_late(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The median time of a step and the bytes it writes, in the first window and in the last."""
        size = len(self.at) // WINDOWS
        windows = (slice(1, 1 + size), slice(len(self.at) - size, len(self.at)))
        times = [median(b - a for a, b in pairwise(self.at[it])) for it in windows]
        sizes = [(self.written[it][-1] - self.written[it][0]) / (size - 1) for it in windows]
        return (times[0], times[1]), (sizes[0], sizes[1])


async def _said(_effect: Effect, _context: EffectContext) -> Outcome:
    return Ok({"content": "Because it is so, and what is so stays so.", "tool_calls": None})


async def course_of(flow: Json, folder: Path) -> Course:
    """Run a flow to its end."""
    program = FlowProgram(compile_bundled(a_bundle(flow), flow["id"]))
    kinds = {"answer_user": always(answer_user), "llm_call": always(_said)}
    course = Course()
    async with running(folder, Stage({"run": program}, kinds)) as on_stage:
        on_stage.runtime.hub.tell_also(course.heard)
        run_id = await on_stage.start()
        while (await on_stage.plane.runs.header(run_id)).status == "running":
            await asyncio.sleep(0.2)
    return course


def measure(bench: Bench) -> list[Figure]:
    """A loop and a conversation, each beside its own beginning."""
    figures = []
    part = FEW if bench.small else 1
    for what, flow in (
        (f"pass of a loop over {LOOP // part:,} items", a_long_loop(LOOP // part)),
        (f"turn of a conversation of {CHAT // part:,}", a_long_chat(CHAT // part)),
    ):
        with TemporaryDirectory(dir=bench.scratch) as name:
            times, sizes = asyncio.run(course_of(flow, Path(name))).early_and_late()
        for kind, unit, (early, late), scale in (
            ("time", "µs", times, 1e6), ("written", "bytes", sizes, 1.0),
        ):  # fmt: skip
            beside = f"a {what}, early: {kind}"
            figures += [
                Figure(SECTION, beside, early * scale, unit),
                Figure(SECTION, f"a {what}, late: {kind}", late * scale, unit, beside, late / early),
            ]  # fmt: skip
    return figures
