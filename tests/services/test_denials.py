"""Refusals are on the record, and a flood of them stays small: in the chain and in memory."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perdure.runtimes.control import ControlContext
from perdure.services.denials import BEYOND, KINDS_MAX, WINDOW_S, Denials
from tests.support.audited import audited, entries
from tests.support.chains import TENANT, an_entry
from tests.support.clock import FakeClock
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    """A time that stands still until it is told."""
    return FakeClock()


@pytest.fixture(params=DATABASES)
async def control(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[ControlContext]:
    """Chains on either database."""
    async with audited(tmp_path, request.param, clock) as opened:
        yield opened


def a_refusal(address: str = "10.0.0.1", **changes: Any) -> Any:
    """Somebody shows a wrong credential."""
    return an_entry(actor="nobody", action="session:login", address=address, **changes)


async def test_promise_15_failures_are_audit_events_and_a_flood_is_a_count(
    control: ControlContext, clock: FakeClock
) -> None:
    denials = Denials(control)
    for _ in range(500):
        await denials.refused(a_refusal())
    assert len(await entries(control)) == 1
    clock.advance(WINDOW_S)
    await denials.flush()
    first, count = await entries(control)
    assert (first["outcome"], first["address"], first["facts"]) == ("denied", "10.0.0.1", {})
    assert (count["outcome"], count["facts"]["repeated"]) == ("denied", 499)
    await denials.flush()
    assert len(await entries(control)) == 2


async def test_a_window_that_is_over_begins_anew_with_what_comes_next(
    control: ControlContext, clock: FakeClock
) -> None:
    denials = Denials(control)
    for _ in range(2):
        await denials.refused(a_refusal())
        await denials.refused(a_refusal())
        clock.advance(WINDOW_S)
    assert [it["facts"].get("repeated") for it in await entries(control)] == [None, 1, None]
    await denials.flush(every=True)
    assert [it["facts"].get("repeated") for it in await entries(control)] == [None, 1, None, 1]


async def test_refusals_of_different_kinds_are_kept_apart(control: ControlContext) -> None:
    denials = Denials(control)
    for address in ("10.0.0.1", "10.0.0.2"):
        for reason_code in ("admin_required", "csrf_required"):
            await denials.refused(a_refusal(address, reason_code=reason_code))
    assert len(await entries(control)) == 4


async def test_a_flood_from_everywhere_has_a_bound(control: ControlContext) -> None:
    denials = Denials(control)
    for n in range(KINDS_MAX + 200):
        await denials.refused(a_refusal(f"10.1.{n // 250}.{n % 250}"))
    kept = await entries(control, TENANT)
    assert len(kept) == KINDS_MAX + 1
    assert (kept[-1]["actor"], kept[-1]["address"]) == (BEYOND, BEYOND)
    assert len(denials._windows) == KINDS_MAX + 1
    await denials.flush(every=True)
    assert (await entries(control, TENANT))[-1]["facts"]["repeated"] == 199
