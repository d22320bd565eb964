"""The program in user mode as a whole, with clients of its users."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2

from perdure.app.build import App, build
from perdure.app.settings import read_settings
from tests.support.postgres import new_database

API: Final = "/api/gateway"


def stored_in(database: str) -> dict[str, Any]:
    """The setting of where the data lie: in files, or in a Postgres that has nothing yet."""
    return {} if database == "sqlite" else {"database_url": new_database()}


class Town:
    """The program in user mode, with clients of users."""

    def __init__(self, app: App, clients: AsyncExitStack) -> None:
        self.app, self._clients = app, clients

    async def client(self, token: str) -> httpx2.AsyncClient:
        """A client that shows this token."""
        transport = httpx2.ASGITransport(app=self.app.api, raise_app_exceptions=False)
        bearer = {"authorization": f"Bearer {token}"}
        made = httpx2.AsyncClient(transport=transport, base_url="http://built", headers=bearer)
        return await self._clients.enter_async_context(made)

    async def user(self, name: str) -> httpx2.AsyncClient:
        """A client of a new user."""
        assert self.app.first_token is not None
        admin = await self.client(self.app.first_token)
        answer = await admin.post(f"{API}/admin/users", json={"user_id": name})
        assert answer.status_code == 200, answer.text
        return await self.client(answer.json()["token"])


@asynccontextmanager
async def a_town(folder: Path, **settings: Any) -> AsyncIterator[Town]:
    """The program in user mode, at work."""
    given: dict[str, Any] = {"embedded_model": False, "user_auth": True, "port": 0, **settings}
    async with build(read_settings(data_dir=folder, **given)) as app, AsyncExitStack() as clients:
        assert app.runner is not None
        async with anyio.create_task_group() as group:
            group.start_soon(app.runner.serve)
            yield Town(app, clients)
            app.closing.close()
            app.runner.stop()


async def a_start(client: httpx2.AsyncClient, session_id: str) -> httpx2.Response:
    """Start a run that asks somebody."""
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "hello"}, "session_id": session_id}
    return await client.post(f"{API}/runs/start", json=body)
