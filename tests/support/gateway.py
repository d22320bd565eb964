"""A whole gateway in one process: a plane in a temporary folder, a runner, and the face of HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import uvicorn
from fastapi import FastAPI

from perdure.adapters.sql.plane import PlaneConfig, Pools, SqlPlane
from perdure.api.acts import Recorder
from perdure.api.app import create_app
from perdure.api.collaborators import ApiSettings, Closing, Collaborators
from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_bundle, pack_files, read_bundle
from perdure.clock import Clock, SystemClock
from perdure.features import echo, flows, schedules, travel
from perdure.features.agents.feature import agents_feature
from perdure.features.models.feature import models_feature
from perdure.features.models.settings import ModelsConfig
from perdure.identity.access import RULES
from perdure.identity.credentials import Credentials, SingleToken
from perdure.identity.principal import Principal
from perdure.ids import RunId, RuntimeId, TenantId
from perdure.kernel.values import Json
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.control import ControlContext
from perdure.runtimes.endpoints import endpoints_of
from perdure.runtimes.hub import Hub
from perdure.runtimes.retention import Retention
from perdure.services.bundles import facts_of
from perdure.services.denials import Denials
from tests.support.audited import audited
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.egress import an_egress
from tests.support.planes import PLACES

TOKEN: Final = "a-token-of-a-test"
BEARER: Final = {"authorization": f"Bearer {TOKEN}"}
SHIPPED: Final = Path(__file__).parents[2] / "bundles"
FEATURES: Final = (
    flows.FEATURE, schedules.FEATURE, echo.FEATURE, agents_feature(), models_feature(ModelsConfig(), None),
    travel.FEATURE,
)  # fmt: skip
PATIENCE_S: Final = 30


@dataclass(frozen=True)
class Options:
    """How a gateway of a test differs from the usual one."""

    features: Sequence[Feature] = FEATURES
    settings: ApiSettings = field(default_factory=lambda: ApiSettings(access_logged=False))
    runs: bool = True  # whether a runner moves the runs
    clock: Clock = field(default_factory=SystemClock)
    ready: Sequence[Any] = ()
    database: str = "sqlite"
    credentials: Credentials | None = None  # instead of the one token
    control: ControlContext | None = None  # instead of one with chains alone
    retention: Retention | None = None


@dataclass(frozen=True)
class Gateway:
    """A gateway of a test, and what a test asks of it."""

    app: FastAPI
    runtime: RuntimeContext
    closing: Closing
    client: httpx2.AsyncClient
    control: ControlContext

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        """Ask for something below the API's prefix."""
        return await self.client.get(f"/api/gateway{path}", **options)

    async def post(self, path: str, body: Json = None, **options: Any) -> httpx2.Response:
        """Send a body to somewhere below the API's prefix."""
        return await self.client.post(f"/api/gateway{path}", json=body, **options)

    async def install(self, bundle: Bundle | str) -> None:
        """Install a bundle, or a shipped one by its name."""
        content = shipped(bundle) if isinstance(bundle, str) else packed(bundle)
        facts = facts_of(read_bundle(content), "2026-01-01T00:00:00+00:00")
        await self.runtime.plane.bundles.install(content, facts)

    async def start(self, flow_id: str, **inputs: Json) -> str:
        """Start a run; its id."""
        answer = await self.post("/runs/start", {"flow_id": flow_id, "input_data": inputs})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["run_id"])

    async def until(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """Follow a run until it stands like this; its summary."""
        stop = anyio.Event()
        leave = self.runtime.hub.listen(RunId(run_id), lambda _commits: stop.set())
        try:
            with anyio.fail_after(PATIENCE_S):
                while True:
                    summary: dict[str, Any] = (await self.get(f"/runs/{run_id}")).json()
                    if summary["status"] in statuses:
                        return summary
                    with anyio.move_on_after(1):
                        await stop.wait()
                    stop = anyio.Event()
        finally:
            leave()

    async def command(self, run_id: str, type: str, **more: Json) -> httpx2.Response:
        """Send a command, under its type and the run's id unless told another."""
        body = {"command_id": f"{type}-{run_id}", "run_id": run_id, "type": type, **more}
        return await self.post("/commands", body)


@asynccontextmanager
async def a_gateway(folder: Path, options: Options | None = None) -> AsyncGenerator[Gateway]:
    """A gateway over a fresh plane in `folder`."""
    options = options or Options()
    chains = audited(folder / "control", options.database, options.clock)
    async with (
        nullcontext(options.control) if options.control else chains as control,
        _a_runtime(folder, options, control) as (runtime, runner),
    ):
        closing = Closing()
        collaborators = Collaborators(
            registry=runtime.registry, open_runtime=_opener(runtime), clock=options.clock,
            credentials=options.credentials or SingleToken([TOKEN], b"key of a test"), settings=options.settings,
            ready=options.ready, closing=closing, control=control,
            recorder=Recorder(control, Denials(control)), retention=options.retention,
        )  # fmt: skip
        app = create_app(collaborators)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://gateway", headers=BEARER) as client,
            anyio.create_task_group() as group,
        ):  # fmt: skip
            if options.runs:
                group.start_soon(runner.serve)
            yield Gateway(app, runtime, closing, client, control)
            closing.close()
            runner.stop()


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The application on a port of loopback; where it is."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve)
        with anyio.fail_after(PATIENCE_S):
            while not server.started:
                await anyio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True


@asynccontextmanager
async def _a_runtime(
    folder: Path, options: Options, control: ControlContext
) -> AsyncIterator[tuple[RuntimeContext, Runner]]:
    egress, pools, hub = an_egress(), Pools(), Hub()
    runner = Runner(RunnerConfig(holder="a test"), control.audit)
    registry = registry_of(options.features, RULES)

    def mail(_run_ids: Sequence[RunId]) -> None:
        for lane in runner.lanes:
            lane.look_again()

    plane: SqlPlane = await PLACES[options.database](folder).open(
        PlaneConfig(on_commit=hub.committed, pools=pools, on_mail=mail, synchronous="NORMAL")
    )
    runtime = RuntimeContext(
        tenant=TenantId("default"), runtime=RuntimeId("admin"), plane=plane, hub=hub, registry=registry,
        clock=options.clock, http=egress.bound(), workspaces=folder / "workspaces",
        endpoints=endpoints_of(control, TenantId("default"), RuntimeId("admin"), plane),
    )  # fmt: skip
    if options.runs:
        runner.open(runtime)
    try:
        yield runtime, runner
    finally:
        await plane.close()
        await egress.close()
        pools.close()


def _opener(runtime: RuntimeContext) -> Any:
    async def open_runtime(_principal: Principal) -> RuntimeContext:
        return runtime

    return open_runtime


def shipped(name: str) -> bytes:
    """The bytes of a bundle that comes with the program."""
    folder = SHIPPED / name
    return pack_files({
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    })  # fmt: skip


def packed(bundle: Bundle) -> bytes:
    """The bytes of a bundle that a test has drawn."""
    return pack_bundle(bundle.manifest, bundle.flows, bundle.assets)


def an_asking_bundle(**names: str) -> Bundle:
    """A bundle whose flow asks `prompt` and ends with the answer in `said`."""
    return a_bundle(
        a_flow(
            {"start": a_start("prompt"), "ask": a_node("ask_user", "prompt", out="response"), "end": an_end("said")},
            "start -> ask -> end",
            "start.prompt => ask.prompt",
            "ask.response => end.said",
        ),
        **names,
    )  # fmt: skip


def a_straight_bundle(**names: str) -> Bundle:
    """A bundle whose flow ends at once with its `prompt`."""
    return a_bundle(
        a_flow(
            {"start": a_start("prompt"), "end": an_end("prompt")},
            "start -> end",
            "start.prompt => end.prompt",
        ),
        **names,
    )


async def asking(gateway: Gateway) -> str:
    """A run that waits for an answer, with one record."""
    run_id = await gateway.start("ask:main", prompt="?")
    await gateway.until(run_id, "waiting")
    return run_id
