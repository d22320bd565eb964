"""What is promised of searches: every filter, both orders, pages without gaps, and counts by sort."""

from collections.abc import Sequence
from typing import Any, cast

import psycopg
import pytest

from perdure.adapters.sql import artifact_search
from perdure.adapters.sql.artifact_search import Form, Searches, given_of
from perdure.errors import Invalid
from perdure.ids import ArtifactId
from perdure.stores.artifacts import Artifact, ArtifactQuery, Maker
from tests.support.planes import PostgresPlace, SqlitePlace, Store
from tests.support.postgres import postgres_server

pytestmark = pytest.mark.anyio


async def put(store: Store, n: int, content_type: str = "text/plain", **more: Any) -> Artifact:
    """The artifact number `n`, made on the day of that number."""
    tags = more.pop("tags", {"filename": f"file {n}.txt", "kind": "attachment"})
    made_by = more.pop("made_by", None)
    return await store.plane.artifacts.put(
        b"x" * (100 - n), owner=more.pop("owner", "session_memory_s"), content_type=content_type,
        at=f"2026-01-{n + 1:02}", tags=tags, made_by=made_by,
    )  # fmt: skip


async def found(store: Store, **query: Any) -> list[ArtifactId]:
    """The ids that a query finds."""
    return [it.id for it in (await store.plane.artifacts.search(ArtifactQuery(**query))).items]


async def test_each_filter_finds_what_it_says(store: Store) -> None:
    mine = Maker("run-1", "b@1:f", "s", "draw", "step", 3)
    image = await put(
        store, 0, "image/png", owner="run-1", made_by=mine, tags={"kind": "image", "pin": "A_b"}
    )
    text = await put(store, 1)
    queries: list[dict[str, Any]] = [
        {"owner": "run-1"}, {"run_id": "run-1"}, {"workflow_id": "b@1:f"}, {"session_id": "s"}, {"node_id": "draw"},
        {"kind": "image"}, {"modality": "image"}, {"render": "image"}, {"content_type": "image/png"},
        {"content_type": "image/*"}, {"tags": {"pin": "A_b"}}, {"tags": {"pin": "a_b", "kind": "image"}},
        {"text": "A_B"}, {"created_before": "2026-01-02"},
    ]  # fmt: skip
    for query in queries:
        assert await found(store, **query) == [image.id], query
    for query in ({"text": "FILE 1"}, {"modality": "text"}, {"created_after": "2026-01-01"}):
        assert await found(store, **query) == [text.id], query
    for query in ({"tags": {"pin": "A"}}, {"text": "a%b"}, {"content_type": "ima%/*"}):
        assert await found(store, **query) == [], query
    assert await found(store) == [text.id, image.id]


@pytest.mark.parametrize("by_size", [False, True])
@pytest.mark.parametrize("ascending", [False, True])
async def test_pages_go_on_where_the_last_one_ended(
    store: Store, by_size: bool, ascending: bool
) -> None:
    made = [(await put(store, n)).id for n in range(7)]
    right: Sequence[ArtifactId] = made if by_size != ascending else made[::-1]
    seen: list[ArtifactId] = []
    after: str | None = None
    while after is not None or not seen:
        query = ArtifactQuery(by_size=by_size, ascending=ascending, limit=3, after=after)
        page = await store.plane.artifacts.search(query)
        assert page.total == 7
        seen += [it.id for it in page.items]
        after = page.next
    assert seen == list(right)
    offset = ArtifactQuery(by_size=by_size, ascending=ascending, limit=3, offset=5)
    assert [it.id for it in (await store.plane.artifacts.search(offset)).items] == right[5:]


@pytest.mark.parametrize("by_size", [False, True])
@pytest.mark.parametrize("query", [{"text": "file"}, {"tags": {"kind": "attachment"}}])
async def test_pages_of_a_word_are_those_of_all_that_have_it(
    store: Store, query: dict[str, Any], by_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await put(store, n)).id for n in range(5)]
    await put(store, 5, tags={"name": "another"})
    right = made if by_size else made[::-1]
    page = await store.plane.artifacts.search(ArtifactQuery(**query, by_size=by_size, limit=2))
    assert page.next is not None
    after = ArtifactQuery(**query, by_size=by_size, limit=3, after=page.next)
    following = await store.plane.artifacts.search(after)
    assert [it.id for it in (*page.items, *following.items)] == list(right)
    assert (page.total, following.total, following.next) == (5, 5, None)
    monkeypatch.setattr(Searches, "_total", None)  # looked through once
    offset = ArtifactQuery(**query, by_size=by_size, limit=2, offset=2)
    page = await store.plane.artifacts.search(offset)
    assert [it.id for it in page.items] == list(right[2:4]) and page.total == 5


@pytest.mark.parametrize("cursor", ["", "?", "bm8", "WzEsMl0", "WyJhIl0"])
async def test_what_is_no_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.plane.artifacts.search(ArtifactQuery(after=cursor))


async def test_counts_are_told_by_sort(store: Store) -> None:
    maker = Maker("run-1", "b@1:f", "s", "draw")
    await put(store, 0, "image/png", made_by=maker, owner="run-1")
    for n in (1, 2):
        await put(store, n, "application/json", tags={"kind": "data"})
    counted = await store.plane.artifacts.count(ArtifactQuery())
    assert (counted.total, counted.total_bytes) == (3, 100 + 99 + 98)
    assert counted.facets == {
        "semantic_kind": {"data": 2, "attachment": 1}, "render_kind": {"json": 2, "image": 1},
        "modality": {"text": 2, "image": 1}, "content_type": {"application/json": 2, "image/png": 1},
        "workflow_id": {"b@1:f": 1}, "node_id": {"draw": 1}, "run_id": {"run-1": 1},
    }  # fmt: skip
    assert (await store.plane.artifacts.count(ArtifactQuery(modality="image"))).total == 1


async def test_no_more_are_counted_than_a_bound_and_it_says_that_there_are_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_search, "COUNTED_MAX", 3)
    for n in range(4):
        await put(store, n, "text/plain" if n else "image/png")
    page = await store.plane.artifacts.search(ArtifactQuery(limit=1))
    counted = await store.plane.artifacts.count(ArtifactQuery())
    assert (page.total, page.complete) == (counted.total, counted.complete) == (3, False)
    for offset in (0, 3):
        words = ArtifactQuery(text="file", limit=1, offset=offset)
        page = await store.plane.artifacts.search(words)
        assert (page.total, page.complete, len(page.items)) == (3, False, 1)
    assert counted.total_bytes == 99 + 98 + 97 and counted.facets["modality"] == {"text": 3}
    texts = ArtifactQuery(modality="text", limit=1)
    page, counted = (
        await store.plane.artifacts.search(texts),
        await store.plane.artifacts.count(texts),
    )
    assert (page.total, page.complete) == (counted.total, counted.complete) == (3, True)


async def test_the_last_page_says_how_many_there_are_and_nothing_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await put(store, n)
    for offset, limit, total in ((0, 3, 3), (2, 2, 3), (3, 2, 3), (9, 2, 3)):
        query = ArtifactQuery(offset=offset, limit=limit)
        assert (await store.plane.artifacts.search(query)).total == total, query
    monkeypatch.setattr(Searches, "_total", None)
    for offset, limit in ((0, 3), (1, 5)):
        query = ArtifactQuery(offset=offset, limit=limit)
        assert (await store.plane.artifacts.search(query)).total == 3
    assert (await store.plane.artifacts.search(ArtifactQuery(text="none such"))).total == 0


QUERIES = (
    ArtifactQuery(), ArtifactQuery(by_size=True), ArtifactQuery(owner="o"), ArtifactQuery(run_id="r"),
    ArtifactQuery(session_id="s"), ArtifactQuery(workflow_id="w"), ArtifactQuery(kind="k"),
    ArtifactQuery(modality="image"), ArtifactQuery(text="t"), ArtifactQuery(after="x"),
    ArtifactQuery(by_size=True, after="x"),
)  # fmt: skip


@pytest.mark.parametrize("query", [pytest.param(it, id=str(n)) for n, it in enumerate(QUERIES)])
async def test_a_page_is_read_off_an_index(store: Store, query: ArtifactQuery) -> None:
    await put(store, 0)
    form = Form(frozenset(given_of(query)), query.by_size, False, query.after is not None)
    place: object = 1 if query.by_size else "2026"
    values = {**given_of(query), "_limit": 1, "_offset": 0, "after_at": place, "after_id": "x"}
    dialect = store.plane.facts.name
    statement = Searches().statement(form)
    plan = explained(store, statement.words(dialect).text, statement.row(dialect, values)).lower()
    assert "index" in plan, plan
    assert "temp b-tree for order" not in plan, plan
    assert "->  sort" not in plan, plan


@pytest.mark.parametrize("query", [pytest.param(it, id=str(n)) for n, it in enumerate(QUERIES)])
async def test_what_is_counted_is_read_off_an_index_up_to_a_bound(
    store: Store, query: ArtifactQuery
) -> None:
    await put(store, 0)
    given = given_of(query)
    dialect = store.plane.facts.name
    finding, counting, reading = Searches().counts(frozenset(given))
    values = {**given, "_bound": 9}
    row = reading.row(dialect, values)
    assert all(9 in it.row(dialect, values) for it in (finding, counting, reading))
    plan = explained(store, reading.words(dialect).text, row).lower()
    assert "index" in plan, plan
    assert "temp b-tree for order" not in plan and "->  sort" not in plan, plan


def explained(store: Store, text: str, row: Sequence[object]) -> str:
    """How a database goes about a statement; Postgres as it does where a table is large."""
    if isinstance(store.place, SqlitePlace):
        return str(store.place.tamper(f"EXPLAIN QUERY PLAN {text}", *row))
    place = cast(PostgresPlace, store.place)
    large = "-c enable_seqscan=off -c enable_sort=off"
    with psycopg.connect(postgres_server().conninfo(), options=large) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (f'"{place.schema}"',))
        return str(connection.execute(f"EXPLAIN {text}".encode(), row).fetchall())
