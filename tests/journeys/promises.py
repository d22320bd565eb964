"""What must hold at the end of a journey, however often the gateway was killed on the way."""

import asyncio
import time
from collections import Counter as Counted
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.journeys.account import TERMINAL, Done, answers_in, check_end, effects_in, told
from tests.journeys.disk import Disk
from tests.journeys.gateway import GUARD_S
from tests.journeys.wire import Wire
from tests.journeys.witness import Witness
from tests.journeys.words import deeds_of
from tests.support.counter import Counter, Deed

REPEATED: Final = 200  # starts that are asked for again at the end
SHOWN: Final = 5  # runs that a failure tells of
IN_HAND: Final = ("review", "child")  # why a run may still wait when nobody is left to do anything


@dataclass
class Books:
    """Every run and every ledger, read once when all is quiet."""

    runs: dict[str, Any] = field(default_factory=dict)
    records: dict[str, list[Any]] = field(default_factory=dict)
    effects: dict[str, Done] = field(default_factory=dict)  # by key
    counts: dict[str, Deed] = field(default_factory=dict)  # by deed

    def doubted(self) -> set[str]:
        """The effects that ever came before a person."""
        return {key for key, done in self.effects.items() if done.doubted}

    def in_review(self) -> set[str]:
        """The effects of which a person has yet to say whether they happened."""
        return {
            key
            for key, done in self.effects.items()
            if done.doubted and done.outcome is None and not self.ended(done)
        }

    def ended(self, done: Done) -> bool:
        """Whether the run of an effect has ended."""
        return self.runs[done.run_id]["status"] in TERMINAL

    def cancelled(self, done: Done) -> bool:
        """Whether the run of an effect was cancelled."""
        return bool(self.runs[done.run_id]["status"] == "cancelled")


async def books(wire: Wire, counter: Counter, witness: Witness) -> Books:
    """Read everything, and check each ledger by itself: whole, chained, as it was seen before."""
    made = Books(runs={run["run_id"]: run for run in await wire.runs()})
    made.counts = dict(counter.counts())
    for run_id, run in made.runs.items():
        ledger = await wire.ledger(run_id)
        seen = witness.seen.get(run_id, [])
        assert ledger[: len(seen)] == seen, f"{run_id} does not begin as it was seen"
        assert len(ledger) == run["ledger_len"]
        records = made.records[run_id] = told(ledger)
        check_end(run["status"], records)
        made.effects |= effects_in(run_id, records)
        verdict = await wire.get(f"/runs/{run_id}/verify")
        assert verdict["ok"], verdict
        assert verdict["records"] == len(ledger)
    return made


async def check(wire: Wire, witness: Witness, read: Books, disk: Disk) -> None:
    """All that was promised, when nothing is left to do but to settle reviews."""
    await check_starts(wire, witness, read)
    await check_commands(wire, witness, read)
    check_reasons(read.runs.values())
    check_counts(witness, read)
    check_reviews(witness, read, disk)


async def check_starts(wire: Wire, witness: Witness, read: Books) -> None:
    """Every acknowledged start is one run, and asking for it again starts nothing."""
    roots = {run_id for run_id, run in read.runs.items() if run["parent_run_id"] is None}
    assert roots == set(witness.runs.values())
    assert len(roots) == len(witness.runs)
    for key in list(witness.runs)[-REPEATED:]:
        assert await wire.start(key, witness.plans[key]) == witness.runs[key]
    assert len(await wire.runs(root_only=True)) == len(roots)


async def check_commands(wire: Wire, witness: Witness, read: Books) -> None:
    """Every acknowledged command was taken by its run, once, or came after the run's end."""
    answered: Counted[tuple[str, str]] = Counted()
    for command_id, sent in witness.commands.items():
        state = (await wire.get(f"/commands/{command_id}"))["state"]
        status = read.runs[sent.run_id]["status"]
        assert state in ("applied", "ignored"), command_id
        if sent.kind == "cancel":
            assert state == "ignored" or status == "cancelled", command_id
        elif "payload" in sent.payload:
            assert state == "applied" or status == "cancelled", command_id
            answered[sent.run_id, sent.payload["wait_key"]] += state == "applied"
    # An effect that was in doubt, tried again and in doubt again was asked about twice.
    for (run_id, wait_key), count in answered.items():
        taken = [key for key, _ in answers_in(read.records[run_id]) if key == wait_key]
        assert len(taken) == count, (run_id, wait_key)


def check_reasons(runs: Iterable[Any]) -> None:
    """Every run has ended, or waits and says for what."""
    for run in runs:
        if run["status"] not in TERMINAL:
            assert run["status"] == "waiting", standing(run)
            assert run["blocked_on"]["type"] in IN_HAND, standing(run)


def check_counts(witness: Witness, read: Books) -> None:
    """What happened outside is what the ledgers tell: nothing twice, nothing that was not begun."""
    by_deed: dict[str, Done] = {}
    for done in read.effects.values():
        assert done.deed not in by_deed, f"{done.deed} was begun under two keys"
        by_deed[done.deed] = done
    planned = {deed.name for key, plan in witness.plans.items() for deed in deeds_of(key, plan)}
    assert set(read.counts) <= set(by_deed) <= planned
    for deed, done in by_deed.items():
        count = read.counts.get(deed, Deed())
        assert count.effects <= 1, f"{deed} was done under {count.keys}"
        assert set(count.keys) <= {done.key}
        if done.once:
            assert count.calls <= 1, f"{deed} was done {count.calls} times"
        if done.outcome == "completed":
            assert count.calls, f"{deed} is told as done, and was not"
        elif done.outcome == "failed":
            assert (done.error or "").startswith("did_not_happen"), done
            assert not count.calls
    _check_completed(witness, read, by_deed)


def _check_completed(witness: Witness, read: Books, by_deed: dict[str, Done]) -> None:
    """A run that is completed has done its whole plan, its children's too."""
    for key, run_id in witness.runs.items():
        if read.runs[run_id]["status"] == "completed":
            plan = list(deeds_of(key, witness.plans[key]))
            assert all(by_deed[deed.name].outcome is not None for deed in plan), run_id


def check_reviews(witness: Witness, read: Books, disk: Disk) -> None:
    """A person is asked about exactly what may have happened and has no outcome."""
    hanging = {
        deed.name
        for key, plan in witness.plans.items()
        for deed in deeds_of(key, plan)
        if "hang" in deed.word.options
    }
    for key in read.doubted():
        done = read.effects[key]
        assert done.once
        needed = key in witness.doubted | witness.suspected or done.deed in hanging
        assert needed, f"{key} is in doubt without need"
    for key in witness.doubted - read.doubted():
        assert read.cancelled(read.effects[key]), f"{key} may have happened, and nobody was asked"
    rows = {
        key: row for key, row in disk.outbox().items() if row.disposition in ("pending", "review")
    }
    assert set(rows) == read.in_review()
    assert all(row.dispatched_at and row.disposition == "review" for row in rows.values())


async def until_quiet(wire: Wire, *reasons: str, disk: Disk | None = None) -> None:
    """Wait until every run has ended or waits for one of `reasons`, and stays so for a second look.

    With `disk` nothing may be on its way either: what a dead process had in hand, its message to a
    parent or to a run in review, moves that run when the lease of the dead is over.

    It takes as long as there is something to do. What fails is that nothing moves: no run of those
    that should has a new record or its end for `2 * GUARD_S`.
    """
    looks, since = 0, 0.0
    stood: tuple[int, dict[str, int]] | None = None
    while looks < 2:
        coming = 0 if disk is None else await asyncio.to_thread(disk.on_its_way)
        runs = [*await wire.runs(status="running"), *await wire.runs(status="waiting")]
        moving = [run for run in runs if not is_quiet(run, reasons)]
        looks = 0 if moving or coming else looks + 1
        stands = coming, {run["run_id"]: run["ledger_len"] for run in moving}
        if stands != stood:
            stood, since = stands, time.monotonic()
        elif not looks and time.monotonic() - since > 2 * GUARD_S:
            lines = [standing(run) for run in moving[:SHOWN]]
            pytest.fail(f"{coming} on their way, {len(moving)} runs stand still: {lines}")
        await asyncio.sleep(0.05)


def standing(run: Any) -> str:
    """Where a run stands, in a line."""
    return f"{run['run_id']} {run['status']} at {run['ledger_len']}: {run['blocked_on']}"


def is_quiet(run: Any, reasons: Iterable[str]) -> bool:
    """Whether a run that has not ended waits for something that will not come by itself."""
    return run["status"] == "waiting" and run["blocked_on"]["type"] in reasons
