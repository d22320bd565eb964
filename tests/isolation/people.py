"""Users of one gateway, each with a client of their own, and what they do with flows and models."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2

from perdure.api.routing import PREFIX
from perdure.bundles.bundle import Bundle
from tests.isolation.gateway import a_gateway_of_many
from tests.support.drawing import a_bundle, a_flow, a_node, a_start, an_end
from tests.support.gateway import packed

PATIENCE_S: Final = 30


@dataclass(frozen=True)
class Person:
    """Somebody who asks."""

    http: httpx2.AsyncClient
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """Ask for something below the prefix."""
        if body is not None:
            more["json"] = body
        return await self.http.request(method, PREFIX + path, **more)

    async def get(self, path: str, **query: Any) -> Any:
        """Read something that is there."""
        answer = await self.ask("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, path: str, body: Any = None, **more: Any) -> Any:
        """Send something that is taken."""
        answer = await self.ask("POST", path, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def install(self, bundle: Bundle) -> None:
        """Install a bundle."""
        await self.do("/bundles/upload", files={"file": ("kit.flow", packed(bundle))})

    async def start(self, bundle_id: str, session_id: str = "s", **inputs: Any) -> str:
        """Start a run; its id."""
        body = {"bundle_id": bundle_id, "input_data": inputs, "session_id": session_id}
        return str((await self.do("/runs/start", body))["run_id"])

    async def command(self, id: str, run_id: str, type: str, payload: Mapping[str, Any]) -> httpx2.Response:  # fmt: skip
        """Send a command."""
        body = {"command_id": id, "run_id": run_id, "type": type, "payload": payload}
        return await self.ask("POST", "/commands", body)

    async def until(self, run_id: str, *statuses: str) -> Any:
        """Wait until a run stands like this; its summary."""
        with anyio.fail_after(PATIENCE_S):
            while (run := await self.get(f"/runs/{run_id}"))["status"] not in statuses:
                await anyio.sleep(0.02)
        return run


@dataclass(frozen=True)
class People:
    """The users of one gateway, by their names; `admin` is the first."""

    url: str
    clients: AsyncExitStack
    tokens: dict[str, str]

    async def person(self, name: str) -> Person:
        """Somebody, who is made where they are not there."""
        if name not in self.tokens:
            admin = await self.person("admin")
            self.tokens[name] = (await admin.do("/admin/users", {"user_id": name}))["token"]
        token = self.tokens[name]
        bearer = {"authorization": f"Bearer {token}"}
        made = httpx2.AsyncClient(
            base_url=self.url, headers=bearer, timeout=PATIENCE_S, trust_env=False
        )
        return Person(await self.clients.enter_async_context(made), token)


@asynccontextmanager
async def a_people(folder: Path, tokens: dict[str, str], **settings: Any) -> AsyncIterator[People]:
    """A gateway and whoever asks it. `tokens` are those of an earlier one on the same data."""
    async with a_gateway_of_many(folder, **settings) as (app, url), AsyncExitStack() as clients:
        if app.first_token is not None:
            tokens["admin"] = app.first_token
        yield People(url, clients, tokens)


def a_calling_bundle(event_key: str) -> Bundle:
    """A flow `main` that calls another, which waits for an event and gives out what came."""
    ways = "start -> sub -> end", "sub.said => end.said"
    calls = {
        "start": a_start(),
        "sub": a_node("subflow", out="said", subflowId="inner"),
        "end": an_end("said"),
    }
    waits = {
        "start": a_start(), "end": an_end("said"),
        "wait": a_node("wait_event", "event_key", out="event_data", defaults={"event_key": event_key}),
    }  # fmt: skip
    inner = a_flow(waits, "start -> wait -> end", "wait.event_data => end.said", id="inner")
    return a_bundle(a_flow(calls, *ways), inner, id="calling")


def an_asking_of_models(provider: str, model: str, id: str = "office") -> Bundle:
    """A flow that asks one model of one provider, which are drawn in it."""
    ask = a_node("llm_call", "prompt", "provider", "model", out="response", defaults={"provider": provider, "model": model})  # fmt: skip
    nodes = {"start": a_start("prompt"), "ask": ask, "end": an_end("response")}
    lines = "start -> ask -> end", "start.prompt => ask.prompt", "ask.response => end.response"
    return a_bundle(a_flow(nodes, *lines), id=id)
