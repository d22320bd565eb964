"""Planes as the program opens them: the one of single-token mode, and those of many users."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from perdure.adapters.sql.statements import Sql
from perdure.app.build import App, build
from perdure.app.planes import RUNTIME, TENANT, limits_of, metering_of, router_config_of
from perdure.app.settings import read_settings
from perdure.clock import SystemClock, text_of
from perdure.errors import Unavailable
from perdure.ids import RunId, RuntimeId, SessionId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, EffectClass, ProgramRef, Status
from perdure.kernel.program import Done, Move
from perdure.runtimes.context import RuntimeContext
from perdure.runtimes.license import LICENSE_S
from perdure.runtimes.limits import RuntimeLimits
from perdure.stores.runs import Commit
from tests.support.builders import an_effect
from tests.support.built import built
from tests.support.gateway import served
from tests.support.postgres import new_database, serving_postgres
from tests.support.running import Acted, Gate, Script, Stage, always
from tests.support.town import API, Town, a_start, a_town

ECHO = ProgramRef("echo", None, "")


async def an_echo(app: App) -> RunId:
    """Bear a run of three echoes."""
    run_id = RunId(new_id())
    at = text_of(app.runtime.clock.now())
    birth = Birth(run_id, "echo", ECHO, at, run_id, SessionId("s"))
    await app.runtime.plane.runs.commit(Commit(born(birth, {"in/steps": 3})))
    return run_id


async def ended(app: App, run_id: RunId) -> Status:
    """How the run ended, seen from this process."""
    changed = anyio.Event()
    stop = app.runtime.hub.listen(run_id, lambda _commits: changed.set())
    try:
        with anyio.fail_after(30):
            while True:
                header = await app.runtime.plane.runs.header(run_id)
                if header.status is not Status.RUNNING:
                    return header.status
                await changed.wait()
                changed = anyio.Event()
    finally:
        stop()


@pytest.mark.anyio
async def test_a_second_process_on_sqlite_is_refused_with_the_reason(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, embedded_model=False)
    async with build(settings):
        with pytest.raises(Unavailable, match="another process"):
            async with build(settings):
                raise AssertionError


@pytest.mark.anyio
async def test_a_face_and_a_runner_share_a_postgres_and_tell_each_other(tmp_path: Path) -> None:
    """They begin at the same moment, on a database that has nothing yet."""
    with serving_postgres() as server:
        settings = read_settings(
            data_dir=tmp_path, embedded_model=False, database_url=SecretStr(server.url())
        )
        both: list[App] = []
        done = anyio.Event()

        async def open_one(with_runner: bool) -> None:
            async with build(settings, with_runner=with_runner) as app:
                both.append(app)
                if app.runner is None:
                    await done.wait()
                    return
                async with anyio.create_task_group() as running:
                    running.start_soon(app.runner.serve)
                    await done.wait()
                    app.runner.stop()

        async with anyio.create_task_group() as group:
            group.start_soon(open_one, True)
            group.start_soon(open_one, False)
            with anyio.fail_after(60):
                while len(both) < 2:
                    await anyio.sleep(0.01)
            face = next(app for app in both if app.runner is None)
            assert await ended(face, await an_echo(face)) is Status.COMPLETED
            done.set()


# --- many principals -------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_first_admin_has_the_plane_of_the_single_token(tmp_path: Path) -> None:
    """Switching users on leaves it the same runs."""
    async with built(tmp_path, auth_token="agw_single") as single:
        bearer = {"authorization": "Bearer agw_single"}
        body = {"bundle_id": "ask-first", "input_data": {"prompt": "hello"}}
        answer = await single.client.post(f"{API}/runs/start", json=body, headers=bearer)
        run_id = answer.json()["run_id"]
    async with a_town(tmp_path) as town:
        assert town.app.first_token is not None
        admin = await town.client(town.app.first_token)
        assert (await admin.get(f"{API}/runs/{run_id}")).status_code == 200


@pytest.mark.anyio
async def test_a_plane_that_is_closed_costs_its_user_nothing_but_the_opening(
    tmp_path: Path,
) -> None:
    async with a_town(tmp_path, plane_idle_s=0.001) as town:
        alice = await town.user("alice")
        run_id = (await a_start(alice, "s")).json()["run_id"]
        with anyio.fail_after(30):
            while town.app.router.open_count > 1:
                await anyio.sleep(0.05)
        assert (await alice.get(f"{API}/runs/{run_id}")).status_code == 200


@pytest.mark.anyio
async def test_what_is_removed_of_the_shipped_bundles_stays_away_while_the_program_runs(
    tmp_path: Path,
) -> None:
    """Also when the plane was closed and opened meanwhile."""
    async with a_town(tmp_path) as town:
        alice = await town.user("alice")
        assert (await alice.delete(f"{API}/bundles/ask-first")).status_code == 200
        await town.app.router.forget(TENANT, RuntimeId("alice"))
        bundles = (await alice.get(f"{API}/bundles")).json()["items"]
        assert "ask-first" not in {it["bundle_id"] for it in bundles} != set()


def test_the_limits_of_settings_are_those_of_runtimes(tmp_path: Path) -> None:
    settings = read_settings(
        data_dir=tmp_path, runs_at_once=1, effects_at_once=2, principal_requests=3,
        principal_streams=4, principal_stream_bytes=5_000, principal_starts=6, planes_open_max=7,
        plane_idle_s=8,
    )  # fmt: skip
    assert limits_of(settings) == RuntimeLimits(1, 2, 3, 4, 5_000, 6)
    config = router_config_of(settings)
    assert (config.open_max, config.idle_s, config.others_s) == (7, 8, 0)
    shared = read_settings(data_dir=tmp_path, database_url=SecretStr("postgresql+psycopg:///db"))
    assert router_config_of(shared).others_s == LICENSE_S
    assert metering_of(settings, SystemClock()) is None


@pytest.mark.anyio
async def test_a_stream_keeps_its_plane_open_and_counts_as_one(tmp_path: Path) -> None:
    async with a_town(tmp_path, principal_streams=1, plane_idle_s=0.001) as town:
        alice = await town.user("alice")
        run_id = (await a_start(alice, "s")).json()["run_id"]
        path = f"{API}/runs/{run_id}/ledger/stream"
        async with (
            served(town.app.api) as url,
            httpx2.AsyncClient(base_url=url, headers=alice.headers, timeout=30) as far,
        ):
            async with far.stream("GET", path) as first:
                assert first.status_code == 200
                refused = await far.get(path)
                assert (refused.status_code, refused.json()["limit"]) == (429, "streams_at_once")
                for _ in range(3):
                    await town.app.router.close_idle()
                assert town.app.router.is_open(TENANT, RuntimeId("alice"))
            with anyio.fail_after(30):
                while town.app.router.open_count > 1:
                    await anyio.sleep(0.05)


@pytest.mark.anyio
async def test_the_server_stays_ready_when_the_first_admin_is_disabled(tmp_path: Path) -> None:
    """Their plane is closed, and not opened to be looked at; enabled again, they find it as it was."""
    async with a_town(tmp_path) as town:
        assert town.app.first_token is not None
        first = await town.client(town.app.first_token)
        body = {"user_id": "second", "roles": ["admin", "user"], "scopes": ["*", "tenants:*"]}
        made = await first.post(f"{API}/admin/users", json=body)
        second = await town.client(made.json()["token"])
        run_id = (await a_start(first, "s")).json()["run_id"]
        answer = await second.patch(f"{API}/admin/users/admin", json={"enabled": False})
        assert answer.status_code == 200, answer.text
        assert not town.app.router.is_open(TENANT, RUNTIME)
        assert (await second.get("/readyz")).status_code == 200
        assert not town.app.router.is_open(TENANT, RUNTIME)
        await second.patch(f"{API}/admin/users/admin", json={"enabled": True})
        assert (await first.get(f"{API}/runs/{run_id}")).status_code == 200
        assert (await second.get("/readyz")).status_code == 200


@pytest.mark.anyio
async def test_an_admin_who_looks_at_a_disabled_users_runs_sets_none_of_them_going(
    tmp_path: Path,
) -> None:
    async with a_town(tmp_path) as town:
        alice = await town.user("alice")
        run_id = (await a_start(alice, "s")).json()["run_id"]
        assert town.app.first_token is not None and town.app.runner is not None
        admin = await town.client(town.app.first_token)
        await admin.patch(f"{API}/admin/users/alice", json={"enabled": False})
        seen = await admin.get(f"{API}/admin/users/alice/runs/{run_id}?reason=an audit")
        assert seen.status_code == 200, seen.text
        assert town.app.router.is_open(TENANT, RuntimeId("alice"))
        assert [it.runtime.runtime for it in town.app.runner.lanes] == [RUNTIME]


# --- several processes -----------------------------------------------------------------------------


@asynccontextmanager
async def two(folder: Path, stage: Stage) -> AsyncIterator[tuple[Town, App]]:
    """A process that serves, with a town, and one that moves runs, over one Postgres."""
    given: dict[str, Any] = {"database_url": new_database(), "embedded_model": False, "user_auth": True}  # fmt: skip
    settings = read_settings(data_dir=folder, port=0, **given)
    async with (
        build(settings, features=[stage.feature()], with_runner=False) as face,
        build(settings, features=[stage.feature()]) as worker,
        AsyncExitStack() as clients,
        anyio.create_task_group() as group,
    ):
        assert worker.runner is not None
        group.start_soon(worker.runner.serve)
        yield Town(face, clients), worker
        worker.runner.stop()


@pytest.mark.anyio
@pytest.mark.parametrize("effect_class", [EffectClass.READ, EffectClass.ONCE])
async def test_a_user_who_is_disabled_begins_no_effect_in_any_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effect_class: EffectClass
) -> None:
    """Nothing tells the process that moves their runs, and it does not look by itself."""
    alone = dataclasses.replace(
        router_config_of(read_settings()), check_s=3_600, others_s=LICENSE_S
    )
    monkeypatch.setattr("perdure.app.build.router_config_of", lambda _settings: alone)
    gate, second = Gate(), Acted()
    script: Script = {
        "begin": Move(effects=(an_effect("a", EffectClass.READ, kind="gate"),)),
        "a ok": Move(effects=(an_effect("b", effect_class, kind="second"),)),
        "b ok": Move(end=Done("done")),
    }
    stage = Stage({"run": script}, {"gate": always(gate), "second": always(second)})
    async with two(tmp_path, stage) as (town, worker):
        await town.user("alice")
        admin = await town.client(town.app.first_token or "")
        runtime = await worker.router.runtime(TENANT, RuntimeId("alice"))
        run_id = await a_run_of(runtime, "run")
        await gate.until_inside(1)
        answer = await admin.patch(f"{API}/admin/users/alice", json={"enabled": False})
        assert answer.status_code == 200, answer.text
        assert worker.router.is_open(TENANT, RuntimeId("alice")), "it does not know of it"
        gate.open()
        await left(runtime, run_id)
        assert second.calls == []
        await admin.patch(f"{API}/admin/users/alice", json={"enabled": True})
        await second.until(1)
        with anyio.fail_after(30):
            while (await runtime.plane.runs.header(run_id)).status is not Status.COMPLETED:
                await anyio.sleep(0.02)
        assert len(second.calls) == 1


async def a_run_of(runtime: RuntimeContext, script: str) -> RunId:
    """Bear a run that plays a script."""
    run_id = RunId(new_id())
    at = text_of(runtime.clock.now())
    birth = Birth(run_id, script, ProgramRef("test", None, script), at, run_id, SessionId("s"))
    await runtime.plane.runs.commit(Commit(born(birth, {})))
    return run_id


async def left(runtime: RuntimeContext, run_id: RunId) -> None:
    """Wait until the second effect of a run was given back, to be tried again later."""
    plane: Any = runtime.plane
    asked = Sql(text("SELECT holder FROM outbox WHERE disposition = 'pending'"))
    with anyio.fail_after(30):
        while True:
            header = await plane.runs.header(run_id)
            with plane.database.reading() as session:
                rows = session.all(asked)
            if header.seq >= 3 and [holder for (holder,) in rows] == [None]:
                return
            await anyio.sleep(0.02)
