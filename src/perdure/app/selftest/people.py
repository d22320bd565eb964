"""The people of a trial: throw-away users, each with a client of their own."""

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any, Final
from urllib.parse import quote

from perdure.app.client import Gateway
from perdure.app.selftest.answers import Answer
from perdure.app.selftest.rows import NOWHERE
from perdure.errors import GatewayError, Invalid, NotFound
from perdure.identity.users import LOCAL, OVER_ALL

PREFIX: Final = "selftest"
HOME: Final = "default"  # where the installation's own token is at home
LETTERS: Final = 8
PROFILES: Final = "/config/provider-endpoint-profiles"


@dataclass
class Person:
    """Somebody who asks."""

    name: str
    tenant: str
    token: str
    company: "Company" = field(repr=False)
    admin: bool = False
    over_all: bool = False
    gateway: Gateway | None = None  # opened when they first ask
    acts: list[str] = field(default_factory=list)  # requests that come on record, soon or at once

    @property
    def id(self) -> str:
        """What tells them from everybody, in whichever tenant."""
        return f"{self.tenant}/{self.name}"

    async def connected(self) -> Gateway:
        """Their client."""
        if self.gateway is None:
            self.gateway = await self.company.client(self.token or None)
        return self.gateway

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Ask for a path from the root on; the answer as it comes, a refusal too."""
        answer = await (await self.connected()).ask(method, f"/{path}", **more)
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        return Answer(
            answer.status_code,
            tuple(answer.headers.multi_items()),
            "" if is_stream and answer.is_success else answer.text,
        )


class Company:
    """Everybody in a trial: the admin who lets it happen, and those made for it."""

    def __init__(self, url: str, root: Gateway, stack: AsyncExitStack) -> None:
        """Make people at `url` by `root`, with clients that are closed with `stack`."""
        self.url, self.root, self._stack = url, root, stack
        self.home = HOME
        self.over_all = False  # whether the admin's word goes in every tenant
        self.shared = ""
        self.lost = ""  # the file of a run that is nowhere any more
        self.made: list[tuple[str, str]] = []  # tenants and users
        self.traces: dict[str, tuple[str, str]] = {}  # what names a thing → whose and what it is

    async def begin(self) -> None:
        """Learn who the admin is. Raises `Forbidden` where they are none, `Invalid` where there are no users."""
        me = await self.root.get("/me")
        if not me["auth"]["user_auth_enabled"]:
            raise Invalid("This gateway serves one token; it has users with PERDURE_USER_AUTH=1.")
        principal = me["principal"]
        if principal["tenant_id"] != LOCAL:
            self.home = principal["tenant_id"]
        self.over_all = principal["tenant_id"] == LOCAL or OVER_ALL in principal["scopes"]
        await self.root.get("/admin/users", limit=1)

    async def client(self, token: str | None) -> Gateway:
        """A client with a token, or with none."""
        return await self._stack.enter_async_context(Gateway(self.url, token))

    async def hire(
        self, role: str, tenant: str = "", *, admin: bool = False, name: str = ""
    ) -> Person:
        """Make a user. Raises `Forbidden` where the admin has no word in the tenant."""
        name, tenant = name or new_name(role), tenant or self.home
        roles = ["user", "admin"] if admin else ["user"]
        body = {"user_id": name, "tenant_id": tenant, "roles": roles}
        token: str = (await self.root.post("/admin/users", body))["token"]
        self.made.append((tenant, name))
        return Person(name, tenant, token, self, admin)

    def nobody(self) -> Person:
        """Somebody who shows no credential."""
        return Person("nobody", "", "", self)

    async def share(self) -> None:
        """Keep a profile that all of one's own tenant may use, and nobody of another. It is gone with the others."""
        name = new_name("shared")
        body = {"id": name, "display_name": name, "base_url": NOWHERE, "scope": "gateway"}
        await self.root.post(PROFILES, body)
        self.shared = name

    def admin(self) -> Person:
        """The admin who lets the trial happen."""
        return Person("the admin", self.home, "", self, True, self.over_all, self.root)

    async def leave(self) -> list[str]:
        """Delete everybody who was made, and what is kept of them; what could not be."""
        left: list[str] = []
        if self.shared:
            await self.root.delete(f"{PROFILES}/{self.shared}")
        for tenant, name in reversed(dict.fromkeys(self.made)):
            try:
                await self.root.delete(f"/admin/users/{quote(name, safe='')}", tenant_id=tenant)
            except NotFound:
                pass  # the trial did it
            except GatewayError as error:
                left.append(f"user {tenant}/{name}: {error.detail}")
        for tenant in sorted({tenant for tenant, _ in self.made}):
            left += await self._purge(tenant)
        return left

    async def _purge(self, tenant: str) -> list[str]:
        """Take away the runtimes that are kept for those who were made."""
        left: list[str] = []
        for runtime in await self._kept(tenant):
            body = {"tenant_id": tenant, "confirm_runtime_id": runtime}
            try:
                path = f"/admin/runtime-reservations/{quote(runtime, safe='')}/purge"
                await self.root.post(path, body)
            except GatewayError as error:
                left.append(f"runtime {tenant}/{runtime}: {error.detail}")
        return left

    async def _kept(self, tenant: str) -> list[str]:
        """Runtimes of a tenant that nobody has, and that a trial left."""
        found: list[str] = []
        query: Mapping[str, Any] = {"tenant_id": tenant}
        while True:
            page = await self.root.get("/admin/runtime-reservations", **query)
            found += [it["runtime_id"] for it in page["runtime_reservations"]]
            if page["next_cursor"] is None:
                return [it for it in found if it.startswith(f"{PREFIX}-")]
            query = {"tenant_id": tenant, "cursor": page["next_cursor"]}


def new_name(what: str) -> str:
    """A name that nothing has yet."""
    end = "".join(secrets.choice(ascii_lowercase) for _ in range(LETTERS))
    return f"{PREFIX}-{what}-{end}"
