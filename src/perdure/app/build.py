"""Puts the program together, top to bottom: clock, stores, features, runtime, face and runner."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from perdure.adapters.egress import Egress
from perdure.api.app import create_app
from perdure.api.collaborators import ApiSettings, Closing, Collaborators
from perdure.app.features import features_of
from perdure.app.planes import RUNTIME, TENANT, Listeners, folder_of, open_plane
from perdure.app.settings import LOCAL_HOSTS, Settings, holder_name, make_data_folder, token_of
from perdure.app.shipped import install_shipped
from perdure.clock import Clock, SystemClock
from perdure.errors import Invalid, RunNotFound
from perdure.identity.access import RULES
from perdure.identity.credentials import SingleToken
from perdure.identity.principal import Principal
from perdure.registry.feature import Feature
from perdure.registry.registry import Registry, registry_of
from perdure.runner.config import RunnerConfig, no_probe
from perdure.runner.runner import Runner
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.hub import Hub


@dataclass(frozen=True, slots=True)
class App:
    """The program, put together and not yet running."""

    settings: Settings
    api: FastAPI
    runner: Runner | None
    runtime: RuntimeContext
    closing: Closing


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    features: Sequence[Feature] = (),
    with_runner: bool = True,
    probe: Callable[[str], None] = no_probe,
    clock: Clock | None = None,
) -> AsyncGenerator[App]:
    """The program over `settings`; `features` come on top of the installed ones.

    Everything that is opened is closed at the end, last opened first. Raises `Invalid`,
    `Unavailable` where another process holds the plane, `SchemaNewer`.
    """
    if settings.database_url is None and not with_runner:
        raise Invalid(
            "on SQLite one process holds the plane: serve without a runner needs Postgres"
            " (PERDURE_DATABASE_URL)"
        )
    clock = clock or SystemClock()
    make_data_folder(settings)
    async with AsyncExitStack() as stack:
        egress = Egress()
        stack.push_async_callback(egress.close)
        registry = registry_of([*features_of(settings, egress), *features], RULES)
        for feature in registry.features:
            if feature.lifespan is not None:
                await stack.enter_async_context(feature.lifespan())
        runner = Runner(_runner_config(settings, probe)) if with_runner else None
        hub = Hub([listener for feature in registry.features for listener in feature.observers])
        plane = await open_plane(stack, settings, clock, Listeners(hub, runner, probe))
        runtime = RuntimeContext(
            tenant=TENANT, runtime=RUNTIME, plane=plane, hub=hub, registry=registry,
            clock=clock, http=egress.bound(), workspaces=folder_of(settings) / "workspaces",
        )  # fmt: skip
        await install_shipped(runtime)
        if runner is not None:
            runner.open(runtime)
        closing = Closing()
        api = create_app(_collaborators(settings, registry, runtime, clock, closing))
        yield App(settings, api, runner, runtime, closing)


def _runner_config(settings: Settings, probe: Callable[[str], None]) -> RunnerConfig:
    return RunnerConfig(
        holder=holder_name(), lease_s=settings.lease_s, poll_s=settings.poll_s,
        stop_s=settings.stop_s, runs_at_once=settings.runs_at_once,
        effects_at_once=settings.effects_at_once, probe=probe,
    )  # fmt: skip


def _collaborators(
    settings: Settings, registry: Registry, runtime: RuntimeContext, clock: Clock, closing: Closing
) -> Collaborators:
    token = token_of(settings).get_secret_value()

    async def open_runtime(principal: Principal) -> RuntimeContext:
        if (principal.runtime_tenant, principal.runtime) != (runtime.tenant, runtime.runtime):
            raise RunNotFound  # there is no other plane in single-token mode
        return runtime

    return Collaborators(
        registry=registry,
        open_runtime=open_runtime,
        credentials=SingleToken([token], hashlib.sha256(b"key\0" + token.encode()).digest()),
        clock=clock,
        settings=ApiSettings(
            allowed_origins=settings.allowed_origins,
            body_bytes_max=settings.max_body_bytes,
            upload_bytes_max=settings.max_bundle_bytes,
            requests_at_once=settings.max_concurrency,
            streams_at_once=settings.max_streams,
            on_loopback=settings.host in LOCAL_HOSTS,
            features_off=settings.features_off,
        ),
        ready=[runtime.plane.ready],
        closing=closing,
    )
