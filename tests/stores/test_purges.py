"""What is promised of purges: whole trees or nothing of them, and what a fork still reads stays."""

from typing import Any

import anyio
import pytest

from perdure.errors import RunNotFound
from perdure.identity.audit import Entry
from perdure.ids import RunId, TenantId
from perdure.kernel.draft import born
from perdure.kernel.model import Point
from perdure.stores.runs import Commit
from tests.support.builders import AT, a_birth, a_run_id
from tests.support.planes import Store

pytestmark = pytest.mark.anyio


async def lived(store: Store, name: str, status: str = "completed", **birth: Any) -> RunId:
    """A run that stands like this, with an artifact of its own."""
    run = a_birth(name, **birth)
    await store.plane.runs.commit(Commit(born(run, {"in/a": name})))
    store.place.tamper("UPDATE runs SET status = ?, ready = 0 WHERE id = ?", status, run.id)
    await store.plane.artifacts.put(name.encode(), owner=run.id, content_type="text/plain", at=AT)
    return run.id


async def is_there(store: Store, run_id: RunId) -> bool:
    """Whether a run is known."""
    try:
        await store.plane.runs.header(run_id)
    except RunNotFound:
        return False
    return True


async def owned(store: Store, run_id: RunId) -> int:
    """How many artifacts a run has."""
    return (await store.plane.artifacts.list([run_id], limit=9, offset=0))[1]


async def test_a_tree_goes_whole_with_what_it_has(store: Store) -> None:
    root = await lived(store, "root")
    child = await lived(store, "child", root_id=root, parent_id=root, depth=1)
    other = await lived(store, "other")
    purged = await store.plane.purges.purge([root], artifacts=True)
    assert (set(purged.runs), purged.artifacts) == ({root, child}, 2)
    assert [await is_there(store, it) for it in (root, child, other)] == [False, False, True]
    assert [await owned(store, it) for it in (root, child, other)] == [0, 0, 1]
    for table in ("ledger", "cells", "outbox", "waits"):
        rows = store.place.tamper(f"SELECT run FROM {table} WHERE run NOT IN (SELECT pk FROM runs)")
        assert rows == [], table


async def test_a_tree_with_a_run_that_moves_stays_whole(store: Store) -> None:
    root = await lived(store, "root")
    child = await lived(store, "child", "running", root_id=root, parent_id=root, depth=1)
    assert await store.plane.purges.purge([root], artifacts=True) == ((), 0)
    assert [await is_there(store, it) for it in (root, child)] == [True, True]


async def test_artifacts_stay_where_they_are_to(store: Store) -> None:
    root = await lived(store, "root")
    assert (await store.plane.purges.purge([root], artifacts=False)).artifacts == 0
    assert await owned(store, root) == 1


async def test_what_a_fork_reads_stays_until_the_fork_goes_as_well(store: Store) -> None:
    origin = await lived(store, "origin")
    fork = await lived(store, "fork", forked_from=Point(origin, 0))
    both = await lived(store, "both")
    await lived(store, "its fork", forked_from=Point(both, 0))
    assert (await store.plane.purges.purge([origin], artifacts=True)).artifacts == 0
    assert (await owned(store, origin), await is_there(store, fork)) == (1, True)
    purged = await store.plane.purges.purge([both, a_run_id("its fork")], artifacts=True)
    assert purged.artifacts == 2


async def test_what_a_fork_reads_through_another_and_of_a_child_stays(store: Store) -> None:
    """The origin and its fork go; the fork of that fork was forked from what they made."""
    origin = await lived(store, "origin")
    child = await lived(store, "child", root_id=origin, parent_id=origin, depth=1)
    fork = await lived(store, "fork", forked_from=Point(origin, 0))
    last = await lived(store, "last", forked_from=Point(fork, 0))
    assert (await store.plane.purges.purge([origin, fork], artifacts=True)).artifacts == 0
    assert [await owned(store, it) for it in (origin, child, fork, last)] == [1, 1, 1, 1]


async def test_a_fork_that_was_forked_stays_until_its_fork_goes(store: Store) -> None:
    """By it the last one is known to read what the first one made, whenever that is purged."""
    first = await lived(store, "first")
    fork = await lived(store, "fork", forked_from=Point(first, 0))
    below = await lived(store, "below", root_id=fork, parent_id=fork, depth=1)
    last = await lived(store, "last", forked_from=Point(fork, 0))
    for artifacts in (True, False):
        assert await store.plane.purges.purge([fork], artifacts=artifacts) == ((), 0)
    assert await store.plane.purges.purge([first], artifacts=True) == ([first], 0)
    assert [await owned(store, it) for it in (first, fork, below)] == [1, 1, 1]
    assert set((await store.plane.purges.purge([fork, last], artifacts=True)).runs) == {
        fork, below, last,
    }  # fmt: skip


async def test_what_a_fork_of_a_tree_that_moves_reads_stays(store: Store) -> None:
    origin = await lived(store, "origin")
    fork = await lived(store, "fork", "running", forked_from=Point(origin, 0))
    purged = await store.plane.purges.purge([origin, fork], artifacts=True)
    assert (purged.runs, purged.artifacts) == ([origin], 0)


async def test_a_fork_whose_origin_is_gone_is_not_born(store: Store) -> None:
    """It was read before the purge, and what its cells name was taken away."""
    origin = await lived(store, "origin")
    await store.plane.purges.purge([origin], artifacts=True)
    other = born(a_birth("other"), {})
    fork = born(a_birth("fork", forked_from=Point(origin, 0)), {})
    async with anyio.create_task_group() as group:
        group.start_soon(store.plane.runs.commit, Commit(other))  # of the same batch
        with pytest.raises(RunNotFound):
            await store.plane.runs.commit(Commit(fork))
    assert await is_there(store, a_run_id("other"))
    assert not await is_there(store, a_run_id("fork"))


async def test_a_purge_that_takes_something_is_on_record(store: Store) -> None:
    entry = Entry(TenantId("default"), "alice", "run:purge", "run", at=AT)
    root = await lived(store, "root")
    for _ in range(2):
        await store.plane.purges.purge([root], artifacts=True, entry=entry)
    assert len(await store.plane.audit.pending(limit=10)) == 1
