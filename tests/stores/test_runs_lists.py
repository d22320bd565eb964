"""What is promised of lists and summaries: everything that they show, without reading a ledger."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from perdure.clock import text_of
from perdure.errors import Invalid
from perdure.ids import SessionId
from perdure.kernel.draft import born
from perdure.kernel.model import Cancel, EffectClass, Event, Failed, Hold, Ok, Status, Unknown
from perdure.kernel.program import Moment, Move, View
from perdure.stores.runs import Commit, RunQuery
from tests.support.branches import Ask, Branches, Call, Do, Listen, Sleep
from tests.support.builders import AT, a_birth, a_question, a_run_id
from tests.support.clock import START
from tests.support.driving import Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LATER = "2026-01-01T00:02:00.000000+00:00"


async def births(store: Store, count: int, **changes: object) -> Sequence[str]:
    """Runs born a second apart; their names, newest first."""
    names = [f"run {n}" for n in range(count)]
    await asyncio.gather(*(
        store.plane.runs.commit(Commit(born(
            a_birth(name, created_at=text_of(START + timedelta(seconds=n)), **changes), {}
        )))
        for n, name in enumerate(names)
    ))  # fmt: skip
    return names[::-1]


async def found(store: Store, **query: object) -> set[str]:
    """The programs' names of the runs that a query finds."""
    page = await store.plane.runs.list(RunQuery(**query))  # type: ignore[arg-type]  # by name
    return {header.birth.program.name for header in page.items}


async def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat(store: Store) -> None:
    names = await births(store, 7)
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await store.plane.runs.list(RunQuery(limit=3, after=after))
        seen += [header.birth.program.name for header in page.items]
        after = page.next
        if after is None:
            break
        await store.plane.runs.commit(Commit(born(a_birth(f"new {after}", created_at="2027"), {})))
    assert seen == names


async def test_a_page_that_takes_all_has_no_next(store: Store) -> None:
    await births(store, 3)
    assert (await store.plane.runs.list(RunQuery(limit=3))).next is None
    assert (await store.plane.runs.list(RunQuery(limit=2))).next is not None


async def test_runs_of_one_instant_are_paged_without_gap_or_repeat(store: Store) -> None:
    await asyncio.gather(
        *(store.plane.runs.commit(Commit(born(a_birth(f"{n}"), {}))) for n in range(5))
    )
    first = await store.plane.runs.list(RunQuery(limit=2))
    second = await store.plane.runs.list(RunQuery(limit=9, after=first.next))
    ids = [header.birth.id for header in (*first.items, *second.items)]
    assert len(set(ids)) == len(ids) == 5


@pytest.mark.parametrize("cursor", ["", "nonsense", "!!", "WyJhIl0", "WzEsMl0", "\ud800", "é"])
async def test_a_cursor_of_nobody_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.plane.runs.list(RunQuery(after=cursor))


async def test_lists_are_narrowed_by_what_runs_are(store: Store) -> None:
    parent = await a_driven_run(
        store.plane, Branches((Call(),)), "parent", session_id=SessionId("s1")
    )
    other = await a_driven_run(store.plane, Branches((Do(),)), "other", workflow_id="b@1:other")
    await other.deliver(Cancel())
    assert await found(store) == {"parent", "other", "child"}
    assert await found(store, root_only=True) == {"parent", "other"}
    assert await found(store, parent_id=parent.id) == {"child"}
    assert await found(store, root_id=parent.id) == {"parent", "child"}
    assert await found(store, session_id="s1") == {"parent", "child"}
    assert await found(store, workflow_id="b@1:other") == {"other"}
    assert await found(store, status=Status.CANCELLED) == {"other"}
    assert await found(store, status=Status.WAITING, session_id="s1") == {"parent"}
    assert await found(store, status=Status.FAILED) == set()


async def test_lists_are_narrowed_by_time(store: Store) -> None:
    await births(store, 5)
    second, fourth = (text_of(START + timedelta(seconds=n)) for n in (1, 3))
    assert await found(store, created_after=second) == {"run 2", "run 3", "run 4"}
    assert await found(store, created_before=fourth) == {"run 0", "run 1", "run 2"}
    assert await found(store, created_after=second, created_before=fourth) == {"run 2"}


async def test_internal_runs_and_drafts_are_shown_only_when_asked_for(store: Store) -> None:
    draft = {"purpose": "draft_test"}
    for name, changes in (
        ("plain", {}),
        ("draft", {"lifecycle": draft}),
        ("hidden", {"workflow_id": "__inner__"}),
    ):
        await store.plane.runs.commit(Commit(born(a_birth(name, **changes), {})))
    assert await found(store) == {"plain"}
    assert await found(store, drafts=True) == {"plain", "draft"}
    assert await found(store, hidden=True) == {"plain", "hidden"}
    assert await found(store, workflow_id="__inner__") == {"hidden"}


async def test_a_text_is_looked_for_in_ids_workflows_errors_and_prompts(store: Store) -> None:
    failed = await a_driven_run(store.plane, Branches((Do(),), fragile=True), "failed")
    await failed.arrive("0.0", Failed("broken", "100% of it"))
    await store.plane.runs.commit(Commit(born(a_birth("asked", prompt="Sing a_song"), {})))
    await store.plane.runs.commit(Commit(born(a_birth("flow", workflow_id="songs@1:main"), {})))
    assert await found(store, text="SONG") == {"asked", "flow"}
    assert await found(store, text="a_song") == {"asked"}
    assert await found(store, text="100%") == {"failed"}
    assert await found(store, text="%") == {"failed"}
    assert await found(store, text="!") == set()
    assert await found(store, text=a_run_id("flow")[:13]) == {"flow"}


async def test_a_summary_shows_the_run_as_it_stands(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(), Ask())), prompt="go")
    await driven.arrive("0.0", Ok(1, {"tool_calls": 2, "tokens_out": 5}))
    run = driven.run
    header = await store.plane.runs.header(driven.id)
    assert header.birth == run.birth
    assert (header.version, header.status, header.seq) == (run.version, Status.WAITING, 3)
    assert (header.node_id, header.updated_at) == (run.node_id, run.updated_at)
    assert header.usage == run.usage
    assert header.waiting["wait_key"] == driven.key("0.1")
    assert header.waiting["prompt"] == "0.1?"
    assert header.blocked is not None
    assert (header.blocked.kind, header.blocked.key) == ("question", driven.key("0.1"))
    (listed,) = (await store.plane.runs.list(RunQuery())).items
    assert listed == header


async def blocked(driven: Driven) -> str:
    """What a summary says that the run waits for."""
    header = await driven.plane.runs.header(driven.id)
    return "nothing" if header.blocked is None else header.blocked.kind


@pytest.mark.parametrize(
    ("program", "word"),
    [
        (Branches((Do(),)), "effect"), (Branches((Do(),), (Ask(),)), "question"),
        (Branches((Listen(),)), "event"), (Branches((Sleep(),)), "timer"), (Branches((Call(),)), "child"),
    ],
    ids=["effect", "question", "event", "timer", "child"],
)  # fmt: skip
async def test_a_run_says_why_it_does_not_move(store: Store, program: Branches, word: str) -> None:
    driven = Driven(store.plane, program)
    await driven.bear()
    assert await blocked(driven) == "runner"
    await driven.begin("begun")
    assert await blocked(driven) == word
    await driven.deliver(Hold("lunch"))
    assert await blocked(driven) == "hold"
    await driven.deliver(Cancel())
    assert await blocked(driven) == "nothing"


async def test_a_run_says_that_it_tries_again_or_needs_a_review(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(EffectClass.ONCE),)))
    key = driven.key("0.0")
    await store.plane.outbox.retry_later(driven.id, key, attempts=({"attempt": 1},), due=LATER)
    header = await store.plane.runs.header(driven.id)
    assert header.blocked is not None
    assert (header.blocked.kind, header.blocked.key) == ("retry", key)
    assert LATER in header.blocked.detail
    await driven.arrive("0.0", Unknown("cut"))
    assert await blocked(driven) == "review"


async def test_a_run_with_an_effect_under_way_does_not_say_that_it_tries_again(
    store: Store,
) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Do(),), (Do(),)))
    await store.plane.outbox.retry_later(driven.id, driven.key("0.0"), attempts=({},), due=LATER)
    header = await store.plane.runs.header(driven.id)
    assert header.blocked is not None
    assert (header.blocked.kind, header.blocked.key) == ("effect", driven.key("1.0"))


async def test_a_large_wait_is_shown_by_what_lists_can_carry(store: Store) -> None:
    driven = await a_driven_run(store.plane, AsksAtLength())
    header = await store.plane.runs.header(driven.id)
    assert header.waiting["wait_key"] == driven.key("q")
    assert [*header.waiting["details"]["form"]] == ["$artifact"]
    assert (await store.plane.runs.load([driven.id]))[driven.id].run == driven.run


class AsksAtLength:
    """Asks a question with very much beside it."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Ask."""
        return Move(waits=(a_question(details={"form": "x" * 100_000}),))


async def test_a_summary_shows_the_end(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),)))
    await driven.arrive("0.0", Ok({"n": 1}))
    header = await store.plane.runs.header(driven.id)
    assert (header.status, header.output) == (Status.COMPLETED, {"out/0.0": {"n": 1}})
    assert header.waiting is None
    failed = await a_driven_run(store.plane, Branches((Do(),), fragile=True), "failed")
    await failed.arrive("0.0", Failed("broken", "nul \x00 in it"))
    header = await store.plane.runs.header(failed.id)
    assert header.error is not None
    assert header.error.startswith("broken: nul ")


async def test_births_are_claimed_once_oldest_first(store: Store) -> None:
    names = list(reversed(await births(store, 5)))
    first = await store.plane.runs.claim("me", now=AT, until=LATER, limit=2)
    assert list(first) == [a_run_id(name) for name in names[:2]]
    rest = await store.plane.runs.claim("you", now=AT, until=LATER, limit=9)
    assert list(rest) == [a_run_id(name) for name in names[2:]]
    assert await store.plane.runs.claim("me", now=AT, until=LATER, limit=9) == []
    again = await store.plane.runs.claim("me", now=LATER, until="2027", limit=9)
    assert list(again) == [a_run_id(name) for name in names], "a lease ends at its time"


async def test_eight_workers_claiming_forty_runs_lease_each_once(store: Store) -> None:
    await births(store, 40)
    claims = [store.plane.runs.claim(f"worker {n}", now=AT, until=LATER, limit=5) for n in range(8)]
    leased = [run_id for claimed in await asyncio.gather(*claims) for run_id in claimed]
    assert len(leased) == len(set(leased)) == 40


async def test_runs_that_began_ended_or_are_held_are_not_claimed(store: Store) -> None:
    await a_driven_run(store.plane, Branches((Do(),)), "begun")
    ended, held = Driven(store.plane, Branches()), Driven(store.plane, Branches())
    await ended.bear("ended")
    await ended.deliver(Cancel())
    await held.bear("held")
    await held.deliver(Hold())
    assert await store.plane.runs.claim("me", now=LATER, until="2027", limit=9) == []


async def test_a_birth_may_be_born_leased(store: Store) -> None:
    commit = Commit(born(a_birth(), {}), holder="me", leased_until=LATER)
    await store.plane.runs.commit(commit)
    assert await store.plane.runs.claim("you", now=AT, until=LATER, limit=9) == []
    assert await store.plane.runs.claim("you", now=LATER, until="2027", limit=9) == [a_run_id()]


async def test_a_tree_s_runs_are_counted_until_they_end_and_up_to_a_bound(store: Store) -> None:
    root, other = a_run_id("root"), a_run_id("other")
    await births(store, 3, root_id=root)
    one = await a_driven_run(store.plane, Branches((Do(),)), "one", root_id=root)
    await a_driven_run(store.plane, Branches((Do(),)), "other")
    counted = store.plane.runs.living
    assert [await counted(root, most) for most in (1, 4, 5)] == [1, 4, 4]
    assert (await counted(other, 5), await counted(a_run_id("nobody"), 5)) == (1, 0)
    await one.deliver(Cancel())
    assert await counted(root, 5) == 3
