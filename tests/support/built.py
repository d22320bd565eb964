"""The program as `build` puts it together, at work in this process, and a client of its face."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2

from perdure.app.build import App, build
from perdure.app.settings import read_settings
from perdure.ids import RunId
from tests.support.postgres import new_database

TOKEN: Final = "agw_built"
PATIENCE_S: Final = 30.0  # of a test for what is sure to come
ENDS: Final = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Built:
    """The program, and what a test asks of it."""

    app: App
    client: httpx2.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """Read something below the API's prefix that is there."""
        answer = await self.client.get(f"/api/gateway{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def start(self, bundle_id: str, **inputs: Any) -> httpx2.Response:
        """Ask for a run of a bundle."""
        body = {"bundle_id": bundle_id, "input_data": inputs}
        return await self.client.post("/api/gateway/runs/start", json=body)

    async def ended(self, run_id: str) -> Any:
        """Follow a run to its end; its summary."""
        moved = anyio.Event()
        leave = self.app.runtime.hub.listen(RunId(run_id), lambda _commits: moved.set())
        try:
            with anyio.fail_after(PATIENCE_S):
                while (run := await self.get(f"/runs/{run_id}"))["status"] not in ENDS:
                    with anyio.move_on_after(1):
                        await moved.wait()
                    moved = anyio.Event()
            return run
        finally:
            leave()


@asynccontextmanager
async def built(folder: Path, database: str = "sqlite", **settings: Any) -> AsyncGenerator[Built]:
    """The program with its data in `folder`, or in a Postgres, running, with a client that has its token."""
    given: dict[str, Any] = {"embedded_model": False, "auth_token": TOKEN, "port": 0, **settings}
    if database != "sqlite":
        given["database_url"] = new_database()
    async with build(read_settings(data_dir=folder, **given)) as app:
        transport = httpx2.ASGITransport(app=app.api, raise_app_exceptions=False)
        bearer = {"authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://built", headers=bearer) as client,
            anyio.create_task_group() as group,
        ):  # fmt: skip
            assert app.runner is not None
            group.start_soon(app.runner.serve)
            yield Built(app, client)
            app.closing.close()
            app.runner.stop()
