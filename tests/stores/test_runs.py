"""What is promised of the storage of runs: commits, conflicts, and runs brought back as they were."""

import asyncio

import pytest
from msgspec.structs import replace

from perdure.errors import DuplicateCommand, GatewayError, NotJson, RunNotFound, VersionConflict
from perdure.ids import RunId, new_id
from perdure.kernel.draft import born
from perdure.kernel.model import (
    GONE,
    Advance,
    Cancel,
    EffectClass,
    Failed,
    Hold,
    Ok,
    Release,
    Status,
    Told,
    Unknown,
    Usage,
    Wait,
)
from perdure.stores.inbox import Message
from perdure.stores.runs import Commit, Receipt, Request
from tests.support.branches import Ask, Branches, Call, Do, Listen, Race, Sleep, Think
from tests.support.builders import AT, a_birth, a_deadline, a_run_id
from tests.support.driving import Driven, a_driven_run
from tests.support.planes import Store

pytestmark = pytest.mark.anyio

LATER = "2026-01-01T00:02:00.000000+00:00"


async def loaded_equal(store: Store, driven: Driven) -> None:
    """Assert that the store brings back exactly the run that was decided, from memory and from disk."""
    for plane in (store.plane, await store.open_again()):
        kept = (await plane.runs.load([driven.id]))[driven.id]
        assert kept.run == replace(driven.run, state_bytes=kept.run.state_bytes)
        assert list(kept.run.open) == list(driven.run.open)
        assert kept.cells == driven.cells
    driven.plane = store.plane


async def test_a_birth_is_a_run_with_its_inputs_and_no_record(store: Store) -> None:
    driven = Driven(store.plane, Branches((Do(),)))
    receipt = await driven.bear(cells={"in/text": "hello", "in/none": None}, prompt="say hello")
    assert receipt.records == ()
    await loaded_equal(store, driven)
    assert await store.plane.runs.state(driven.id, 0) == {"in/text": "hello", "in/none": None}


async def test_a_deadline_comes_back_with_its_run_and_with_what_lists_show(store: Store) -> None:
    program = Branches((Ask(),))
    driven = await a_driven_run(store.plane, program, deadline=a_deadline(60, of="above"))
    await loaded_equal(store, driven)
    assert (await store.plane.runs.header(driven.id)).birth == driven.run.birth


async def test_a_run_comes_back_as_it_was_decided(store: Store) -> None:
    program = Branches(
        (Do(), Do(EffectClass.ONCE)), (Ask(),), (Listen(),), (Race(),), (Call(),), (Sleep(),)
    )
    driven = await a_driven_run(store.plane, program, lifecycle={"purpose": "test"})
    await loaded_equal(store, driven)
    await driven.arrive(
        "0.0", Ok({"n": [1, 2.5, None]}, {"llm_calls": 1, "tokens_in": 7, "cost": 0.25})
    )
    await driven.answer("1.0", by="alice")
    await loaded_equal(store, driven)
    await driven.arrive("0.1", Unknown("the line was cut"))
    await loaded_equal(store, driven)
    assert driven.run.usage == Usage(effects=1, llm_calls=1, tokens_in=7, cost=0.25)


async def test_a_run_that_ended_comes_back_with_its_end(store: Store) -> None:
    well = await a_driven_run(store.plane, Branches((Do(),)))
    await well.arrive("0.0")
    badly = await a_driven_run(store.plane, Branches((Do(),), fragile=True), "badly")
    await badly.arrive("0.0", Failed("broken", "in two"))
    ended = await a_driven_run(store.plane, Branches((Ask(),)), "cancelled")
    await ended.deliver(Cancel("enough"))
    for driven, status in (
        (well, Status.COMPLETED),
        (badly, Status.FAILED),
        (ended, Status.CANCELLED),
    ):
        assert driven.run.status is status
        await loaded_equal(store, driven)


async def test_what_arrives_under_a_hold_is_kept_though_no_record_carries_it(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Ask(),)))
    await driven.deliver(Hold("lunch"))
    await driven.deliver(Told({"word": "hm"}))
    assert driven.run.unrecorded
    await loaded_equal(store, driven)
    await driven.deliver(Release())
    assert GONE in driven.run.unrecorded.values()
    await loaded_equal(store, driven)
    await driven.arrive("0.0")
    assert driven.run.unrecorded == {}
    await loaded_equal(store, driven)


async def test_of_eight_commits_on_one_version_exactly_one_wins(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    commits = [Commit(driven.decide(Cancel(f"reason {n}"))) for n in range(8)]
    ended = await asyncio.gather(*map(store.plane.runs.commit, commits), return_exceptions=True)
    assert sorted(type(it).__name__ for it in ended) == ["Receipt", *["VersionConflict"] * 7]
    winner = next(n for n, it in enumerate(ended) if isinstance(it, Receipt))
    kept = (await store.plane.runs.load([driven.id]))[driven.id]
    assert kept.run.error == f"reason {winner}"


async def test_a_commit_on_an_old_version_writes_nothing(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(),), (Do(),)))
    stale = driven.decide(Cancel())
    await driven.arrive("0.0")
    with pytest.raises(VersionConflict):
        await store.plane.runs.commit(Commit(stale))
    await loaded_equal(store, driven)
    with pytest.raises(VersionConflict):
        await store.plane.runs.commit(Commit(stale))
    assert (await store.plane.runs.verify(driven.id)).ok


async def test_a_loser_never_spoils_its_neighbours(store: Store) -> None:
    runs = [await a_driven_run(store.plane, Branches((Ask(),)), f"run {n}") for n in range(6)]
    stale = runs[0].decide(Cancel("late"))
    await runs[0].deliver(Hold())
    commits = [Commit(driven.decide(Cancel())) for driven in runs[1:]]
    bad = Commit(stale)
    twice = Commit(born(a_birth("run 1"), {}))
    surrogate = Commit(born(a_birth("odd"), {"in/text": "\ud800"}))
    ended = await asyncio.gather(
        *map(store.plane.runs.commit, [*commits[:2], bad, twice, surrogate, *commits[2:]]),
        return_exceptions=True,
    )
    kinds = [type(it) for it in ended]
    assert kinds == [Receipt] * 2 + [VersionConflict, VersionConflict, NotJson] + [Receipt] * 3
    loaded = await store.plane.runs.load([a_run_id(f"run {n}") for n in range(6)])
    assert [it.run.status.value for it in loaded.values()].count("cancelled") == 5
    assert a_run_id("odd") not in await store.plane.runs.load([a_run_id("odd")])


async def test_commits_of_one_run_in_one_batch_follow_on_one_another(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Do(), Do()), (Do(),)))
    commits = []
    for tag in ("0.0", "1.0"):
        decision = driven.decide_arrival(tag)
        commits.append(Commit(decision, holder="me", leased_until=LATER))
        driven.stand(decision)
    receipts = await asyncio.gather(*map(store.plane.runs.commit, commits))
    seqs = [record.seq for receipt in receipts for record in receipt.records]
    assert seqs == list(range(3, 6))
    await loaded_equal(store, driven)
    assert (await store.plane.runs.verify(driven.id)).ok


async def test_the_same_birth_again_is_a_conflict(store: Store) -> None:
    decision = born(a_birth(), {})
    await store.plane.runs.commit(Commit(decision))
    with pytest.raises(VersionConflict):
        await store.plane.runs.commit(Commit(decision))


async def test_a_birth_asked_for_again_starts_nothing(store: Store) -> None:
    request = Request("start-1", "hash of the body")
    await store.plane.runs.commit(Commit(born(a_birth("first"), {}), request=request))
    for body_hash, other in (("hash of the body", False), ("hash of another", True)):
        again = Commit(born(a_birth("again"), {}), request=Request("start-1", body_hash))
        with pytest.raises(DuplicateCommand) as caught:
            await store.plane.runs.commit(again)
        assert caught.value.facts == {"run_id": a_run_id("first"), "other_body": other}
    assert await store.plane.runs.load([a_run_id("again")]) == {}


async def test_the_run_of_a_request_can_be_looked_up(store: Store) -> None:
    request = Request("start-1", "hash of the body")
    assert await store.plane.runs.born_of(request) is None
    await store.plane.runs.commit(Commit(born(a_birth("first"), {}), request=request))
    assert await store.plane.runs.born_of(request) == a_run_id("first")
    with pytest.raises(DuplicateCommand) as told:
        await store.plane.runs.born_of(Request("start-1", "another"))
    assert told.value.facts == {"run_id": a_run_id("first"), "other_body": True}


async def test_of_eight_births_under_one_request_exactly_one_is_born(store: Store) -> None:
    request = Request("start-1", "hash")
    births = [Commit(born(a_birth(f"run {n}"), {}), request=request) for n in range(8)]
    ended = await asyncio.gather(*map(store.plane.runs.commit, births), return_exceptions=True)
    names = sorted(type(it).__name__ for it in ended)
    assert names == [*["DuplicateCommand"] * 7, "Receipt"]
    assert len(await store.plane.runs.load([a_run_id(f"run {n}") for n in range(8)])) == 1


async def test_a_message_is_taken_by_one_commit_or_none(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    message = Message("command-1", driven.id, "cancel")
    await store.plane.inbox.put(message, body_hash="h", at=AT)
    await driven.deliver(Hold(), taken="command-1")
    assert (await store.plane.inbox.delivery("command-1")).disposition == "applied"
    with pytest.raises(DuplicateCommand) as caught:
        await driven.deliver(Cancel(), taken="command-1")
    assert caught.value.facts == {"disposition": "applied"}
    await loaded_equal(store, driven)


async def test_a_message_that_was_taken_does_not_spoil_the_neighbours(store: Store) -> None:
    one, other = [await a_driven_run(store.plane, Branches((Ask(),)), name) for name in "ab"]
    await store.plane.inbox.put(Message("c", one.id, "cancel"), body_hash="h", at=AT)
    commits = [Commit(it.decide(Cancel()), taken="c") for it in (one, other)]
    ended = await asyncio.gather(*map(store.plane.runs.commit, commits), return_exceptions=True)
    assert [type(it) for it in ended] == [Receipt, DuplicateCommand]


async def test_children_and_messages_go_with_the_decision(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Call(),), (Call("other"),)))
    children = [
        entry.what.child
        for entry in driven.run.open.values()
        if isinstance(entry.what, Wait) and entry.what.child
    ]
    loaded = await store.plane.runs.load(children)
    assert [it.run.birth.parent_id for it in loaded.values()] == [driven.id] * 2
    assert all(it.run.ready for it in loaded.values())
    await driven.deliver(Cancel("enough"))
    claimed = await store.plane.inbox.claim("me", now=AT, until=LATER, limit=10)
    assert {(it.run_id, it.kind) for it in claimed} == {(child, "cancel") for child in children}


async def test_listeners_hear_of_commits_before_their_callers_do(store: Store) -> None:
    driven = Driven(store.plane, Branches((Do(),)))
    heard: list[int] = []
    committing = asyncio.ensure_future(driven.bear())
    committing.add_done_callback(lambda _: heard.append(len(store.committed)))
    await committing
    await asyncio.sleep(0)
    assert heard == [1]
    receipt = await driven.deliver(Advance())
    told = store.committed[-1]
    assert (told.decision.run, told.records, told.by) == (driven.run, receipt.records, "me")


async def test_what_failed_is_told_to_nobody(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    stale = driven.decide(Cancel())
    await driven.deliver(Hold())
    told = len(store.committed)
    with pytest.raises(VersionConflict):
        await store.plane.runs.commit(Commit(stale))
    assert len(store.committed) == told


async def test_many_runs_are_loaded_at_once_and_strangers_left_out(store: Store) -> None:
    names = [f"run {n}" for n in range(230)]
    births = [Commit(born(a_birth(name), {"in/name": name})) for name in names]
    await asyncio.gather(*map(store.plane.runs.commit, births))
    ids = [*map(a_run_id, names), RunId("stranger")]
    loaded = await store.plane.runs.load(ids)
    assert {run_id: it.cells for run_id, it in loaded.items()} == {
        a_run_id(name): {"in/name": name} for name in names
    }
    assert await store.plane.runs.load([]) == {}


async def test_a_hundred_runs_step_side_by_side(store: Store) -> None:
    runs = [Driven(store.plane, Branches((Do(), Do()), (Ask(),))) for _ in range(100)]
    await asyncio.gather(*(driven.begin(f"run {n}") for n, driven in enumerate(runs)))
    await asyncio.gather(*(driven.arrive("0.0") for driven in runs))
    await asyncio.gather(*(driven.answer("1.0", by=str(n)) for n, driven in enumerate(runs)))
    loaded = await (await store.open_again()).runs.load([driven.id for driven in runs])
    for driven in runs:
        kept = loaded[driven.id]
        assert (kept.run, kept.cells) == (
            replace(driven.run, state_bytes=kept.run.state_bytes),
            driven.cells,
        )
        assert (await store.plane.runs.verify(driven.id)).ok
    left = store.tamper("SELECT count(*), count(DISTINCT run) FROM outbox")
    assert left == [(100, 100)], "what arrived is gone, what was asked for is there"


async def test_a_run_that_is_not_there_is_not_found(store: Store) -> None:
    runs, nobody = store.plane.runs, RunId(new_id())
    for asked in (runs.header(nobody), runs.state(nobody, 0), runs.verify(nobody)):
        with pytest.raises(RunNotFound):
            await asked
    assert await runs.ledger(nobody, after=0, limit=10) == []


async def test_a_commit_of_a_run_that_is_not_there_is_refused(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Ask(),)))
    decision = driven.decide(Cancel())
    stranger = replace(decision.run, birth=a_birth("stranger"))
    with pytest.raises(VersionConflict):
        await store.plane.runs.commit(Commit(replace(decision, run=stranger)))


async def test_commits_after_a_failed_one_go_on(store: Store) -> None:
    driven = await a_driven_run(store.plane, Branches((Think(3), Do())))
    with pytest.raises(GatewayError):
        await store.plane.runs.commit(Commit(born(a_birth(), {})))
    await driven.arrive("0.1")
    await loaded_equal(store, driven)
