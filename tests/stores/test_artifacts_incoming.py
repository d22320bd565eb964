"""What is promised of bytes on their way in: flat, whole or not at all, within the quota, swept when nothing names them."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.disk.receiving import Receiving
from perdure.errors import QuotaReached, StoreFailed
from perdure.identity.audit import Entry
from perdure.ids import TenantId
from perdure.kernel.model import Point
from perdure.stores.artifacts import Artifact, Maker, Named
from tests.stores.test_purges import lived
from tests.support.builders import AT, a_run_id
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LONG_AGO, LATER = 1_000.0, 2_000.0
PATIENCE_S = 30.0  # for what is sure to come
MAKER = Maker("run", "b@1:f", "s", "node", "step", 7)


async def sent(
    store: Store, content: bytes, owner: str = "session_memory_s", **named: object
) -> Artifact:
    """Send bytes in three pieces."""
    async with store.plane.artifacts.incoming() as incoming:
        third = len(content) // 3
        for piece in (content[:third], content[third : 2 * third], content[2 * third :]):
            await incoming.write(piece)
        assert incoming.size_bytes == len(content)
        assert incoming.head == content[: 8 * 1024]
        return await incoming.keep(Named(owner, "text/plain", AT, **named))  # type: ignore[arg-type]  # by the names of fields


def files(store: Store) -> list[Path]:
    """What lies on the disk."""
    return [it for it in store.place.artifacts.rglob("*") if it.is_file()]


async def test_what_came_is_what_a_put_would_have_made(store: Store) -> None:
    kept = await sent(
        store, b"hello" * 10_000, tags={"filename": "ä.txt"}, session_id="s", kind="attachment"
    )
    put = await store.plane.artifacts.put(
        b"hello" * 10_000, owner="session_memory_s", content_type="text/plain", at="2027"
    )
    assert put == kept
    assert (kept.session_id, kept.kind, kept.made_by) == ("s", "attachment", None)
    assert b"".join([it async for it in store.plane.artifacts.read(kept)]) == b"hello" * 10_000
    assert (
        b"".join([it async for it in store.plane.artifacts.read(kept, start=3, end=7)]) == b"lohe"
    )


async def test_who_made_it_is_known(store: Store) -> None:
    kept = await store.plane.artifacts.put(
        b"x", owner="run", content_type="image/png", at=AT, made_by=MAKER
    )
    await store.open_again()
    assert (await store.plane.artifacts.get(kept.id)).made_by == MAKER


async def test_what_is_given_up_leaves_nothing(store: Store) -> None:
    async with store.plane.artifacts.incoming() as incoming:
        await incoming.write(b"hello")
    with pytest.raises(asyncio.CancelledError):
        async with store.plane.artifacts.incoming() as incoming:
            await incoming.write(b"hello")
            raise asyncio.CancelledError
    assert files(store) == []
    assert await store.plane.artifacts.list(["session_memory_s"], limit=1, offset=0) == ([], 0)


async def test_the_quota_holds_on_both_sides_of_it(store: Store) -> None:
    await sent(store, b"12345", quota_bytes=5)
    await sent(store, b"12345", quota_bytes=5)  # which is there, and takes no more room
    with pytest.raises(QuotaReached) as refused:
        await sent(store, b"6", quota_bytes=5)
    assert refused.value.facts == {"quota_bytes": 5, "used_bytes": 5}
    assert len(files(store)) == 1
    await sent(store, b"6", quota_bytes=6)


async def test_a_disk_that_takes_nothing_is_told_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Receiving, "write", refuse)
    with pytest.raises(StoreFailed, match="No space left"):
        await sent(store, b"hello")
    assert files(store) == []


async def test_an_upload_is_on_record_once(store: Store) -> None:
    entry = Entry(TenantId("default"), "alice", "artifact:write", "artifact", at=AT)
    kept = await sent(store, b"hello", entry=entry)
    await sent(store, b"hello", entry=entry)
    (pending,) = await store.plane.audit.pending(limit=10)
    assert kept.id.encode() in pending.body


async def test_a_sweep_takes_what_nothing_names(store: Store) -> None:
    kept = await sent(store, b"kept")
    gone = await sent(store, b"gone" * 5)
    store.place.tamper("DELETE FROM artifacts WHERE id = ?", gone.id)
    assert (await store.plane.artifacts.sweep(before=LONG_AGO)).files == 0
    for path in files(store):
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert await store.plane.artifacts.sweep(before=LATER) == (1, 20)
    assert [it.name for it in files(store)] == [kept.sha256]


def aged(store: Store) -> None:
    """Let everything have been put long ago."""
    for path in files(store):
        os.utime(path, (LONG_AGO, LONG_AGO))


async def sent_again(store: Store) -> Artifact:
    """A file that somebody sends once more."""
    return await sent(store, b"again")


async def put_again(store: Store) -> Artifact:
    """A value that a run makes once more."""
    return await store.plane.artifacts.put(b"again", owner="run", content_type="text/plain", at=AT)


@pytest.mark.parametrize("how", [sent_again, put_again])
async def test_what_comes_again_in_the_middle_of_a_sweep_stays(
    store: Store,
    how: Callable[[Store], Coroutine[Any, Any, Artifact]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = await sent(store, b"again")
    store.place.tamper("DELETE FROM artifacts WHERE id = ?", gone.id)
    aged(store)
    loop, content = asyncio.get_running_loop(), store.plane.artifacts.content
    remove, came = content.remove, []

    def late(digests: Sequence[str], before: float) -> tuple[int, int]:
        """After the sweep has seen that nothing names them, let them come once more."""
        came.append(asyncio.run_coroutine_threadsafe(how(store), loop).result(PATIENCE_S))
        return remove(digests, before)

    monkeypatch.setattr(content, "remove", late)
    assert await store.plane.artifacts.sweep(before=LATER) == (0, 0)
    (kept,) = came
    assert b"".join([it async for it in store.plane.artifacts.read(kept)]) == b"again"


async def test_what_a_fork_reads_outlives_its_origin_and_every_sweep(store: Store) -> None:
    origin, fork = await lived(store, "origin"), a_run_id("fork")
    await lived(store, "fork", forked_from=Point(origin, 0))
    for roots, left in (([origin], 2), ([fork], 1)):
        await store.plane.purges.purge(roots, artifacts=True)
        aged(store)
        await store.plane.artifacts.sweep(before=LATER)
        assert len(files(store)) == left


async def test_the_next_sweep_is_planned_for_whoever_has_the_plane(store: Store) -> None:
    artifacts = store.plane.artifacts
    await artifacts.plan_sweep(5)
    assert await artifacts.sweep_due() is None, "nothing was ever put"
    await sent(store, b"hello")
    assert await artifacts.sweep_due() == 0
    await artifacts.plan_sweep(LATER)
    await store.open_again()
    assert await store.plane.artifacts.sweep_due() == LATER
    await store.plane.artifacts.plan_sweep(LONG_AGO)
    assert await store.plane.artifacts.sweep_due() == LONG_AGO
    assert len(files(store)) == 1


async def test_a_disk_that_is_not_swept_is_told_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(5, "Input/output error")

    await sent(store, b"hello")
    monkeypatch.setattr(store.plane.artifacts.content, "plan_sweep", refuse)
    with pytest.raises(StoreFailed, match="not swept: Input/output error"):
        await store.plane.artifacts.plan_sweep(LATER)


async def test_bytes_that_two_name_stay_until_neither_does(store: Store) -> None:
    first, second = await sent(store, b"same", "one"), await sent(store, b"same", "two")
    for artifact, left in ((first, 1), (second, 0)):
        store.place.tamper("DELETE FROM artifacts WHERE id = ?", artifact.id)
        for path in files(store):
            os.utime(path, (LONG_AGO, LONG_AGO))
        await store.plane.artifacts.sweep(before=LATER)
        assert len(files(store)) == left
