"""Follows a run on the terminal, with its children, until it ends or only a person can make it go on."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, NamedTuple

import anyio
from anyio.abc import TaskGroup

from perdure.app.answers import FOR_A_PERSON, child_of, kind_of
from perdure.app.client import Gateway
from perdure.app.render import Screen, wait_text
from perdure.app.stream import Cut, Delta, Step, follow
from perdure.errors import Conflict, GatewayError
from perdure.kernel.values import Json

DEPTH_MAX: Final = 4  # of children whose steps are shown
CHILDREN_MAX: Final = 32
DRAIN_S: Final = 2.0  # how long a parent's line waits for the last lines of its child

Ask = Callable[[Json, Json], Awaitable[Json]]
"""Asks a person: given the waiting run and its wait, a payload; `None` where nobody answers."""


class Ending(NamedTuple):
    """How watching ended: the run as it stands, and the run (it or a child) that waits for a person."""

    run: Json
    waits: Json = None


class Watch:
    """One run on one screen. Give it `ask` where there is a person to ask."""

    def __init__(self, gateway: Gateway, screen: Screen, ask: Ask | None = None) -> None:
        """Watch nothing yet."""
        self._gateway = gateway
        self._screen = screen
        self._ask = ask
        self._over: dict[str, anyio.Event] = {}  # of every run that is followed
        self._children: dict[str, str] = {}  # the step that waits → its child
        self._turn = anyio.Lock()  # of whoever writes to the screen, or asks on it
        self._away = False
        self._failure: GatewayError | None = None
        self._waits: Json = None

    async def until_end(self, run_id: str) -> Ending:
        """Show the run until it ends, or until it waits for a person who is not there."""
        async with anyio.create_task_group() as tasks:
            self._begin(run_id, 0, tasks)
        if self._failure is not None:
            raise self._failure
        return Ending(await self._gateway.run(run_id), self._waits)

    def _begin(self, run_id: str, depth: int, tasks: TaskGroup) -> None:
        if run_id in self._over or depth > DEPTH_MAX or len(self._over) > CHILDREN_MAX:
            return
        self._over[run_id] = anyio.Event()
        tasks.start_soon(self._follow, run_id, depth, tasks)

    async def _follow(self, run_id: str, depth: int, tasks: TaskGroup) -> None:
        try:
            async with aclosing(follow(self._gateway, run_id, deltas=depth == 0)) as stream:
                async for told in stream:
                    if isinstance(told, Step):
                        await self._step(told.cursor, told.record, depth, tasks)
                    elif isinstance(told, Delta | Cut):
                        await self._shown(partial(self._show, told))
        except GatewayError as error:
            self._failure = self._failure or (error if depth == 0 else None)
        self._over[run_id].set()
        if depth == 0:
            tasks.cancel_scope.cancel()

    async def _step(self, cursor: int, record: Json, depth: int, tasks: TaskGroup) -> None:
        self._away = False
        ended_child = self._children.get(record["step_id"])
        if ended_child is not None:
            await self._drained(ended_child)
        await self._shown(partial(self._screen.record, cursor, record, depth))
        if record["status"] != "waiting":
            return
        wait = (record["result"] or {}).get("wait") or {}
        if child := child_of(wait):
            self._children[record["step_id"]] = child
            self._begin(child, depth + 1, tasks)
        elif kind_of(wait) in FOR_A_PERSON:
            await self._person(record["run_id"], wait, tasks)

    async def _drained(self, child: str) -> None:
        with anyio.move_on_after(DRAIN_S):
            if child in self._over:
                await self._over[child].wait()

    async def _person(self, run_id: str, wait: Json, tasks: TaskGroup) -> None:
        """Have a wait answered, if it is still open and there is someone to ask."""
        run = await self._gateway.run(run_id)
        waiting = run["waiting"]
        if not waiting or waiting["wait_key"] != wait.get("wait_key"):
            return
        payload: Json = None
        if self._ask is not None:
            async with self._turn:
                payload = await self._ask(run, waiting)
        if payload is None:
            self._waits = run
            tasks.cancel_scope.cancel()
            return
        try:
            sent = {"wait_key": waiting["wait_key"], "payload": payload}
            await self._gateway.command(run_id, "resume", sent)
        except Conflict as error:
            said = f"{wait_text(waiting)}: {error.detail}"
            await self._shown(partial(self._screen.say, said, "yellow"))

    def _show(self, told: Delta | Cut) -> None:
        """Show a delta, or once that the stream is cut: it is taken up as often as it takes."""
        if isinstance(told, Delta):
            self._screen.delta(told)
        elif not self._away:
            self._screen.say(f"The stream was cut ({told.why}); waiting for the gateway.", "yellow")
        self._away = isinstance(told, Cut)

    async def _shown(self, show: Callable[[], None]) -> None:
        async with self._turn:
            show()
