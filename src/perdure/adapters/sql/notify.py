"""Hints between processes over Postgres: who was committed, told at most so often, and heard.

A hint may be lost and breaks nothing by it. After a lost connection everybody is told that
something may have happened.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import anyio
import orjson
import psycopg
from sqlalchemy import Engine

from perdure.ids import RunId

CHANNEL: Final = "perdure"
PAUSE_S: Final = 0.05  # between two rounds of telling: at most 20 a second
AGAIN_S: Final = 1.0  # until a lost connection is sought again
PAYLOAD_BYTES_MAX: Final = 7_000  # Postgres takes just under 8,000
PENDING_MAX: Final = 2_000  # runs of a plane; more are told as "something"

Hint = Callable[[RunId | None], None]


class Notices:
    """The hints of one process, for all its planes. Lives on the event loop; `serve` makes it work."""

    def __init__(self, engine: Engine) -> None:
        """Reach the database of `engine`, over connections of its own."""
        _, self._address = engine.dialect.create_connect_args(engine.url)
        self._listeners: dict[str, list[Hint]] = {}
        self._unheard: list[Callable[[], None]] = []
        self._pending: dict[str, dict[RunId, None]] = {}
        self._more = anyio.Event()
        self._pid: int | None = None  # of the connection that tells: what it said needs no hearing

    def listen(self, schema: str, hint: Hint) -> Callable[[], None]:
        """Call `hint` for each run of a plane that another process changed; returns how to stop."""
        self._listeners.setdefault(schema, []).append(hint)

        def stop() -> None:
            with suppress(KeyError, ValueError):
                self._listeners[schema].remove(hint)
                if not self._listeners[schema]:
                    del self._listeners[schema]

        return stop

    def on_unheard(self, listener: Callable[[], None]) -> None:
        """Call `listener` when another process tells of a plane that nobody listens for here."""
        self._unheard.append(listener)

    def tell(self, schema: str, run_ids: Iterable[RunId]) -> None:
        """Let other processes know of these runs, soon. What waits already is told once."""
        self._pending.setdefault(schema, {}).update(dict.fromkeys(run_ids))
        self._more.set()

    async def serve(self) -> None:
        """Tell and hear, for as long as this is not cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._connected, self._telling)
            group.start_soon(self._connected, self._hearing)

    async def _connected(self, use: Callable[[psycopg.AsyncConnection[Any]], Any]) -> None:
        """Use a connection, and another one when it is lost."""
        while True:
            with suppress(psycopg.OperationalError):
                connection = await psycopg.AsyncConnection.connect(**self._address, autocommit=True)
                try:
                    await use(connection)
                finally:  # also when it is cancelled: an awaited good-bye would not come through
                    with anyio.CancelScope(shield=True):
                        await connection.close()
            await anyio.sleep(AGAIN_S)

    async def _telling(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._pid = connection.info.backend_pid
        while True:
            await self._more.wait()
            self._more = anyio.Event()
            pending, self._pending = self._pending, {}
            for schema, run_ids in pending.items():
                for payload in payloads_of(schema, list(run_ids)):
                    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            await anyio.sleep(PAUSE_S)

    async def _hearing(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        for schema in tuple(self._listeners):  # whatever was said while nobody heard
            self._hint(schema, None)
        for listener in self._unheard:
            listener()
        while True:
            async for notice in connection.notifies(timeout=0):
                if notice.pid != self._pid:
                    self._heard(notice.payload)
            # To wait by the driver is to look ten times a second, as long as nobody says anything.
            await anyio.wait_readable(connection.fileno())

    def _heard(self, payload: str) -> None:
        told = orjson.loads(payload)
        run_ids: Sequence[str] | None = told["runs"]
        if run_ids is None:
            self._hint(told["plane"], None)
        else:
            for run_id in run_ids:
                self._hint(told["plane"], RunId(run_id))

    def _hint(self, schema: str, run_id: RunId | None) -> None:
        hints = tuple(self._listeners.get(schema, ()))
        for hint in hints:
            hint(run_id)
        if not hints:
            for listener in self._unheard:
                listener()


def payloads_of(schema: str, run_ids: Sequence[RunId]) -> list[str]:
    """What to say of these runs, in pieces that Postgres takes; of very many, that something happened."""
    if len(run_ids) > PENDING_MAX:
        return [_payload(schema, None)]
    whole = _payload(schema, run_ids)
    if len(whole.encode()) <= PAYLOAD_BYTES_MAX or len(run_ids) == 1:
        return [whole]
    middle = len(run_ids) // 2
    return [*payloads_of(schema, run_ids[:middle]), *payloads_of(schema, run_ids[middle:])]


def _payload(schema: str, run_ids: Sequence[RunId] | None) -> str:
    return orjson.dumps({"plane": schema, "runs": run_ids}).decode()
