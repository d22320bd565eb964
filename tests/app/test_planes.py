"""The plane of single-token mode, opened in SQLite and in Postgres."""

from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from perdure.app.build import App, build
from perdure.app.settings import read_settings
from perdure.clock import text_of
from perdure.errors import Unavailable
from perdure.ids import RunId, SessionId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import Birth, ProgramRef, Status
from perdure.stores.runs import Commit
from tests.support.postgres import serving_postgres

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
