"""What is promised of drawings: kept as they are, never overwritten unseen, and bounded."""

import pytest

from perdure.errors import FlowNotFound, LimitReached
from perdure.identity.audit import Entry
from perdure.ids import TenantId
from perdure.stores.drawings import Drawing
from tests.support.builders import AT
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

MOST = 10
ENTRY = Entry(TenantId("default"), "alice", "drawing:write", "drawing", at=AT)


def a_drawing(drawing_id: str = "a", at: str = AT, **body: object) -> Drawing:
    """A drawing of nearly nothing."""
    return Drawing(drawing_id, {"name": "Grüße", "nodes": [], **body}, AT, at)


async def test_a_drawing_is_kept_as_it_is(store: Store) -> None:
    drawing = a_drawing(edges=[{"id": 1}])
    assert await store.plane.drawings.add(drawing, most=MOST)
    await store.open_again()
    assert await store.plane.drawings.get("a") == drawing
    with pytest.raises(FlowNotFound):
        await store.plane.drawings.get("b")


async def test_an_id_is_given_once(store: Store) -> None:
    drawing = a_drawing()
    assert await store.plane.drawings.add(drawing, most=MOST)
    assert not await store.plane.drawings.add(a_drawing(other=1), most=MOST)
    assert await store.plane.drawings.get("a") == drawing


async def test_the_one_changed_last_comes_first(store: Store) -> None:
    for n, name in enumerate("bca"):
        await store.plane.drawings.add(a_drawing(name, f"2026-01-0{n + 1}"), most=MOST)
    assert [it.id for it in await store.plane.drawings.list()] == ["a", "c", "b"]


async def test_what_somebody_changed_meanwhile_is_not_overwritten(store: Store) -> None:
    first = a_drawing()
    await store.plane.drawings.add(first, most=MOST)
    second = a_drawing(at="2027", nodes=[1])
    assert await store.plane.drawings.replace(second, first)
    assert not await store.plane.drawings.replace(a_drawing(at="2028"), first)
    assert await store.plane.drawings.get("a") == second


async def test_there_are_at_most_so_many(store: Store) -> None:
    assert await store.plane.drawings.add(a_drawing("a"), most=1)
    with pytest.raises(LimitReached):
        await store.plane.drawings.add(a_drawing("b"), most=1)
    assert await store.plane.drawings.remove("a")
    assert not await store.plane.drawings.remove("a")
    assert await store.plane.drawings.add(a_drawing("b"), most=1)


async def test_each_change_leaves_its_entry_and_what_changes_nothing_leaves_none(
    store: Store,
) -> None:
    drawings, first, second = store.plane.drawings, a_drawing(), a_drawing(at="2027")
    await drawings.add(first, most=MOST, entry=ENTRY)
    await drawings.add(first, most=MOST, entry=ENTRY)
    await drawings.replace(second, first, entry=ENTRY)
    await drawings.replace(second, first, entry=ENTRY)
    await drawings.remove("a", entry=ENTRY)
    await drawings.remove("a", entry=ENTRY)
    assert len(await store.plane.audit.pending(limit=10)) == 3
