"""Users who come and go at a gateway that dies on the way: what each act must leave, and what it must not.

Whatever a gateway dies in the middle of, its next life finds the state before the act or the one after
it. While it is dead, an id that nobody reserves has no data.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from perdure.adapters.sql.control import schema_of
from perdure.ids import RuntimeId, TenantId
from tests.journeys.journey import Journey
from tests.journeys.wire import API

TENANT: Final = TenantId("default")
KEPT: Final = f"{API}/admin/runtime-reservations"
USERS: Final = f"{API}/admin/users"
_IS_SCHEMA: Final = "SELECT 1 FROM information_schema.schemata WHERE schema_name = :name"


@dataclass
class Estate:
    """A gateway in user mode, who its users are, and what they have started."""

    journey: Journey
    tokens: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def armed(self) -> Path:
        """The file that says that it is to die now."""
        return self.journey.gateway.data_dir.with_suffix(".armed")

    async def live(self, probe: str) -> None:
        """Begin a life that ends at a point, once it is armed. Raises `Ended` where it is armed already."""
        told = (
            "--set",
            "user_auth=1",
            "--set",
            "sqlite_synchronous=NORMAL",
            "--armed",
            str(self.armed),
        )
        await self.journey.gateway.start(*told, probe=probe)

    async def die(self, act: Callable[[], Awaitable[httpx2.Response]]) -> bool:
        """Do something on the way of which it dies; whether it did. It is dead afterwards in any case."""
        self.armed.touch()
        try:
            answer = await act()
            assert answer.status_code == 200, answer.text
        except httpx2.TransportError:
            answered = False
        else:
            answered = True
        await self.end()
        return not answered

    async def end(self) -> None:
        """Have this life over, whether it is yet or not."""
        with suppress(ProcessLookupError):
            os.kill(self.journey.gateway.pid, signal.SIGKILL)
        assert await self.journey.gateway.ended() == -signal.SIGKILL
        self.journey.disk.settle()

    async def ask(
        self, method: str, path: str, body: Any = None, *, by: str = ""
    ) -> httpx2.Response:
        """Ask once, as the admin or as a user; a death on the way is a `TransportError`."""
        headers = {"authorization": f"Bearer {self.tokens[by]}"} if by else {}
        more: dict[str, Any] = {} if body is None else {"json": body}
        return await self.journey.wire.once(method, path, headers=headers, **more)

    async def done(self, method: str, path: str, body: Any = None, *, by: str = "") -> Any:
        """The same, of what must go well; the answer."""
        answer = await self.ask(method, path, body, by=by)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    # --- who is there ------------------------------------------------------------------------------

    async def come(self, name: str, **more: str) -> None:
        """Make a user, who starts a run."""
        self.tokens[name] = (await self.done("POST", USERS, {"user_id": name, **more}))["token"]
        body = {"bundle_id": "ask-first", "input_data": {"prompt": name}}
        self.runs[name] = (await self.done("POST", f"{API}/runs/start", body, by=name))["run_id"]

    async def go(self, name: str) -> None:
        """Delete a user, whose runtime is kept."""
        await self.done("DELETE", f"{USERS}/{name}")

    async def user(self, name: str) -> Mapping[str, Any] | None:
        """A user, if they are there."""
        answer = await self.ask("GET", f"{USERS}/{name}")
        return answer.json()["user"] if answer.status_code == 200 else None

    async def kept(self) -> dict[str, Any]:
        """The runtimes that nobody has."""
        found = (await self.done("GET", KEPT))["runtime_reservations"]
        return {one["runtime_id"]: one for one in found}

    async def sees(self, name: str, whose: str) -> bool:
        """Whether a user sees what another one started, or they did themselves."""
        answer = await self.ask("GET", f"{API}/runs/{self.runs[whose]}", by=name)
        return answer.status_code == 200

    async def told(self, action: str, name: str) -> bool:
        """Whether an act that names somebody is on the record."""
        page = await self.done("GET", f"{API}/audit?action={action}&limit=1000")
        return any(name in (it["subject"], it["target"]) for it in page["items"])

    # --- what lies there ---------------------------------------------------------------------------

    def reserved(self, runtime: str) -> bool:
        """Whether anybody has an id, or it is kept: looked up past the gateway, which is dead."""
        control = "runtimes" if self.journey.gateway.postgres is None else "perdure.runtimes"
        return self._any(f"SELECT 1 FROM {control} WHERE runtime = :name", runtime)

    def data_of(self, runtime: str) -> bool:
        """Whether there are data of a runtime, in files or in the database."""
        folder = self.journey.gateway.data_dir / "planes" / TENANT / runtime
        if folder.exists() or self.journey.gateway.postgres is None:
            return folder.exists()
        return self._any(_IS_SCHEMA, schema_of(TENANT, RuntimeId(runtime)))

    def _any(self, statement: str, name: str) -> bool:
        gateway = self.journey.gateway
        control = f"sqlite:///file:{gateway.data_dir / 'control.db'}?mode=ro&uri=true"
        engine = create_engine(gateway.postgres or control, poolclass=NullPool)
        with engine.connect() as connection:
            return connection.execute(text(statement), {"name": name}).first() is not None
