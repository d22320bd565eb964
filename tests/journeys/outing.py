"""Everything that can be asked of a gateway, asked once and more: by its admin, by users, by browsers, by nobody."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx2

from perdure.api.routing import PREFIX
from tests.journeys.aviary import Aviary
from tests.journeys.gateway import GUARD_S
from tests.support.built import ENDS, Built
from tests.support.deeds import DEEDS, Doer
from tests.support.openai_server import MODEL, Answer

PAGES: Final = (
    "/",
    "/console",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/api/health",
    "/problems",
    "/never",
)
PROFILES: Final = f"{PREFIX}/config/provider-endpoint-profiles"
USERS: Final = ("alice", "bob", "carl", "dora")
COOKIES: Final = ("abstractgateway_session", "abstractgateway_csrf")
NOWHERE: Final = "nothing-there"


@dataclass
class Outing:
    """Asks a gateway for everything, and has whatever it answers heard."""

    aviary: Aviary
    client: httpx2.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    routes: set[str] = field(default_factory=set)

    async def ask(
        self, method: str, path: str, body: Any = None, *, by: str = "", **more: Any
    ) -> Any:
        """Ask as the admin, or as a user; the answer as JSON."""
        headers = {"authorization": f"Bearer {self.tokens[by]}"} if by else {}
        if body is not None:
            more["json"] = body
        answer = await self.client.request(method, path, headers=headers, **more)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def users(self) -> None:
        """Make users; give them tokens, two of them anew."""
        path = f"{PREFIX}/admin/users"
        for user in USERS:
            self.tokens[user] = (await self.ask("POST", path, {"user_id": user}))["token"]
            await self.ask("POST", f"{path}/{user}/tokens", {"name": "second"})
            await self.ask("POST", f"{PREFIX}/me/tokens", {"name": "own"}, by=user)
        for user in USERS[:2]:
            given = {"rotate_token": True, "overlap_s": 60 if user == "bob" else 0}
            self.tokens[user] = (await self.ask("PATCH", f"{path}/{user}", given))["token"]
        self.ids |= {"user_id": "alice", "runtime_id": "alice"}

    async def browsers(self) -> None:
        """Sign in, change something, fail to, and sign in again with a session at hand."""
        for user in USERS:
            said = {"user_id": user, "token": self.tokens[user], "remember": user == "bob"}
            answer = await self.client.post(f"{PREFIX}/session/login", json=said)
            headers = {
                "cookie": "; ".join(f"{it}={answer.cookies[it]}" for it in COOKIES),
                "authorization": "",
            }
            self.client.cookies.clear()
            csrf = {"x-abstractgateway-csrf": answer.cookies[COOKIES[1]]}
            wrong = {"x-abstractgateway-csrf": self.aviary.hatch("a wrong CSRF value")}
            for more in (csrf, wrong, {}):
                await self.client.post(f"{PREFIX}/bundles/reload", headers=headers | more)
            await self.client.get(f"{PREFIX}/session/list", headers=headers)
            await self.client.post(f"{PREFIX}/session/login", json=said, headers=headers | csrf)
            self.client.cookies.clear()
            forged = headers["cookie"].replace("_session=", "_session=x")
            await self.client.get(f"{PREFIX}/me", headers=headers | {"cookie": forged})

    async def profiles(self) -> None:
        """Store keys, use them, change what is around them, and have them refused."""
        for user in (*USERS, ""):
            key, name = self.aviary.hatch("a provider's key"), user or "shared"
            self.keys[name] = key
            body = {
                "id": name, "display_name": name, "base_url": self.aviary.provider.base_url, "api_key": key,
                "scope": "user" if user else "gateway",
            }  # fmt: skip
            await self.ask("POST", PROFILES, body, by=user)
            await self.ask("POST", f"{PROFILES}/discover-models", {"profile_id": name}, by=user)
            await self.ask("GET", f"{PROFILES}/{name}/used-by", by=user)
            await self.ask("PUT", f"{PROFILES}/{name}", {"description": "d"}, by=user)
            bad = self.aviary.hatch("a key that is refused")
            for wrong in (
                {"api_key": f"{bad} x"},
                {"api_key": [bad]},
                {"base_url": f"http://u:{bad}@h/v1"},
            ):
                answer = await self.client.put(f"{PROFILES}/{name}", json=wrong)
                assert answer.status_code >= 400
        draft = {
            "base_url": self.aviary.provider.base_url,
            "api_key": self.aviary.hatch("a draft's key"),
        }
        await self.ask("POST", f"{PROFILES}/discover-models", draft, by="alice")
        self.ids["profile_id"] = "alice"

    async def runs(self) -> None:
        """Have models called with the keys, by servers that repeat them, refuse them and break off."""
        for user, name in (*((it, it) for it in USERS), ("alice", "shared"), ("dora", "office")):
            key = self.keys.get(name) or "?"
            self.aviary.provider.say(Answer(f"you sent {key}, in hex {key.encode().hex()}"))
            await self._run(user, name, "completed")
            self.aviary.provider.say(*[Answer(status=401, error=f"no such key {key}")] * 3)
            await self._run(user, name)
        self.aviary.provider.say()

    async def _run(self, user: str, name: str, status: str = "") -> None:
        provider = name if name == "office" else f"endpoint:{name}"
        inputs = {"prompt": "hello", "provider": provider, "model": MODEL}
        body = {"bundle_id": "basic-llm", "input_data": inputs, "session_id": f"of-{user}"}
        run_id = (await self.ask("POST", f"{PREFIX}/runs/start", body, by=user))["run_id"]
        async with asyncio.timeout(GUARD_S):
            while (run := await self.ask("GET", f"{PREFIX}/runs/{run_id}", by=user))[
                "status"
            ] not in ENDS:
                await asyncio.sleep(0.05)
        assert not status or run["status"] == status, run
        if user == "alice":
            self.ids |= {"run_id": run_id, "session_id": "of-alice", "bundle_id": "basic-llm"}

    async def deeds(self) -> None:
        """Do whatever changes something, once."""
        doer = Doer(Built(cast(Any, None), self.client))
        for route, deed in DEEDS.items():
            answer = await deed(doer)
            assert answer.status_code == 200, (route, answer.text)

    async def everything(self) -> None:
        """Ask for every operation of the document, well and badly, with secrets where none belong."""
        document = await self.ask("GET", "/openapi.json")
        for path, operations in document["paths"].items():
            for method in operations:
                self.routes.add(f"{method.upper()} {path}")
                if method == "get":
                    await self._read(path)
                else:
                    await self._spoil(method.upper(), path)
        for page in PAGES:
            await self.client.get(page)

    async def _read(self, path: str) -> None:
        """Ask for something as its owner, as another, and with credentials that are none."""
        wrong = self.aviary.hatch("a wrong token")
        there = re.sub(r"\{(\w+)\}", lambda it: self.ids.get(it[1], NOWHERE), path)
        as_admin = {"reason": "they asked"} if "/admin/" in path else {}
        for user in ("alice", "bob"):
            await self._get(there, {"authorization": f"Bearer {self.tokens[user]}"}, {})
        await self._get(there, {}, as_admin)
        query = {"token": wrong, "access_token": wrong, "cursor": wrong}
        await self._get(there, {"authorization": f"Bearer {self.tokens['alice']}"}, query)
        await self._get(there, {"authorization": f"Bearer {wrong}", "x-api-key": wrong}, query)
        await self._get(
            there, {"authorization": f"Basic {wrong}", "cookie": f"{COOKIES[0]}=agws_{wrong}"}, {}
        )

    async def _get(self, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        answer = await self.client.get(path, headers=headers, params=query)
        assert answer.status_code < 500, f"{path}: {answer.status_code} {answer.text}"

    async def _spoil(self, method: str, path: str) -> None:
        """Send bodies that are refused, with a secret in each."""
        bad, headers = (
            self.aviary.hatch("a secret in a bad body"),
            {"authorization": f"Bearer {self.tokens['bob']}"},
        )
        nowhere = re.sub(r"\{\w+\}", NOWHERE, path)
        as_json = {"content-type": "application/json"} | headers
        for body in (
            f'{{"token": "{bad}"',
            f'{{"token": ["{bad}"], "api_key": {{"{bad}": 1}}, "user_id": "{bad}"}}',
        ):
            answer = await self.client.request(
                method, nowhere, content=body.encode(), headers=as_json
            )
            assert answer.status_code < 500, f"{path}: {answer.status_code} {answer.text}"


@asynccontextmanager
async def an_outing(aviary: Aviary, token: str) -> AsyncIterator[Outing]:
    """Somebody who asks as the first admin, and whose every answer is heard."""
    async with httpx2.AsyncClient(
        base_url=aviary.url, headers={"authorization": f"Bearer {token}"}, timeout=GUARD_S, trust_env=False,
        event_hooks={"response": [aviary.hear]},
    ) as client:  # fmt: skip
        yield Outing(aviary, client)
