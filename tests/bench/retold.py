"""How fast recorded runs are decided again: as they were written, with nothing but the store open."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import anyio

from perdure.ids import RunId
from perdure.kernel.draft import born
from perdure.kernel.model import Status
from perdure.services.replays import replay
from perdure.stores.runs import Commit
from tests.bench.figures import Bench, Figure
from tests.support.branches import Branches, Do
from tests.support.running import Acted, Running, Stage, always, running

SECTION = "Recorded runs decided again"
RUNS, FEW = 1_000, 20
EFFECTS = 24  # two records each, and the two of the end
AT_ONCE = 100  # begun together


@contextmanager
def offline() -> Iterator[None]:
    """Nobody opens a connection."""

    def refused(*_arguments: object) -> None:
        raise AssertionError("a replay reached for the network")

    kept = socket.socket.connect
    socket.socket.connect = refused  # type: ignore[method-assign]  # for as long as it is measured
    try:
        yield
    finally:
        socket.socket.connect = kept  # type: ignore[method-assign]  # what it was


async def lived(stage: Running, count: int) -> list[RunId]:
    """Runs that have ended."""
    run_ids: list[RunId] = []
    while len(run_ids) < count:
        births = [stage.birth() for _ in range(min(AT_ONCE, count - len(run_ids)))]
        for birth in births:
            await stage.plane.runs.commit(Commit(born(birth, {"in/n": 1})))
        for birth in births:
            await stage.until(birth.id, Status.COMPLETED)
        stage.committed.clear()
        run_ids += [birth.id for birth in births]
    return run_ids


async def decided_again(folder: Path, count: int) -> tuple[float, int, int]:
    """Seconds for all, how many records they are, and how many runs diverge."""
    stage = Stage({"run": Branches((Do(),) * EFFECTS)}, {"echo": always(Acted())})
    async with running(folder, stage) as on_stage:
        run_ids = await lived(on_stage, count)
        with offline():
            begin = perf_counter()
            replayed = [await replay(on_stage.runtime, run_id) for run_id in run_ids]
            took = perf_counter() - begin
    divergent = sum(one.difference is not None for one in replayed)
    return took, sum(one.records for one in replayed), divergent


def measure(bench: Bench) -> list[Figure]:
    """Many runs of fifty records on SQLite, one after the other in one process."""
    count = FEW if bench.small else RUNS
    folder = bench.scratch / "retold"
    folder.mkdir(exist_ok=True)
    took, records, divergent = anyio.run(decided_again, folder, count)
    note = f"{records:,} records in {took:.1f} s, {divergent} runs divergent; promised 1,000 runs in 60 s, 0 divergent"
    return [Figure(SECTION, f"{count:,} runs of 50 records", count / took, "runs/s", note=note)]
