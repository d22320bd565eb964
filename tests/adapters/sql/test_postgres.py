"""What is particular to Postgres: connections carry nothing of a plane, planes are made late, and losses are mended."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perdure.adapters.sql.control import SqlControl
from perdure.adapters.sql.counters import RUNS, Numbers, take
from perdure.adapters.sql.dialect import CommitUnknown, Session
from perdure.adapters.sql.plane import Pools, SqlPlane
from perdure.adapters.sql.postgres import BEGIN_READ, BEGIN_WRITE, PostgresDatabase, postgres_engine
from perdure.errors import StoreFailed, VersionConflict
from perdure.kernel.draft import born
from perdure.kernel.model import Hold
from perdure.stores.inbox import Message
from perdure.stores.runs import Commit, Request, RunQuery
from tests.support.branches import Ask, Branches, Do
from tests.support.builders import AT, a_birth, a_run_id
from tests.support.driving import a_driven_run
from tests.support.planes import PostgresPlace, Store, a_store, shared_engine
from tests.support.postgres import postgres_server

pytestmark = pytest.mark.anyio


def schemas() -> set[str]:
    """The schemas that are there."""
    with shared_engine().connect() as connection:
        rows = connection.exec_driver_sql("SELECT nspname FROM pg_namespace").all()
    return {name for (name,) in rows}


async def test_a_connection_that_goes_back_sees_no_plane(tmp_path: Path) -> None:
    async with a_store("postgresql", tmp_path) as store:
        driven = await a_driven_run(store.plane, Branches((Do(),)))
        with pytest.raises(VersionConflict):
            await store.plane.runs.commit(Commit(born(a_birth(), {})))
        await store.plane.runs.list(RunQuery())
        await driven.arrive("0.0")
        with shared_engine().connect() as connection:
            path = connection.exec_driver_sql("SHOW search_path").scalar()
            assert path == '"$user", public'
            seen = connection.exec_driver_sql("SELECT to_regclass('runs')").scalar()
            assert seen is None
            prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements")
            assert prepared.scalar() == 0


async def test_a_plane_is_made_when_it_is_first_used(tmp_path: Path) -> None:
    pools = Pools()
    place = PostgresPlace(tmp_path)
    store = Store(place, pools)
    plane = await place.open(store.config())
    assert place.schema not in schemas()
    await plane.runs.commit(Commit(born(a_birth(), {})))
    assert place.schema in schemas()
    await plane.close()
    pools.close()


async def test_eight_processes_may_make_a_plane_at_once(tmp_path: Path) -> None:
    pools = Pools()
    place = PostgresPlace(tmp_path)
    store = Store(place, pools)
    planes = await asyncio.gather(*(place.open(store.config()) for _ in range(8)))
    births = (
        plane.runs.commit(Commit(born(a_birth(f"run {n}"), {}))) for n, plane in enumerate(planes)
    )
    await asyncio.gather(*births)
    assert len(await planes[0].runs.load([a_run_id(f"run {n}") for n in range(8)])) == 8
    for plane in planes:
        await plane.close()
    pools.close()


async def test_a_process_that_is_behind_is_refused_and_catches_up(tmp_path: Path) -> None:
    async with a_store("postgresql", tmp_path) as store:
        here = await a_driven_run(store.plane, Branches((Ask(),), (Ask(),)))
        beside = await store.place.open(store.config())
        there = await a_driven_run(beside, Branches((Ask(),), (Ask(),)), "other")
        there.run, there.cells = here.run, dict(here.cells)
        await there.answer("0.0")
        with pytest.raises(VersionConflict):
            await here.answer("1.0")
        loaded = (await store.plane.runs.load([here.id]))[here.id]
        here.run, here.cells = loaded.run, loaded.cells
        await here.answer("1.0")
        assert (await beside.runs.verify(here.id)).ok
        await beside.close()


async def test_two_processes_that_write_the_same_runs_never_wait_for_ever(tmp_path: Path) -> None:
    async with a_store("postgresql", tmp_path) as store:
        runs = [await a_driven_run(store.plane, Branches((Ask(),)), f"run {n}") for n in range(30)]
        beside = await store.place.open(store.config())
        commits = [
            plane.runs.commit(Commit(driven.decide(Hold())))
            for plane, order in ((store.plane, runs), (beside, runs[::-1]))
            for driven in order
        ]
        ended = await asyncio.gather(*commits, return_exceptions=True)
        won = [it for it in ended if not isinstance(it, Exception)]
        lost = [it for it in ended if isinstance(it, VersionConflict)]
        assert (len(won), len(lost)) == (30, 30)
        await beside.close()


def cut(connections: int = 99) -> None:
    """End every other connection to the server."""
    with psycopg.connect(postgres_server().conninfo(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT %s", (connections,)
        )  # fmt: skip


async def test_what_is_larger_than_the_system_takes_at_once_is_sent_whole(tmp_path: Path) -> None:
    """Many large commits in one transaction: neither side waits for what the other has not sent."""
    large = {"in/text": "x" * 20_000}
    async with a_store("postgresql", tmp_path) as store:
        births = [a_birth(f"r{number}") for number in range(200)]
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(store.plane.runs.commit(Commit(born(birth, large))) for birth in births)
            )
        kept = await store.plane.runs.load([births[-1].id])
        assert kept[births[-1].id].cells == large


async def test_lost_connections_cost_nobody_an_answer(tmp_path: Path) -> None:
    async with a_store("postgresql", tmp_path) as store:
        births = [Commit(born(a_birth(f"run {n}"), {})) for n in range(20)]
        await asyncio.gather(*map(store.plane.runs.commit, births[:10]))
        cut()
        assert len((await store.plane.runs.list(RunQuery())).items) == 10
        cut()
        await asyncio.gather(*map(store.plane.runs.commit, births[10:]))
        assert len((await store.plane.runs.list(RunQuery())).items) == 20


def cut_at_the_end(monkeypatch: pytest.MonkeyPatch, begun: bytes, times: int = 1) -> list[int]:
    """Have the server end so many connections when a transaction that began so is about to commit; which."""
    execute: Any = psycopg.Connection.execute
    began: dict[int, object] = {}
    ended: list[int] = []

    def cutting(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if bytes(query).startswith(b"BEGIN"):
            began[id(self)] = query
        elif query == b"COMMIT" and began.get(id(self)) == begun and len(ended) < times:
            ended.append(self.info.backend_pid)
            with psycopg.connect(postgres_server().conninfo(), autocommit=True) as other:
                other.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", (ended[-1],))
        return execute(self, query, *args, **options)

    def execute_or_pass(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        call = cutting if isinstance(query, bytes) else execute
        return call(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute_or_pass)
    return ended


async def test_a_look_whose_end_was_cut_off_is_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing unknown about it: it wrote nothing."""
    async with a_store("postgresql", tmp_path) as store:
        driven = await a_driven_run(store.plane, Branches((Do(),)))
        before = await store.plane.runs.header(driven.id)
        ended = cut_at_the_end(monkeypatch, BEGIN_READ.encode())
        assert await store.plane.runs.header(driven.id) == before
        assert len(ended) == 1


async def test_a_look_that_is_always_cut_off_is_an_error_with_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store("postgresql", tmp_path) as store:
        driven = await a_driven_run(store.plane, Branches((Do(),)))
        cut_at_the_end(monkeypatch, BEGIN_READ.encode(), times=99)
        with pytest.raises(StoreFailed):
            await store.plane.runs.header(driven.id)
        monkeypatch.undo()


@pytest.mark.parametrize("times", [1, 99], ids=["once", "always"])
async def test_numbers_that_nobody_knows_to_be_taken_are_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async with a_store("postgresql", tmp_path) as store:
        await a_driven_run(store.plane, Branches((Do(),)))
        numbers = Numbers(store.plane.database, RUNS)
        taken = {Numbers(store.plane.database, RUNS).new()}
        cut_at_the_end(monkeypatch, BEGIN_WRITE.encode(), times)
        if times > 1:
            with pytest.raises(StoreFailed):
                numbers.new()
            monkeypatch.undo()
        got = {numbers.new() for _ in range(3)} | taken
        assert len(got | {Numbers(store.plane.database, RUNS).new()}) == 5


async def test_a_plane_whose_entry_may_be_there_is_an_error_with_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as threads:
        async with a_store("postgresql", tmp_path) as store:
            await a_driven_run(store.plane, Branches((Do(),)))
            control = SqlControl(store.plane.database, threads)
            cut_at_the_end(monkeypatch, BEGIN_WRITE.encode())
            with pytest.raises(StoreFailed, match="look whether"):
                await control._write(lambda session: take(session, RUNS))
            monkeypatch.undo()


class Unsure:
    """Commits, and loses the answer."""

    def __init__(self, plane: SqlPlane, *, keeps: bool) -> None:
        self.database: Any = plane.database
        self.really, self.keeps = self.database.writing, keeps
        self.lost = 0

    @contextmanager
    def writing(self) -> Iterator[Session]:
        if self.lost:
            with self.really() as session:
                yield session
            return
        self.lost += 1
        try:
            with self.really() as session:
                yield session
                if not self.keeps:
                    raise CommitUnknown
        finally:
            self.database.writing = self.really
        raise CommitUnknown


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "not kept"])
async def test_a_commit_whose_answer_was_lost_is_looked_up(tmp_path: Path, keeps: bool) -> None:
    async with a_store("postgresql", tmp_path) as store:
        driven = await a_driven_run(store.plane, Branches((Do(),), (Do(),)))
        stale = Commit(driven.decide(Hold()))
        decision = driven.decide_arrival("0.0")
        database: Any = store.plane.database
        database.writing = Unsure(store.plane, keeps=keeps).writing
        request = Request("r", "h")
        commits = [
            store.plane.runs.commit(Commit(decision, holder="me", leased_until="2027")),
            store.plane.runs.commit(stale),
            store.plane.runs.commit(Commit(born(a_birth("new"), {}), request=request)),
        ]
        put = store.plane.inbox.put(Message("c", driven.id, "cancel"), body_hash="h", at=AT)
        first, second, third, fourth = await asyncio.gather(*commits, put, return_exceptions=True)
        assert isinstance(second, VersionConflict)
        assert not any(isinstance(it, Exception) for it in (first, third, fourth))
        driven.stand(decision)
        assert (await store.plane.runs.load([driven.id]))[driven.id].run.open == driven.run.open
        assert (await store.plane.runs.verify(driven.id)).ok
        await driven.arrive("1.0")


async def test_a_server_that_is_away_is_an_error_with_a_name(tmp_path: Path) -> None:
    engine = postgres_engine(f"postgresql+psycopg://postgres@/postgres?host={tmp_path}")
    database = PostgresDatabase(engine, "p", lambda _: None)
    pools = Pools()
    store = Store(PostgresPlace(tmp_path), pools)
    store.plane = SqlPlane(database, tmp_path, store.config())
    with pytest.raises(StoreFailed):
        await store.plane.runs.list(RunQuery())
    with pytest.raises(StoreFailed):
        await store.plane.runs.commit(Commit(born(a_birth(), {})))
    await store.plane.close()
    pools.close()
