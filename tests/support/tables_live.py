"""Rows of tables as runs on a real plane: all of them beside each other, driven by one runner."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import anyio

from perdure.adapters.sql.plane import PlaneConfig, Pools
from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_bundle
from perdure.clock import SystemClock, text_of
from perdure.features import flows
from perdure.identity.access import RULES
from perdure.ids import Key, RunId, RuntimeId, SessionId, TenantId, derived_id
from perdure.kernel.draft import born
from perdure.kernel.model import TERMINAL, Birth, Effect, Outcome, ProgramRef, Status
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectKind
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.hub import Hub
from perdure.stores.runs import Commit, Committed
from tests.support.flowing import OneCallAgent
from tests.support.planes import PLACES
from tests.support.running import NoHttp, Running, Signal, Stage
from tests.support.tables import DUE, Performers, Row, Table, come_to

PATIENCE_S: Final = 200.0  # for a loaded machine: all of it takes some seconds
Cases = Mapping[str, tuple[Table, Row]]


class Came(NamedTuple):
    """What a run came to."""

    status: Status
    output: Json
    error: str | None
    cells: Mapping[str, Json]


def run_of(case: str) -> RunId:
    """The run of a case: the same on every plane, so that its chance is the same."""
    return RunId(derived_id("table", case))


class Seen:
    """What was committed: which waits were opened, and which runs have ended."""

    def __init__(self) -> None:
        self.opened: dict[tuple[RunId, str], list[Key]] = {}
        self.ended: defaultdict[RunId, anyio.Event] = defaultdict(anyio.Event)
        self.moved = Signal()

    def heard(self, batch: Sequence[Committed]) -> None:
        """Take in a batch of commits."""
        for committed in batch:
            decision = committed.decision
            run = decision.run
            for entry in decision.opened:
                self.opened.setdefault((run.id, entry.what.node_id), []).append(entry.key)
            if run.status in TERMINAL:
                self.ended[run.id].set()
        self.moved.tell()

    async def until_opened(self, run_id: RunId, node: str, times: int) -> Key:
        """Wait until a node has opened its wait so often; the key of the last one."""
        opened, at = self.opened, (run_id, node)
        await self.moved.until(lambda: len(opened.get(at, ())) >= times, PATIENCE_S)
        return opened[at][-1]


async def lived(database: str, folder: Path, bundle: Bundle, cases: Cases) -> dict[str, Came]:
    """Live every case on a fresh plane."""
    rows = {run_of(case): row for case, (_, row) in cases.items()}
    async with serving(database, folder, lambda run: rows[run.root_id]) as (running, seen):
        content = pack_bundle(bundle.manifest, bundle.flows, {})
        await running.plane.bundles.keep(content, bundle.sha256)
        async with anyio.create_task_group() as group:
            for case, (table, row) in cases.items():
                group.start_soon(_live, running, seen, birth_of(case, table, bundle), row)
        return {case: await _came(running, run_of(case)) for case in cases}


def birth_of(case: str, table: Table, bundle: Bundle) -> Birth:
    """The birth of a case's run."""
    run_id, flow_id = run_of(case), table.flow["id"]
    return Birth(
        id=run_id, workflow_id=bundle.workflow_id(flow_id), program=ProgramRef("flow", bundle.sha256, flow_id),
        created_at=text_of(SystemClock().now()), root_id=run_id, session_id=SessionId(run_id),
    )  # fmt: skip


async def _live(running: Running, seen: Seen, birth: Birth, row: Row) -> None:
    """Begin a run, answer what it asks, and see its end."""
    cells = {f"in/{name}": value for name, value in row.given.items()}
    await running.plane.runs.commit(Commit(born(birth, cells)))
    answered: dict[str, int] = {}
    for node, answer in row.acts:
        if answer is not DUE:
            answered[node] = answered.get(node, 0) + 1
            key = await seen.until_opened(birth.id, node, answered[node])
            await running.send(birth.id, "resume", key, answer)
    with anyio.fail_after(PATIENCE_S):
        await seen.ended[birth.id].wait()


async def _came(running: Running, run_id: RunId) -> Came:
    header = await running.plane.runs.header(run_id)
    cells = await running.plane.runs.state(run_id, header.seq)
    return Came(header.status, header.output, header.error, cells)


@asynccontextmanager
async def serving(
    database: str, folder: Path, row_of: Callable[[Birth], Row]
) -> AsyncGenerator[tuple[Running, Seen]]:
    """A plane under a runner that performs what rows say; events are given out as ever."""

    async def other(effect: Effect, context: EffectContext) -> Outcome:
        return come_to(row_of(context.run), effect)

    agent = Feature("agents", programs={"react": lambda _ref, _bundle: OneCallAgent()})
    registry = registry_of([flows.FEATURE, agent], RULES)
    registry = replace(registry, effects=Performers(registry.effects, EffectKind(other)))
    hub, pools, seen = Hub(), Pools(), Seen()
    hub.tell_also(seen.heard)
    config = PlaneConfig(
        on_commit=hub.committed, on_mail=hub.mailed, pools=pools, synchronous="NORMAL"
    )
    plane = await PLACES[database](folder).open(config)
    runtime = RuntimeContext(
        TenantId("t"), RuntimeId("tables"), plane, hub, registry, SystemClock(), NoHttp(), folder / "workspaces"
    )  # fmt: skip
    runner = Runner(RunnerConfig(holder="me", stop_s=0.2))
    runner.open(runtime)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(runner.serve)
            yield Running(runtime, runner, Stage(), folder), seen
            runner.stop()
    finally:
        await plane.close()
        pools.close()
