"""A purge, and a fork of what it takes, at one moment in two processes on one Postgres: one of them is first."""

import asyncio
import threading
import time
from pathlib import Path

import anyio
import pytest

from perdure.adapters.sql.plane import Pools
from perdure.ids import RunId
from perdure.kernel.draft import born
from perdure.kernel.model import Point
from perdure.stores.purges import Purged
from perdure.stores.runs import Commit
from tests.support.builders import AT, a_birth
from tests.support.planes import Store, a_store

pytestmark = pytest.mark.anyio
PATIENCE_S = 30.0
WAITERS = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def ended(store: Store) -> RunId:
    """A run that has ended, with an artifact."""
    origin = a_birth("origin")
    await store.plane.runs.commit(Commit(born(origin, {})))
    store.tamper("UPDATE runs SET status = 'completed', ready = 0 WHERE id = ?", origin.id)
    await store.plane.artifacts.put(b"a", owner=origin.id, content_type="text/plain", at=AT)
    return origin.id


async def test_a_purge_waits_for_the_fork_that_is_being_born(tmp_path: Path) -> None:
    loop, begun, forked = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    purged: list[Purged] = []
    async with a_store("postgresql", tmp_path) as store:
        origin = await ended(store)

        def held(where: str) -> None:
            """Stay in the fork's transaction until the purge waits for it."""
            if where == "inside_batch" and not forked.is_set():
                forked.set()
                loop.call_soon_threadsafe(begun.set)
                until = time.monotonic() + PATIENCE_S
                while not store.tamper(WAITERS) and time.monotonic() < until:
                    time.sleep(0.01)

        async def purge() -> None:
            await begun.wait()
            purged.append(await store.plane.purges.purge([origin], artifacts=True))

        pools = Pools()  # of the other process
        beside = await store.place.open(store.config(probe=held, pools=pools))
        async with anyio.create_task_group() as group:
            group.start_soon(purge)
            fork = a_birth("fork", forked_from=Point(origin, 0))
            await beside.runs.commit(Commit(born(fork, {})))
        await beside.close()
        pools.close()
    assert purged == [Purged([origin], 0)]
