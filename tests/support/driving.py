"""Runs that the kernel decides and a plane keeps: the smallest driver there can be."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from perdure.ids import Key, RunId
from perdure.kernel.decide import decide
from perdure.kernel.draft import born
from perdure.kernel.model import (
    Advance,
    Answered,
    Arrived,
    Decision,
    Due,
    Event,
    Ok,
    Open,
    Outcome,
    Run,
)
from perdure.kernel.program import Program
from perdure.kernel.values import Json
from perdure.stores.plane import Plane
from perdure.stores.runs import Commit, Receipt
from tests.support.builders import a_birth
from tests.support.clock import FakeClock
from tests.support.ledger import apply

LEASED_UNTIL = "2026-01-01T00:01:00.000000+00:00"  # a minute after the clock's start


class Driven:
    """One run: decided here, committed there."""

    def __init__(self, plane: Plane, program: Program, clock: FakeClock | None = None) -> None:
        self.plane, self.program = plane, program
        self.clock = clock or FakeClock()
        self.run: Run
        self.cells: dict[str, Json] = {}

    @property
    def id(self) -> RunId:
        """The run's id."""
        return self.run.id

    async def bear(self, name: str = "run", cells: Mapping[str, Json] | None = None, **changes: Any) -> Receipt:  # fmt: skip
        """Commit the run's birth."""
        decision = born(a_birth(name, **changes), cells or {})
        return await self.commit(decision)

    async def begin(self, name: str = "run", cells: Mapping[str, Json] | None = None, **changes: Any) -> Receipt:  # fmt: skip
        """Commit the run's birth and its first decision."""
        await self.bear(name, cells, **changes)
        return await self.deliver(Advance())

    def decide(self, event: Event) -> Decision:
        """What the event makes of the run, uncommitted."""
        return decide(self.run, event, self.program, self.cells, self.clock.now())

    async def deliver(self, event: Event, **commit: Any) -> Receipt:
        """Decide and commit."""
        decision = self.decide(event)
        assert decision.applied, decision.disposition
        return await self.commit(decision, **commit)

    async def commit(self, decision: Decision, **commit: Any) -> Receipt:
        """Commit, and stand where the decision leaves the run."""
        if decision.effects:
            commit = {"holder": "me", "leased_until": LEASED_UNTIL, **commit}
        receipt = await self.plane.runs.commit(Commit(decision, **commit))
        self.stand(decision)
        if receipt.snapshot_bytes is not None:
            self.run = replace(self.run, state_bytes=receipt.snapshot_bytes)
        return receipt

    def stand(self, decision: Decision) -> None:
        """Stand where a decision leaves the run, committed or about to be."""
        self.run = decision.run
        apply(self.cells, decision.writes)

    def opened(self, tag: str) -> Open:
        """What the program has open under its own name `tag`."""
        (entry,) = (it for it in self.run.open.values() if it.what.tag == tag and not it.review)
        return entry

    def key(self, tag: str) -> Key:
        """The key of what is open as `tag`."""
        return self.opened(tag).key

    def decide_arrival(self, tag: str, outcome: Outcome | None = None) -> Decision:
        """What an effect's or a child's outcome makes of the run, uncommitted."""
        return self.decide(Arrived(self.key(tag), outcome or Ok(tag)))

    async def arrive(self, tag: str, outcome: Outcome | None = None, **commit: Any) -> Receipt:
        """An effect or child comes to an outcome."""
        return await self.deliver(Arrived(self.key(tag), outcome or Ok(tag)), **commit)

    async def answer(
        self, tag: str, payload: Json = None, *, by: str = "", **commit: Any
    ) -> Receipt:
        """Somebody answers a wait."""
        entry = self.opened(tag)
        event = Answered(entry.key, payload or {"response": tag}, by, entry.seq)
        return await self.deliver(event, **commit)

    async def come_due(self, tag: str, **commit: Any) -> Receipt:
        """The time of a wait has come."""
        entry = self.opened(tag)
        until = getattr(entry.what, "until", None)
        assert until is not None
        self.clock.set(max(self.clock.now(), until))
        return await self.deliver(Due(entry.key, entry.seq), **commit)


async def a_driven_run(plane: Plane, program: Program, name: str = "run", **changes: Any) -> Driven:
    """A run that has begun."""
    driven = Driven(plane, program)
    await driven.begin(name, **changes)
    return driven
