"""A plane is swept when its time has come, once, and again soon where something was left behind."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perdure.runtimes.context import RuntimeContext
from perdure.services.sweeps import AGAIN_S, EVERY_S, GRACE_S, sweep_soon, sweep_when_due
from perdure.stores.artifacts import Swept
from tests.support.builders import AT

pytestmark = pytest.mark.anyio
NOW = int(datetime.fromisoformat(AT).timestamp())


class Planned:
    """A store that remembers its plan and what was swept; `midst` happens in the middle of a sweep."""

    def __init__(self, due: float | None) -> None:
        self.due = due
        self.swept: list[float] = []
        self.midst: Any = None

    async def sweep_due(self) -> float | None:
        """When the next sweep is planned for."""
        return self.due

    async def plan_sweep(self, at: float) -> None:
        """Plan it."""
        self.due = at

    async def sweep(self, *, before: float) -> Swept:
        """Sweep."""
        self.swept.append(before)
        if self.midst is not None:
            await self.midst()
        return Swept(1, 2)


def having(artifacts: Planned) -> RuntimeContext:
    """As much of a runtime as sweeping needs."""
    clock = SimpleNamespace(now=lambda: datetime.fromisoformat(AT))
    runtime = SimpleNamespace(plane=SimpleNamespace(artifacts=artifacts), clock=clock)
    return cast(RuntimeContext, runtime)


@pytest.mark.parametrize(
    ("due", "next_due"),
    [(None, None), (0, NOW + EVERY_S), (NOW + 1, NOW + 1)],
    ids=["nothing there", "never planned", "not yet"],
)
async def test_a_plane_whose_time_has_not_come_is_left_alone(
    due: float | None, next_due: float | None
) -> None:
    store = Planned(due)
    assert await sweep_when_due(having(store)) is None
    assert (store.swept, store.due) == ([], next_due)


async def test_a_plane_whose_time_has_come_is_swept_once_up_to_the_grace() -> None:
    store = Planned(NOW)
    assert await sweep_when_due(having(store)) == Swept(1, 2)
    assert await sweep_when_due(having(store)) is None
    assert (store.swept, store.due) == ([NOW - GRACE_S], NOW + EVERY_S)


async def test_what_is_left_behind_in_the_middle_is_swept_next() -> None:
    store = Planned(NOW)
    store.midst = lambda: sweep_soon(having(store))
    await sweep_when_due(having(store))
    assert store.due == NOW
    store.midst = None
    await sweep_when_due(having(store))
    assert len(store.swept) == 2


async def test_a_sweep_that_is_cut_off_is_begun_again_later() -> None:
    async def end() -> None:
        raise KeyboardInterrupt

    store = Planned(NOW)
    store.midst = end
    with pytest.raises(KeyboardInterrupt):
        await sweep_when_due(having(store))
    assert store.due == NOW + AGAIN_S
