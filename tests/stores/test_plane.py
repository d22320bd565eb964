"""What is promised of a plane as a whole: it answers, it stands alone, and it closes with nothing lost."""

import asyncio

import pytest

from perdure.errors import Unavailable
from perdure.kernel.draft import born
from perdure.stores.runs import Commit
from tests.support.builders import a_birth, a_run_id
from tests.support.planes import Store

pytestmark = pytest.mark.anyio


async def test_a_plane_answers_that_it_is_ready(store: Store) -> None:
    await store.plane.ready()


async def test_a_plane_says_whether_others_can_hold_it(store: Store) -> None:
    facts = store.plane.facts
    assert store.plane.alone == facts.alone
    if facts.alone:
        with pytest.raises(Unavailable, match="another process holds this plane"):
            await store.place.open(store.config())
    else:
        beside = await store.place.open(store.config())
        await store.plane.runs.commit(Commit(born(a_birth(), {})))
        assert a_run_id() in await beside.runs.load([a_run_id()])
        await beside.close()


async def test_closing_finishes_what_was_handed_in(store: Store) -> None:
    births = [Commit(born(a_birth(f"run {n}"), {})) for n in range(600)]
    commits = [asyncio.ensure_future(store.plane.runs.commit(it)) for it in births]
    await asyncio.sleep(0)
    await store.plane.close()
    assert all(it.done() for it in commits)
    await store.plane.close()
    with pytest.raises(Unavailable):
        await store.plane.runs.commit(births[0])
    store.plane = await store.place.open(store.config())
    ids = [a_run_id(f"run {n}") for n in range(600)]
    assert len(await store.plane.runs.load(ids)) == 600


async def test_a_caller_that_gives_up_takes_nothing_back(store: Store) -> None:
    committing = asyncio.ensure_future(store.plane.runs.commit(Commit(born(a_birth(), {}))))
    await asyncio.sleep(0)
    committing.cancel()
    await store.plane.ready()
    assert a_run_id() in await store.plane.runs.load([a_run_id()])
    assert [it.decision.run.id for it in store.committed] == [a_run_id()]


async def test_probes_are_passed_in_the_order_of_a_commit(store: Store) -> None:
    store.probed.clear()
    await store.plane.runs.commit(Commit(born(a_birth(), {})))
    passed = [name for name in store.probed if name != "migration"]
    assert passed == ["before_commit", "inside_batch", "after_commit"]


async def test_two_planes_share_nothing(store: Store) -> None:
    other = type(store.place)(store.place.artifacts.parent / "other")  # type: ignore[call-arg]  # both take a folder
    beside = await other.open(store.config())
    await store.plane.runs.commit(Commit(born(a_birth(), {})))
    await store.plane.artifacts.put(b"x", owner="a", content_type="text/plain", at="2026")
    assert await beside.runs.load([a_run_id()]) == {}
    assert await beside.artifacts.list(["a"], limit=1, offset=0) == ([], 0)
    await beside.close()
