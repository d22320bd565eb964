"""The product at the race's work: echo runs in process, over its runner and its store. Run as a program."""

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import anyio
import uvloop

from perdure.stores.runs import Committed
from tests.bench.plane import product
from tests.bench.programs import settled

WARM_UP = 0.5  # seconds that are not counted
ENDLESS = 10**9  # steps
WINDOW = 1_000  # steps at each end of a long run


class Count:
    """Counts the effect-steps that are on disk."""

    def __init__(self) -> None:
        """Begin at none."""
        self.steps = 0

    def heard(self, batch: Sequence[Committed]) -> None:
        """Count the outcomes of a batch."""
        for one in batch:
            self.steps += len(one.decision.arrived)


async def rate(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Let so many runs make steps for some seconds: steps per second."""
    count = Count()
    async with product(folder, options.dsn, heard=[count.heard]) as it:
        await it.start_many("echo", {"in/steps": ENDLESS}, options.runs)
        await anyio.sleep(WARM_UP)
        before, begin = count.steps, perf_counter()
        await anyio.sleep(options.seconds)
        made, took = count.steps - before, perf_counter() - begin
    return {"rate": made / took}


class Times:
    """When each step of the run that goes on was on disk, and how much was written by then."""

    def __init__(self, until: int) -> None:
        """Be done at step `until`."""
        self.at: list[float] = []
        self.written: list[int] = []
        self.spent: list[float] = []  # of the processor, in seconds
        self._until = until
        self._marks = {10, 10 + WINDOW, until - WINDOW, until}
        self.done = anyio.Event()

    def heard(self, batch: Sequence[Committed]) -> None:
        """Note the outcomes of a batch."""
        for one in batch:
            if one.decision.arrived:
                self.at.append(perf_counter())
                if len(self.at) in self._marks:
                    self.written.append(bytes_written())
                    self.spent.append(process_time())
        if len(self.at) >= self._until:
            self.done.set()

    def took(self, first: int) -> list[float]:
        """How long each step of a window took."""
        part = self.at[first : first + WINDOW]
        return [b - a for a, b in pairwise(part)]


def bytes_written() -> int:
    """What this process has handed to the system to write, until now."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"])


async def growth(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One long run, and a short one right after it: the median step late and early, in seconds."""
    late, early = Times(options.steps), Times(10 + WINDOW)
    listening = [late]

    def heard(batch: Sequence[Committed]) -> None:
        listening[0].heard(batch)

    async with product(folder, options.dsn, heard=[heard]) as it:
        await it.start("echo", {"in/steps": options.steps})
        await late.done.wait()
        listening[0] = early
        await it.start("echo", {"in/steps": 20 + WINDOW})
        await early.done.wait()
    written, spent, again = late.written, late.spent, early.spent
    return {
        "late_cpu": (spent[3] - spent[2]) / WINDOW,
        "early_cpu": (spent[1] - spent[0] + again[1] - again[0]) / WINDOW / 2,
        "late": median(late.took(options.steps - WINDOW)),
        # The machine's speed drifts: the early window is taken both before and after the late one.
        "early": median([*late.took(10), *early.took(10)]),
        "late_bytes": (written[3] - written[2]) / WINDOW,
        "early_bytes": (written[1] - written[0]) / WINDOW,
    }


def main() -> None:
    """Measure once and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dsn", default="")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=0, help="measure the cost of a long run")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    settled()
    with TemporaryDirectory(dir=options.folder) as folder:
        measure = growth if options.steps else rate
        answer = uvloop.run(measure(Path(folder), options))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
