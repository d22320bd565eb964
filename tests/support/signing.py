"""A gateway with users in it, and browsers that sign in to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx2

from perdure.adapters.sql.plane import Pools
from perdure.api.collaborators import ApiSettings
from perdure.identity.credentials import SingleToken
from perdure.identity.principal import Role
from perdure.services.credentials import StoredCredentials
from perdure.services.uses import Uses
from tests.support.control import Control, a_control
from tests.support.gateway import (  # fmt: skip
    TOKEN,
    Gateway,
    Options,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
)
from tests.support.kept import Installation

API: Final = "/api/gateway"
SESSION: Final = "abstractgateway_session"
CSRF: Final = "abstractgateway_csrf"
CSRF_HEADER: Final = "X-AbstractGateway-CSRF"
SESSION_HEADER: Final = "X-AbstractGateway-Session"
QUIET: Final = ApiSettings(access_logged=False)


@dataclass(frozen=True)
class Browser:
    """A browser that has signed in, or has not yet: its cookies are its own."""

    client: httpx2.AsyncClient

    @property
    def csrf(self) -> str:
        """What a page reads of the CSRF cookie."""
        return self.cookie(CSRF)

    @property
    def session(self) -> str:
        """What no page can read."""
        return self.cookie(SESSION)

    def cookie(self, name: str) -> str:
        """The value of a cookie, held to its host or not; empty where there is none."""
        return self.client.cookies.get(name) or self.client.cookies.get(f"__Host-{name}") or ""

    async def sign_in(
        self, user: str, token: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """Exchange a token for a session."""
        body = {"user_id": user, "token": token, **more}
        return await self.client.post(f"{API}/session/login", json=body, headers=headers)

    async def ask(self, method: str, path: str, *, csrf: str | None = None, **more: Any) -> httpx2.Response:  # fmt: skip
        """Ask as a page of the console does, with the CSRF token in its header unless told another."""
        shown = self.csrf if csrf is None else csrf
        headers = {CSRF_HEADER: shown} if shown else {}
        headers |= more.pop("headers", {})
        return await self.client.request(method, f"{API}{path}", headers=headers, **more)


@dataclass(frozen=True)
class Town:
    """A gateway in which alice and bob are users, and ada is an admin; their tokens by name."""

    gateway: Gateway
    control: Control
    tokens: dict[str, str]

    def bearer(self, name: str) -> dict[str, str]:
        """What `name` shows."""
        return {"authorization": f"Bearer {self.tokens[name]}"}

    @asynccontextmanager
    async def browser(self, user: str = "", *, url: str = "http://gateway") -> AsyncIterator[Browser]:  # fmt: skip
        """A browser of its own, in which `user` is signed in, if anybody; over a socket where `url` has a port."""
        app = httpx2.ASGITransport(app=self.gateway.app, raise_app_exceptions=False)
        transport = None if url.count(":") > 1 else app
        async with httpx2.AsyncClient(transport=transport, base_url=url, timeout=30) as client:
            browser = Browser(client)
            if user:
                answer = await browser.sign_in(user, self.tokens[user])
                assert answer.status_code == 200, answer.text
            yield browser


@asynccontextmanager
async def a_town(
    folder: Path, settings: ApiSettings = QUIET, *, installation: bool = True, database: str = "sqlite",
    **options: Any,
) -> AsyncIterator[Town]:  # fmt: skip
    """A gateway with users; the installation's own token lets in its local admin as well."""
    async with a_control(database, folder) as control:
        context = control.context
        uses = Uses(context.tokens, context.sessions, control.clock)
        own = SingleToken([TOKEN], b"key of a test") if installation else None
        tokens = {name: (await control.user(name))[1] for name in ("alice", "bob")}
        _, tokens["ada"] = await control.user("ada", roles=frozenset({Role.USER, Role.ADMIN}))
        pools = Pools()
        place = Installation.on(control, database, folder / "kept", pools)
        chosen = Options(
            settings=settings, clock=control.clock, control=context, database=database,
            credentials=StoredCredentials(context, uses, own), retention=place.retention(),
        )  # fmt: skip
        try:
            async with a_gateway(folder / "gateway", replace(chosen, **options)) as gateway:
                await gateway.install(an_asking_bundle(id="ask"))
                await gateway.install(a_straight_bundle(id="straight"))
                yield Town(gateway, control, tokens)
        finally:
            await place.router.close_all()
            pools.close()


def set_by(answer: Any) -> dict[str, set[str]]:
    """The cookies that an answer sets: the parts of each by its name."""
    lines = [line.split("; ") for line in answer.headers.get_list("set-cookie")]
    return {line[0].partition("=")[0]: set(line[1:]) for line in lines}
