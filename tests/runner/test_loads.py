"""Runs that are wanted together are looked for together."""

import asyncio
from collections.abc import Sequence

import anyio
import pytest

from perdure.errors import StoreFailed
from perdure.ids import RunId
from perdure.runner.loads import Found, Loads
from perdure.stores.runs import Loaded
from tests.support.builders import a_run, a_run_id

pytestmark = pytest.mark.anyio


class Shelf:
    """Runs to be looked for, and each look that there was. It answers when it is opened."""

    def __init__(self, *run_ids: RunId) -> None:
        self.looks: list[Sequence[RunId]] = []
        self.begun, self.opened = anyio.Event(), anyio.Event()
        self.failure: StoreFailed | None = None
        self._runs = {it: Loaded(a_run(), {}, 0, 0) for it in run_ids}

    async def look(self, run_ids: Sequence[RunId]) -> Found:
        """Answer with those that are there, or fail."""
        self.looks.append(run_ids)
        self.begun.set()
        await self.opened.wait()
        if self.failure is not None:
            raise self.failure
        return {it: self._runs[it] for it in run_ids if it in self._runs}


async def test_what_is_wanted_in_one_turn_is_one_look() -> None:
    """What is wanted while it is under way is the next one: it is not to hear of an earlier moment."""
    first, second, absent = RunId("first"), RunId("second"), RunId("absent")
    shelf = Shelf(first, second)
    loads = Loads(shelf.look)
    asked = [asyncio.create_task(loads.load([it])) for it in (first, second, first, absent)]
    await shelf.begun.wait()
    asked.append(asyncio.create_task(loads.load([first])))
    shelf.opened.set()
    answers = await asyncio.gather(*asked)
    assert shelf.looks == [(first, second, absent), (first,)]
    assert [set(it) for it in answers] == [*[{first, second}] * 4, {first}]


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    """Also the one for whom the look was begun."""
    run_id = a_run_id()
    shelf = Shelf(run_id)
    loads = Loads(shelf.look)
    gone, stays = (asyncio.create_task(loads.load([run_id])) for _ in range(2))
    await shelf.begun.wait()
    gone.cancel()
    shelf.opened.set()
    assert set(await stays) == {run_id}
    assert gone.cancelled()


async def test_a_look_that_fails_fails_for_each_and_not_for_the_next() -> None:
    """The store may be there again."""
    run_id = a_run_id()
    shelf = Shelf(run_id)
    shelf.opened.set()
    loads, shelf.failure = Loads(shelf.look), StoreFailed("away for a moment")
    failed = await asyncio.gather(*(loads.load([run_id]) for _ in range(2)), return_exceptions=True)
    assert failed == [shelf.failure] * 2
    shelf.failure = None
    assert set(await loads.load([run_id])) == {run_id}
