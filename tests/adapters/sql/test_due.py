"""The control store knows that a plane is due before the plane does, and is asked seldom."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from perdure.adapters.sql.due import DueMark, due_of
from perdure.clock import text_of
from perdure.errors import Unavailable
from perdure.kernel.draft import born
from perdure.kernel.model import Cancel, Event
from perdure.kernel.program import Moment, Move, Program, View
from perdure.stores.inbox import Message
from perdure.stores.planes import RELY_S
from perdure.stores.runs import Commit
from tests.support.branches import Ask, Branches, Call, Do, Listen, Sleep
from tests.support.builders import AT, a_birth, a_listener, a_run_id
from tests.support.clock import START
from tests.support.driving import LEASED_UNTIL, Driven
from tests.support.planes import DATABASES, Store, a_store

pytestmark = pytest.mark.anyio


def at(seconds: float) -> str:
    """The time so long after the start."""
    return text_of(START + timedelta(seconds=seconds))


class Noted(list[str]):
    """The due times that the control store was told, and how often."""

    def note(self, due: str, at: str) -> str:
        self.append(due)
        return min(self)


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh plane."""
    async with a_store(request.param, tmp_path) as opened:
        yield opened


def test_a_time_is_noted_when_it_is_earlier_and_again_when_it_is_old() -> None:
    noted = Noted()
    mark = DueMark(noted.note)
    mark.cover(at(50), at(0))
    mark.cover(at(60), at(1))
    assert noted == [at(50)]
    mark.cover(at(40), at(2))
    assert noted == [at(50), at(40)]
    mark.cover(at(90), at(2 + RELY_S - 1))
    assert len(noted) == 2
    mark.cover(at(90), at(2 + RELY_S))
    assert len(noted) == 3


class AsksForEvent:
    """Waits for an event at an address."""

    def next(self, cells: View, event: Event, moment: Moment) -> Move:
        """Wait."""
        return Move(waits=(a_listener(match="a"),))


@pytest.mark.parametrize(
    ("program", "due"),
    [(Branches((Do(),)), LEASED_UNTIL), (Branches((Ask(),)), None), (Branches((Listen(30),), (Sleep(20),)), at(20)),
     (Branches((Call(),)), AT), (AsksForEvent(), AT)],
    ids=["effect", "question", "times", "child", "event"],
)  # fmt: skip
async def test_what_a_commit_brings_says_when_the_plane_is_due(
    store: Store, program: Program, due: str | None
) -> None:
    driven = Driven(store.plane, program)
    await driven.begin()
    first, second = (one.decision for one in store.committed)
    assert due_of(Commit(first)) == AT
    assert due_of(Commit(second, holder="me", leased_until=LEASED_UNTIL)) == due


async def test_the_note_comes_before_the_commit(store: Store) -> None:
    seen: list[object] = []

    def note(due: str, at: str) -> str:
        seen.append(store.tamper("SELECT count(*) FROM runs")[0][0])
        return due

    await store.plane.ready()
    await store.plane.close()
    store.plane = await store.place.open(store.config(note_due=note))
    await store.plane.runs.commit(Commit(born(a_birth(), {})))
    assert seen == [0]


async def test_a_busy_plane_asks_the_control_store_once(store: Store) -> None:
    noted = Noted()
    await store.plane.close()
    store.plane = await store.place.open(store.config(note_due=noted.note))
    driven = Driven(store.plane, Branches(*[(Do(),)] * 5))
    await driven.begin()
    for branch in range(4):
        await driven.arrive(f"{branch}.0")
    await store.plane.inbox.put(Message("c", driven.id, "cancel"), body_hash="h", at=AT)
    await driven.deliver(Cancel(), taken="c")
    assert noted == [AT]


async def test_without_the_note_nothing_is_committed(store: Store) -> None:
    def note(due: str, at: str) -> str:
        raise Unavailable("the control store is away")

    await store.plane.close()
    store.plane = await store.place.open(store.config(note_due=note))
    with pytest.raises(Unavailable):
        await store.plane.runs.commit(Commit(born(a_birth(), {})))
    await store.open_again()
    assert await store.plane.runs.load([a_run_id()]) == {}
