"""Puts the program together, top to bottom: clock, stores, features, runtime, face and runner."""

import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from fastapi import FastAPI

from perdure.adapters.addresses import rules_of
from perdure.adapters.egress import Egress
from perdure.adapters.sql.remains import PlaneRemains
from perdure.api.app import create_app
from perdure.api.collaborators import ApiSettings, Closing, Collaborators, Readiness
from perdure.api.cookies import CookieNames
from perdure.app.auditing import open_recorder
from perdure.app.control import Ground, first_admin, open_control, open_credentials, open_ground
from perdure.app.features import features_of
from perdure.app.planes import (
    RUNTIME,
    TENANT,
    Planes,
    bucket_of,
    metering_of,
    open_notices,
    router_config_of,
)
from perdure.app.sections.egress import EgressSettings
from perdure.app.sections.runner import RunnerSettings
from perdure.app.settings import LOCAL_HOSTS, Settings, make_data_folder
from perdure.clock import Clock, SystemClock
from perdure.errors import Invalid
from perdure.identity.access import RULES
from perdure.ids import RuntimeId, TenantId
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from perdure.runner.config import RunnerConfig, no_probe
from perdure.runner.runner import Runner
from perdure.runner.supervise import keep_going
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.control import ControlContext
from perdure.runtimes.folders import plane_folder
from perdure.runtimes.retention import Retention
from perdure.runtimes.router import NoWorker, Router, Worker, always
from perdure.runtimes.waker import Waker, WakerConfig

if TYPE_CHECKING:
    from perdure.adapters.bucket.buckets import Bucket


@dataclass(frozen=True, slots=True)
class App:
    """The program, put together and not yet running."""

    settings: Settings
    api: FastAPI
    runner: Runner | None
    runtime: RuntimeContext  # the first admin's, which stays open
    router: Router
    closing: Closing
    control: ControlContext
    first_token: str | None = field(default=None, repr=False)  # of an admin who was just made


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
    bucket = bucket_of(settings)
    clock = clock or SystemClock()
    make_data_folder(settings)
    async with AsyncExitStack() as stack:
        egress = _egress(settings)
        stack.push_async_callback(egress.close)
        registry = registry_of([*features_of(settings, egress), *features], RULES)
        for feature in registry.features:
            if feature.lifespan is not None:
                await stack.enter_async_context(feature.lifespan())
        ground = await open_ground(stack, settings)
        control = await open_control(stack, settings, ground, clock)
        recorder = await open_recorder(stack, control)
        first_token = await first_admin(settings, control)
        credentials = await open_credentials(stack, settings, control)
        planes = Planes(
            settings, ground, registry, egress, clock, probe, metering_of(settings, clock),
            await open_notices(stack, ground.engine), control, bucket,
        )  # fmt: skip
        runner = Runner(_runner_config(settings, probe), control.audit) if with_runner else None
        router = _router(settings, planes, control, runner or NoWorker())
        stack.push_async_callback(router.close_all)
        retention = _retention(settings.data_dir, ground, control, router, probe, bucket)
        await retention.resume()
        runtime = await router.pin(TENANT, RUNTIME)
        if settings.user_auth:
            await _serve_many(stack, settings, planes, router, control, wakes=with_runner)
        closing = Closing()
        api = create_app(
            Collaborators(
                registry=registry, open_runtime=router.open, credentials=credentials, clock=clock,
                settings=_api_settings(settings), ready=[_ready(router, control)], closing=closing,
                control=control, recorder=recorder, forget_runtime=router.forget,
                retention=retention, meter_of=planes.meter_of,
            )
        )  # fmt: skip
        yield App(settings, api, runner, runtime, router, closing, control, first_token)


def _egress(settings: EgressSettings) -> Egress:
    """The outgoing client, with the operator's openings. Raises `Invalid`."""
    try:
        return Egress(rules=rules_of(settings.egress_allow, settings.egress_loopback_ports))
    except ValueError as error:
        raise Invalid(str(error), setting="PERDURE_EGRESS_ALLOW") from None


def _retention(
    data_dir: Path, ground: Ground, control: ControlContext, router: Router, probe: Callable[[str], None],
    bucket: "Bucket | None",
) -> Retention:  # fmt: skip
    """What keeps runtimes that nobody has, and takes them away."""

    def folder_of(tenant: TenantId, runtime: RuntimeId) -> Path:
        return plane_folder(data_dir, tenant, runtime)

    remains = PlaneRemains(
        data_dir, folder_of, ground.pools.readers, ground.engine,
        None if bucket is None else bucket.erase,
    )  # fmt: skip
    return Retention(control, router, remains, probe)


def _router(
    settings: Settings, planes: Planes, control: ControlContext, worker: Worker
) -> Router:  # fmt: skip
    """What opens planes; in user mode the runs of who is disabled or gone rest."""
    may_move = control.principals.is_served if settings.user_auth else always
    config = router_config_of(settings)
    return Router(planes.open, control.planes, worker, control.clock, config, may_move)


def _ready(router: Router, control: ControlContext) -> Readiness:
    """Whether the stores answer: the control store, and the first admin's plane while it is open."""

    async def ready() -> None:
        await control.planes.entry(TENANT, RUNTIME)
        if router.is_open(TENANT, RUNTIME):
            runtime = await router.runtime(TENANT, RUNTIME)
            await runtime.plane.ready()

    return ready


def _holder_name() -> str:
    """A name for this process in leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _runner_config(settings: RunnerSettings, probe: Callable[[str], None]) -> RunnerConfig:
    return RunnerConfig(
        holder=_holder_name(), lease_s=settings.lease_s, poll_s=settings.poll_s,
        grace_s=settings.grace_s, stop_s=settings.stop_s, runs_at_once=settings.runs_at_once,
        effects_at_once=settings.effects_at_once, probe=probe,
    )  # fmt: skip


async def _serve_many(
    stack: AsyncExitStack, settings: RunnerSettings, planes: Planes, router: Router, control: ControlContext,
    *, wakes: bool,
) -> None:  # fmt: skip
    """Close planes that are idle, and where runs are moved wake those that are due, until the end."""
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    group.start_soon(keep_going, "close idle planes", router.serve)
    if wakes:
        config = WakerConfig(poll_s=settings.poll_s)
        may_wake = control.principals.is_served
        waker = Waker(router, control.planes, control.clock, planes.peek, config, may_wake)
        if planes.notices is not None:
            planes.notices.on_unheard(waker.look_again)
        group.start_soon(keep_going, "waker", waker.serve)


def _api_settings(settings: Settings) -> ApiSettings:
    return ApiSettings(
        allowed_origins=settings.allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        proxy_addresses=settings.trusted_proxy_addresses,
        hsts_s=settings.hsts_s,
        cookies=CookieNames(
            settings.session_cookie, settings.csrf_cookie, settings.session_header,
            settings.csrf_header, settings.host_cookies,
        ),
        lockout_after=settings.lockout_after,
        lockout_base_s=settings.lockout_base_s,
        lockout_max_s=settings.lockout_max_s,
        body_bytes_max=settings.max_body_bytes,
        upload_bytes_max=settings.max_bundle_bytes,
        attachment_bytes_max=settings.max_attachment_bytes,
        artifact_quota_bytes=settings.artifact_quota_bytes,
        requests_at_once=settings.max_concurrency,
        streams_at_once=settings.max_streams,
        on_loopback=settings.host in LOCAL_HOSTS,
        features_off=settings.features_off,
    )  # fmt: skip
