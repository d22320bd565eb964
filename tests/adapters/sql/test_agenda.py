"""When a plane has something to do next: early perhaps, never late."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from perdure.clock import text_of
from perdure.kernel.model import Expired, Hold
from perdure.kernel.program import Program
from perdure.stores.inbox import Message
from tests.support.branches import Ask, Branches, Do, Listen, Sleep
from tests.support.builders import AT, a_deadline
from tests.support.clock import START
from tests.support.driving import LEASED_UNTIL, Driven
from tests.support.planes import DATABASES, Store, a_store

pytestmark = pytest.mark.anyio


def at(seconds: float) -> str:
    """The time so long after the start."""
    return text_of(START + timedelta(seconds=seconds))


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh plane."""
    async with a_store(request.param, tmp_path) as opened:
        yield opened


async def test_an_empty_plane_has_nothing_to_do(store: Store) -> None:
    assert await store.plane.next_due() is None


async def test_a_birth_is_to_be_begun_at_once_or_when_its_lease_ends(store: Store) -> None:
    driven = Driven(store.plane, Branches((Ask(),)))
    await driven.bear()
    assert await store.plane.next_due() == ""
    await store.plane.runs.claim("me", now=AT, until=at(60), limit=9)
    assert await store.plane.next_due() == at(60)


@pytest.mark.parametrize(
    ("program", "due"),
    [(Branches((Do(),)), LEASED_UNTIL), (Branches((Ask(),)), None),
     (Branches((Listen(30),), (Sleep(20),)), at(20))],
    ids=["effect", "question", "times"],
)  # fmt: skip
async def test_a_run_under_way_says_when(store: Store, program: Program, due: str | None) -> None:
    await Driven(store.plane, program).begin()
    assert await store.plane.next_due() == due


async def test_a_message_is_to_be_delivered_at_once_or_when_its_lease_ends(store: Store) -> None:
    driven = Driven(store.plane, Branches((Ask(),)))
    await driven.begin()
    await store.plane.inbox.put(Message("c", driven.id, "cancel"), body_hash="h", at=AT)
    assert await store.plane.next_due() == ""
    await store.plane.inbox.claim("me", now=AT, until=at(60), limit=9)
    assert await store.plane.next_due() == at(60)


async def test_a_held_run_has_nothing_to_do(store: Store) -> None:
    driven = Driven(store.plane, Branches((Sleep(20),)))
    await driven.begin()
    await driven.deliver(Hold())
    assert await store.plane.next_due() is None


async def test_a_deadline_is_something_to_do_of_a_held_run_as_well(store: Store) -> None:
    driven = Driven(store.plane, Branches((Sleep(90),)))
    await driven.begin(deadline=a_deadline(60))
    assert await store.plane.next_due() == at(60)
    await driven.deliver(Hold())
    assert await store.plane.next_due() == at(60)
    driven.clock.advance(60)
    await driven.deliver(Expired(at(60)))
    assert await store.plane.next_due() is None


async def test_a_row_of_the_audit_is_to_be_carried_at_once(store: Store) -> None:
    await store.plane.ready()
    store.tamper("INSERT INTO audit_pending (n, at, body) VALUES (1, ?, ?)", AT, b"{}")
    assert await store.plane.next_due() == ""
