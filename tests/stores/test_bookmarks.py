"""Bookmarks: kept, found by run, tag and text, taken away, with what the audit is to know."""

import pytest

from perdure.errors import BookmarkNotFound, RunNotFound
from perdure.identity.audit import Entry
from perdure.ids import TenantId
from perdure.kernel.draft import born
from perdure.stores.bookmarks import Bookmark, BookmarkQuery
from perdure.stores.runs import Commit
from tests.support.builders import AT, a_birth, a_run_id
from tests.support.planes import Store

pytestmark = pytest.mark.anyio
ENTRY = Entry(TenantId("default"), "alice", "bookmark:write", "bookmark", at=AT)
A, B = a_run_id("a"), a_run_id("b")
FIRST = Bookmark("1", A, 3, "Before the mail", AT, "100% sure", ("good", "mail"))
SECOND = Bookmark("2", B, 0, "Start", AT, "", ("mailbox",))


@pytest.fixture(autouse=True)
async def marked(store: Store) -> None:
    """The runs whose moments are named."""
    for name in ("a", "b"):
        await store.plane.runs.commit(Commit(born(a_birth(name), {})))


async def found(store: Store, query: BookmarkQuery) -> list[str]:
    items, total = await store.plane.bookmarks.list(query)
    assert total >= len(items)
    return [item.id for item in items]


async def test_a_bookmark_comes_back_as_it_was_kept(store: Store) -> None:
    await store.plane.bookmarks.add(FIRST)
    assert await store.plane.bookmarks.get("1") == FIRST
    with pytest.raises(BookmarkNotFound):
        await store.plane.bookmarks.get("2")


async def test_of_a_run_that_was_purged_meanwhile_none_is_kept(store: Store) -> None:
    with pytest.raises(RunNotFound):
        await store.plane.bookmarks.add(FIRST._replace(run_id=a_run_id("purged")), ENTRY)
    assert await found(store, BookmarkQuery()) == []


async def test_bookmarks_are_found_by_run_by_whole_tag_and_by_any_part_of_the_text(
    store: Store,
) -> None:
    for bookmark in (FIRST, SECOND):
        await store.plane.bookmarks.add(bookmark)
    assert await found(store, BookmarkQuery()) == ["2", "1"]
    assert await found(store, BookmarkQuery(run_id=A)) == ["1"]
    assert await found(store, BookmarkQuery(tag="MAIL")) == ["1"]
    assert await found(store, BookmarkQuery(text="mail")) == ["2", "1"]
    assert await found(store, BookmarkQuery(text="0% s")) == ["1"]
    assert await found(store, BookmarkQuery(text="0_")) == []
    assert await found(store, BookmarkQuery(limit=1, offset=1)) == ["1"]


async def test_what_is_taken_away_is_gone_and_on_record(store: Store) -> None:
    await store.plane.bookmarks.add(FIRST, ENTRY)
    await store.plane.bookmarks.remove("1", ENTRY)
    with pytest.raises(BookmarkNotFound):
        await store.plane.bookmarks.remove("1", ENTRY)
    assert len(await store.plane.audit.pending(limit=9)) == 2
