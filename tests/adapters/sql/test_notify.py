"""Hints between processes: heard by the others, never by oneself, and never larger than Postgres takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import orjson
import psycopg
import pytest

from perdure.adapters.sql.notify import PAYLOAD_BYTES_MAX, PENDING_MAX, Notices, payloads_of
from perdure.adapters.sql.plane import Pools, open_postgres_plane
from perdure.ids import RunId, new_id
from perdure.kernel.draft import born
from perdure.stores.runs import Commit
from tests.support.builders import a_birth, a_run_id
from tests.support.planes import PostgresPlace, Store, shared_engine
from tests.support.postgres import postgres_server

pytestmark = pytest.mark.anyio


class Heard:
    """Hints, and a way to wait for one."""

    def __init__(self) -> None:
        self.run_ids: list[RunId | None] = []
        self._more = anyio.Event()

    def hint(self, run_id: RunId | None) -> None:
        self.run_ids.append(run_id)
        self._more.set()

    async def until(self, wanted: RunId | None, times: int = 1) -> None:
        """Wait until a hint has come so often."""
        with anyio.fail_after(30):
            while self.run_ids.count(wanted) < times:
                self._more = anyio.Event()
                await self._more.wait()


@asynccontextmanager
async def serving(*notices: Notices) -> AsyncIterator[None]:
    """Have the notices of some processes work."""
    async with anyio.create_task_group() as group:
        for one in notices:
            group.start_soon(one.serve)
        yield
        group.cancel_scope.cancel()


async def test_a_commit_is_told_to_the_other_process_and_not_to_its_own(tmp_path: Path) -> None:
    here, there = Notices(shared_engine()), Notices(shared_engine())
    heard_here, heard_there, heard_elsewhere = Heard(), Heard(), Heard()
    place, pools = PostgresPlace(tmp_path), Pools()
    config = Store(place, pools).config(on_hint=heard_here.hint)
    there.listen(place.schema, heard_there.hint)
    there.listen("other plane", heard_elsewhere.hint)
    plane = await open_postgres_plane(shared_engine(), place.schema, tmp_path, config, here)
    async with serving(here, there):
        await heard_here.until(None)
        await heard_there.until(None)
        await plane.runs.commit(Commit(born(a_birth(), {})))
        await heard_there.until(a_run_id())
        there.tell(place.schema, [a_run_id("back")])
        await heard_here.until(a_run_id("back"))
    assert a_run_id() not in heard_here.run_ids, "who told it knows it"
    assert heard_elsewhere.run_ids == [None]
    await plane.close()
    pools.close()


async def test_a_closed_plane_hears_nothing_more(tmp_path: Path) -> None:
    notices, heard = Notices(shared_engine()), Heard()
    place, pools = PostgresPlace(tmp_path), Pools()
    config = Store(place, pools).config(on_hint=heard.hint)
    plane = await open_postgres_plane(shared_engine(), place.schema, tmp_path, config, notices)
    await plane.close()
    stop = notices.listen("beside", heard.hint)
    stop()
    stop()
    beside = Heard()
    notices.listen("beside", beside.hint)
    async with serving(notices):
        await beside.until(None)
    assert heard.run_ids == []
    pools.close()


async def test_after_a_lost_connection_everybody_looks_again() -> None:
    here, there, heard = Notices(shared_engine()), Notices(shared_engine()), Heard()
    here.listen("p", heard.hint)
    async with serving(here, there):
        await heard.until(None)
        with psycopg.connect(postgres_server().conninfo(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%')"
            )
        await heard.until(None, times=2)
        there.tell("p", [a_run_id()])
        await heard.until(a_run_id())


def test_no_payload_is_larger_than_postgres_takes() -> None:
    run_ids = [RunId(new_id()) for _ in range(1_000)]
    payloads = payloads_of("plane", run_ids)
    assert all(len(it.encode()) <= PAYLOAD_BYTES_MAX for it in payloads)
    assert [run_id for it in payloads for run_id in orjson.loads(it)["runs"]] == run_ids


def test_very_many_runs_are_told_of_as_something() -> None:
    run_ids = [RunId(new_id()) for _ in range(PENDING_MAX + 1)]
    assert [orjson.loads(it) for it in payloads_of("plane", run_ids)] == [
        {"plane": "plane", "runs": None}
    ]
