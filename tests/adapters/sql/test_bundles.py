"""Versions of a bundle are remembered where nobody else can change them; marks and births in two processes see each other."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

import anyio
import pytest

from perdure.adapters.sql.bundles import REMEMBERED_MAX, SqlBundles
from perdure.adapters.sql.plane import Pools, SqlPlane
from perdure.ids import BundleSha
from perdure.kernel.draft import born
from perdure.kernel.model import ProgramRef
from perdure.stores.bundles import Installed, Word
from perdure.stores.runs import Commit
from tests.support.builders import AT, a_birth
from tests.support.driving import LEASED_UNTIL
from tests.support.planes import Store, a_store

pytestmark = pytest.mark.anyio
FACTS: Final = Installed("b", "1.0.0", BundleSha(sha256(b"one").hexdigest()), 3, AT, AT, {})
MARK: Final = {"at": AT, "reason": "old"}
WORD: Final = Word("test", "hear", AT)
WAITERS: Final = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Rows:
    """A database of one table: it reads what stands there, when `open` is set."""

    def __init__(self) -> None:
        """Begin with one version of every bundle."""
        self.versions, self.reads = ["1"], 0
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, _read: Callable[[Any], Any]) -> list[tuple[Any, ...]]:
        """What stands there as the look begins, told when it may be."""
        self.reads += 1
        rows = [("b", it, "0" * 64, 1, "", "", b"{}", b"{}", 0) for it in self.versions]
        await self.open.wait()
        return rows

    async def work(
        self, _work: Callable[[Any], Any], *, then: Callable[[], None], **_due: str | None
    ) -> int:
        """Take every version away."""
        self.versions = []
        then()
        return 1

    def kept(self, _entry: None) -> None:
        """Hear of no entry."""


def bundles_of(rows: Rows, *, alone: bool = True) -> SqlBundles:
    """The bundles of a plane on these rows."""
    it = cast(Any, rows)
    return SqlBundles(it, it, cast(Any, None), it, alone=alone)


async def seen(bundles: SqlBundles, bundle_id: str = "b") -> list[str]:
    """The versions that a start would see."""
    return [it.bundle_version for it in await bundles.list(bundle_id)]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_plane_that_is_held_alone_reads_the_versions_of_a_bundle_once(alone: bool) -> None:
    rows = Rows()
    bundles = bundles_of(rows, alone=alone)
    assert [await seen(bundles) for _ in range(3)] == [["1"]] * 3
    assert rows.reads == (1 if alone else 3)


async def test_what_was_remembered_is_forgotten_by_a_change() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    assert await seen(bundles) == ["1"]
    assert await bundles.remove("b", None) == 1
    assert await seen(bundles) == []


async def test_a_look_that_began_before_a_change_is_not_remembered() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    rows.open.clear()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(seen(bundles))
        await asyncio.sleep(0)
        assert await bundles.remove("b", None) == 1
        rows.open.set()
    assert early.result() == ["1"]
    assert await seen(bundles) == []


async def test_so_many_are_remembered_and_no_more() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    for number in range(REMEMBERED_MAX):
        await seen(bundles, str(number))
    await seen(bundles, "0")
    assert rows.reads == REMEMBERED_MAX
    await seen(bundles, "one more")
    await seen(bundles, "0")
    assert rows.reads == REMEMBERED_MAX + 2


# --- two processes ------------------------------------------------------------------------------


class Pause:
    """A transaction of one process stays open until another waits for it, or is done without."""

    def __init__(self, store: Store) -> None:
        """Hold the first transaction that comes to its end."""
        self._store, self._loop = store, asyncio.get_running_loop()
        self._used, self.begun, self.done = threading.Event(), asyncio.Event(), threading.Event()

    def probe(self, where: str) -> None:
        """Stay."""
        if where == "inside_batch" and not self._used.is_set():
            self._used.set()
            self._loop.call_soon_threadsafe(self.begun.set)
            while not self._store.tamper(WAITERS) and not self.done.wait(0.01):
                pass

    async def then(self, flow_id: str) -> None:
        """Mark a flow while the other process stays."""
        await self.begun.wait()
        await self._store.plane.bundles.deprecate("b", flow_id, MARK, WORD)
        self.done.set()


@asynccontextmanager
async def beside(folder: Path) -> AsyncIterator[tuple[Store, Pause, SqlPlane]]:
    """A plane with a bundle; what another process does with it first stays open."""
    async with a_store("postgresql", folder) as store:
        await store.plane.bundles.install(b"one", FACTS)
        pools, pause = Pools(), Pause(store)
        other = await store.place.open(store.config(probe=pause.probe, pools=pools))
        yield store, pause, other
        await other.close()
        pools.close()


async def test_a_mark_waits_for_what_is_being_born_and_tells_it(tmp_path: Path) -> None:
    birth = a_birth("run", program=ProgramRef("test", FACTS.sha256, "main"))
    async with beside(tmp_path) as (store, pause, other):
        async with anyio.create_task_group() as group:
            group.start_soon(pause.then, "main")
            await other.runs.commit(Commit(born(birth, {}), unmarked=True))
        (told,) = await store.plane.inbox.claim("me", now=AT, until=LEASED_UNTIL, limit=9)
        assert told.run_id == birth.id


async def test_of_two_marks_at_one_moment_both_stay(tmp_path: Path) -> None:
    async with beside(tmp_path) as (store, pause, other):
        async with anyio.create_task_group() as group:
            group.start_soon(pause.then, "main")
            await other.bundles.deprecate("b", "another", MARK, WORD)
        (facts,) = await store.plane.bundles.list("b")
        assert facts.deprecated == {"main": MARK, "another": MARK}
