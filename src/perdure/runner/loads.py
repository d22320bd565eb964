"""Runs that are wanted in one turn of the loop come back in one look at the store.

A thousand runs that a batch of commits reached would be a thousand looks, each of them with several
questions and a change of threads, beside whatever is due meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from perdure.ids import RunId
from perdure.stores.runs import Loaded

Found = Mapping[RunId, Loaded]
Look = Callable[[Sequence[RunId]], Coroutine[Any, Any, Found]]


class Loads:
    """The looks of one plane for runs that are not in hand. Lives on the event loop."""

    def __init__(self, look: Look) -> None:
        """Look by `look`; nothing is wanted yet."""
        self._look = look
        self._wanted: dict[RunId, None] = {}
        self._next: asyncio.Task[Found] | None = None  # the look that has not begun

    async def load(self, run_ids: Sequence[RunId]) -> Found:
        """What the store has of these runs now, and of those that others want in the same turn.

        What the look raises is raised to each who waits for it.
        """
        self._wanted.update(dict.fromkeys(run_ids))
        if self._next is None:
            self._next = asyncio.create_task(self._looked())
        return await asyncio.shield(self._next)  # who gives up takes nothing from the others

    async def _looked(self) -> Found:
        """Look in the next turn of the loop; what is wanted from then on is in the look after."""
        wanted, self._wanted, self._next = tuple(self._wanted), {}, None
        return await self._look(wanted)
