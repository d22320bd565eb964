"""A runner at work on a real plane: programs are scripted, and so is what effects come to."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import connect
from typing import Any, Final

import anyio
import anyio.lowlevel
from msgspec.structs import replace
from orjson import loads

from perdure.adapters.sql.plane import PlaneConfig, Pools, SqlPlane, open_sqlite_plane
from perdure.clock import Clock, SystemClock, text_of
from perdure.errors import RunNotFound
from perdure.identity.access import RULES
from perdure.ids import Key, RunId, RuntimeId, SessionId, TenantId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, Effect, Ok, Outcome, ProgramRef, Status
from perdure.kernel.program import Done, Fail, Move, Program
from perdure.kernel.values import Json
from perdure.registry.effects import EffectContext, EffectKind
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.lane import Lane
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.hub import Hub
from perdure.runtimes.limits import RuntimeLimits
from perdure.stores.http import Reply, Streamed
from perdure.stores.inbox import Message
from perdure.stores.outbox import Pending
from perdure.stores.runs import Commit, Committed, Header
from tests.support.builders import an_effect
from tests.support.scripted import Scene, ScriptedProgram

LOOK_S: Final = 0.05
PATIENCE_S: Final = 30.0  # of a test for what is sure to come
PAST: Final = "2026-01-01T00:00:00.000000+00:00"
FAR: Final = "2999-01-01T00:00:00.000000+00:00"

Script = Mapping[str, Scene] | Program


class NoHttp:
    """Stands where handlers would find the network."""

    async def send(self, *_arguments: object, **_options: object) -> Reply:
        """Never asked."""
        raise AssertionError("a scripted handler reached for the network")

    def stream(
        self, *_arguments: object, **_options: object
    ) -> AbstractAsyncContextManager[Streamed]:
        """Never asked."""
        raise AssertionError("a scripted handler reached for the network")


class Acted:
    """A handler that plays a script: outcomes in order, the last one again and again.

    A callable in the script is awaited for its outcome. What it was called for is in `calls`.
    """

    def __init__(self, *scenes: Outcome | Callable[[], Awaitable[Outcome]]) -> None:
        self._scenes = scenes or (Ok("done"),)
        self.calls: list[tuple[Effect, EffectContext]] = []
        self.called = Signal()

    async def __call__(self, effect: Effect, context: EffectContext) -> Outcome:
        scene = self._scenes[min(len(self.calls), len(self._scenes) - 1)]
        self.calls.append((effect, context))
        self.called.tell()
        return await scene() if callable(scene) else scene

    async def until(self, calls: int) -> None:
        """Wait until it was called so often."""
        await self.called.until(lambda: len(self.calls) >= calls)


class Signal:
    """Something to wait for: whoever waits looks whenever it is told."""

    def __init__(self) -> None:
        self._told = anyio.Event()

    def tell(self) -> None:
        """Have everybody look again."""
        self._told.set()
        self._told = anyio.Event()

    async def until(self, state: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until `state` holds."""
        with anyio.fail_after(patience_s):
            while not state():
                await self._told.wait()


class Gate:
    """A handler that holds every caller until it is opened, and counts who is inside."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self._outcome = outcome or Ok("through")
        self._open = anyio.Event()
        self.inside = 0
        self.most = 0
        self.entered = 0
        self.left: list[str] = []  # tags, however they left
        self.moved = Signal()

    async def __call__(self, effect: Effect, _context: EffectContext) -> Outcome:
        self.inside += 1
        self.entered += 1
        self.most = max(self.most, self.inside)
        self.moved.tell()
        try:
            await self._open.wait()
            return self._outcome
        finally:
            self.inside -= 1
            self.left.append(effect.tag)
            self.moved.tell()

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()

    async def until_inside(self, count: int) -> None:
        """Wait until so many are inside."""
        await self.moved.until(lambda: self.inside >= count)


@dataclass
class Stage:
    """What is played: scripts by name, kinds of effects by name, and how the runner works."""

    scripts: dict[str, Script] = field(default_factory=dict)
    effects: dict[str, EffectKind] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    serves: bool = True

    def feature(self) -> Feature:
        """The feature that brings all this."""
        return Feature("stage", effects=self.effects, programs={"test": self._program})

    def _program(self, ref: ProgramRef, _bundle: object) -> Program:
        script = self.scripts[ref.name]
        return ScriptedProgram(script) if isinstance(script, Mapping) else script


class Running:
    """A plane, and the runner that serves it."""

    def __init__(self, runtime: RuntimeContext, runner: Runner, stage: Stage, folder: Path) -> None:
        self.runtime, self.runner, self.stage, self.folder = runtime, runner, stage, folder
        self.committed: list[Committed] = []
        self.moved = Signal()
        runtime.hub.tell_also(self._heard)

    @property
    def plane(self) -> Any:
        """The stores."""
        return self.runtime.plane

    @property
    def lane(self) -> Lane:
        """What the runner knows of the plane."""
        return next(lane for lane in self.runner.lanes if lane.runtime is self.runtime)

    def _heard(self, batch: Sequence[Committed]) -> None:
        self.committed += batch
        self.moved.tell()

    def birth(self, script: str = "run", **changes: Any) -> Birth:
        """The birth of a run that plays a script."""
        run_id = RunId(new_id())
        at = text_of(self.stage.clock.now())
        ref = ProgramRef("test", None, script)
        birth = Birth(run_id, script, ref, at, run_id, SessionId("session"))
        return replace(birth, **changes)

    async def start(
        self, script: str = "run", cells: Mapping[str, Json] | None = None, **changes: Any
    ) -> RunId:
        """Have a run born; its id."""
        birth = self.birth(script, **changes)
        await self.plane.runs.commit(Commit(born(birth, cells or {})))
        return birth.id

    async def until(self, run_id: RunId, *statuses: Status) -> Header:
        """Follow a run by what the hub tells until it stands like this; its header."""
        wished = statuses or (Status.COMPLETED,)
        return await self.until_so(run_id, lambda header: header.status in wished)

    async def until_so(self, run_id: RunId, state: Callable[[Header], bool]) -> Header:
        """Follow a run by what the hub tells until its header is so."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                seen = len(self.committed)
                with suppress(RunNotFound):
                    header: Header = await self.plane.runs.header(run_id)
                    if state(header):
                        return header
                await self.moved.until(lambda seen=seen: len(self.committed) > seen)  # type: ignore[misc]  # a default is no type

    async def send(
        self, run_id: RunId, kind: str, key: Key | None = None, body: Json = None
    ) -> str:
        """Put a message into the inbox; its id."""
        message = Message(new_id(), run_id, kind, key, body)
        at = text_of(self.stage.clock.now())
        await self.plane.inbox.put(message, body_hash="hash", at=at)
        return message.id

    async def settled(self, message_id: str) -> str:
        """What became of a message. The lane's drives tell when to look."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                delivery = await self.plane.inbox.delivery(message_id)
                if delivery.disposition != "pending":
                    return str(delivery.disposition)
                await anyio.lowlevel.checkpoint()

    async def rest(self) -> None:
        """Wait until the runner has nothing in hand. A run that was only let go is told of to nobody: looked for."""

        def at_rest() -> bool:
            return self.lane.rests() and not self.lane.hot.active()

        with anyio.fail_after(PATIENCE_S):
            while not at_rest():
                with anyio.move_on_after(LOOK_S):
                    await self.lane.until(at_rest)

    async def ledger(self, run_id: RunId) -> list[dict[str, Any]]:
        """The run's records as clients read them, each with what stands beside it under `detail`."""
        records = await self.plane.runs.ledger(run_id, after=0, limit=10_000)
        return [{**loads(one.body), "detail": loads(one.detail)} for one in records]

    async def outbox(self) -> list[Pending]:
        """What the outbox holds that somebody could still perform, leased or not."""
        found: Sequence[Pending] = await self.plane.outbox.claim(
            "nobody", now=FAR, until=PAST, limit=1_000
        )
        return list(found)

    async def rows(self, statement: str) -> list[Any]:
        """Look past the stores."""
        connection = connect(self.folder / "plane" / "plane.db")
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


def always(handler: Any, **how: Any) -> EffectKind:
    """A kind of effects that is tried again almost at once."""
    return EffectKind(handler, **{"backoff_s": 0.001, "timeout_s": 30.0, **how})


def a_stage(handler: Any, effect: Effect | None = None, **how: Any) -> Stage:
    """A run that asks for one effect and ends with it; `config` is the runner's, the rest the kind's."""
    config = how.pop("config", {})
    script: Script = {
        "begin": Move(effects=(effect or an_effect(),)),
        "a ok": Move(end=Done("done")),
        "a failed": Move(end=Fail("gone_wrong")),
        "q": Move(withdraw=("a",), end=Done("withdrawn")),
    }
    return Stage({"run": script}, {"echo": always(handler, **how)}, config)


@asynccontextmanager
async def running(folder: Path, stage: Stage) -> AsyncGenerator[Running]:
    """A runner that serves the plane in `folder` until the block ends."""
    runner = Runner(RunnerConfig(**{"holder": "me", "stop_s": 0.2, **stage.config}))
    pools = Pools()
    try:
        async with opened(folder, stage, runner, pools) as on_stage:
            runner.open(on_stage.runtime)
            async with anyio.create_task_group() as group:
                if stage.serves:
                    group.start_soon(runner.serve)
                yield on_stage
                runner.stop()
    finally:
        pools.close()


@asynccontextmanager
async def opened(
    folder: Path, stage: Stage, runner: Runner, pools: Pools, limits: RuntimeLimits | None = None
) -> AsyncGenerator[Running]:
    """The plane in `folder`, ready to be served by `runner`, which does not know it yet."""
    hub = Hub()
    config = PlaneConfig(
        on_commit=hub.committed, pools=pools, on_mail=hub.mailed, synchronous="NORMAL"
    )
    plane: SqlPlane = await open_sqlite_plane(folder / "plane", config)
    runtime = RuntimeContext(
        TenantId("t"), RuntimeId(folder.name), plane, hub, registry_of([stage.feature()], RULES),
        stage.clock, NoHttp(), folder / "workspaces", limits=limits or RuntimeLimits(),
    )  # fmt: skip
    try:
        yield Running(runtime, runner, stage, folder)
    finally:
        await plane.close()


@asynccontextmanager
async def running_together(
    folder: Path, stage: Stage, *names: str
) -> AsyncGenerator[list[Running]]:
    """One runner that serves a plane of each name until the block ends."""
    runner = Runner(RunnerConfig(**{"holder": "me", "stop_s": 0.2, **stage.config}))
    pools = Pools()
    async with AsyncExitStack() as stack:
        stack.callback(pools.close)
        planes = [
            await stack.enter_async_context(opened(folder / name, stage, runner, pools))
            for name in names
        ]
        for one in planes:
            runner.open(one.runtime)
        group = await stack.enter_async_context(anyio.create_task_group())
        if stage.serves:
            group.start_soon(runner.serve)
        yield planes
        runner.stop()
