"""What a plane kept for the audit is in the tenant's chain in the end, once, whenever the process ends."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perdure.clock import SystemClock
from perdure.runner.carry import CARRIED_MAX, carry
from perdure.runner.config import RunnerConfig
from perdure.runner.lane import Lane
from perdure.runtimes.control import ControlContext
from tests.support.audited import audited, entries
from tests.support.chains import AT, TENANT, an_entry
from tests.support.planes import DATABASES, Store, a_store

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("place", ["before_carry", "after_carry"])


class Ended(BaseException):
    """The process ends here."""


class Kept:
    """A plane that keeps entries, and the chains of its tenant."""

    def __init__(self, store: Store, control: ControlContext) -> None:
        self.store, self.control = store, control

    def lane(self, probe: Any = lambda _name: None) -> Lane:
        """The plane in a runner."""
        runtime = _Runtime(self.store.plane)
        return Lane(runtime, RunnerConfig("a test", probe=probe))  # type: ignore[arg-type]  # as much as is needed

    async def add(self, *numbers: int) -> None:
        """Have the plane keep some entries."""
        for n in numbers:
            await self.store.plane.audit.add(an_entry(n))

    async def chained(self) -> list[str]:
        """What is in the chain, by target."""
        return [it["target"] for it in await entries(self.control)]


class _Runtime:
    """As much of a runtime as carrying needs."""

    def __init__(self, plane: Any) -> None:
        from perdure.runtimes.limits import RuntimeLimits

        self.plane, self.tenant, self.runtime = plane, TENANT, "alice"
        self.clock, self.limits = SystemClock(), RuntimeLimits()


@pytest.fixture(params=DATABASES)
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """A plane and a control store, on each database."""
    async with (
        a_store(request.param, tmp_path / "plane") as store,
        audited(tmp_path / "control", request.param) as control,
    ):
        yield Kept(store, control)


async def test_what_is_kept_is_handed_over_in_its_order(kept: Kept) -> None:
    await kept.add(*range(5))
    assert await kept.store.plane.next_due() == "", "a plane that keeps an entry is due"
    assert await carry(kept.lane(), kept.control.audit) == 5
    assert await kept.chained() == [f"run-{n}" for n in range(5)]
    assert await kept.store.plane.audit.pending(limit=9) == []
    assert await kept.store.plane.next_due() is None
    assert await carry(kept.lane(), kept.control.audit) == 0


@BOTH
async def test_a_hand_over_that_was_cut_off_forgets_and_repeats_nothing(
    kept: Kept, place: str
) -> None:
    def end(name: str) -> None:
        if name == place:
            raise Ended

    await kept.add(1, 2)
    with pytest.raises(Ended):
        await carry(kept.lane(end), kept.control.audit)
    await kept.store.open_again()
    await kept.add(3)
    await carry(kept.lane(), kept.control.audit)
    assert await kept.chained() == ["run-1", "run-2", "run-3"]


async def test_two_that_carry_at_once_repeat_nothing(kept: Kept) -> None:
    import anyio

    await kept.add(*range(30))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(carry, kept.lane(), kept.control.audit)
    assert await kept.chained() == [f"run-{n}" for n in range(30)]


async def test_more_than_one_hand_over_holds_goes_in_several(kept: Kept) -> None:
    import asyncio

    add = kept.store.plane.audit.add
    await asyncio.gather(*(add(an_entry(n, at=AT)) for n in range(CARRIED_MAX + 20)))
    assert await carry(kept.lane(), kept.control.audit) == CARRIED_MAX + 20
    assert len(set(await kept.chained())) == CARRIED_MAX + 20


async def test_whoever_listens_hears_that_something_was_kept(kept: Kept) -> None:
    lane = kept.lane()
    kept.store.plane.audit.listen(lane.has_kept)
    assert not lane.kept.is_set()
    await kept.add(1)
    assert lane.kept.is_set()
    assert not lane.idle()
