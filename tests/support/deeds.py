"""Each thing that somebody may do by a route, done once, so that a test sees what it leaves behind."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from perdure.api.routing import PREFIX
from tests.support.built import Built
from tests.support.gateway import a_straight_bundle, packed

Answer = httpx2.Response
Deed = Callable[["Doer"], Awaitable[Answer]]
Route = tuple[str, str]


@dataclass
class Doer:
    """Does things at a gateway in user mode: as its admin, or as users that it makes."""

    one: Built
    made: int = 0
    sessions: dict[str, httpx2.Cookies] = field(default_factory=dict)

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Ask for something below the prefix, as the admin unless headers say otherwise."""
        if body is not None:
            options["json"] = body
        return await self.one.client.request(method, f"{PREFIX}{path}", **options)

    async def ready(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The same, of something that must go well before the deed."""
        answer = await self.send(method, path, body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def name(self, kind: str) -> str:
        """A name that nothing has yet."""
        self.made += 1
        return f"{kind}-{self.made}"

    async def user(self) -> tuple[str, str]:
        """A new user and their token."""
        user = self.name("user")
        return user, (await self.ready("POST", "/admin/users", {"user_id": user}))["token"]

    async def bundle(self) -> str:
        """A new bundle."""
        bundle_id = self.name("bundle")
        await self.upload(bundle_id)
        return bundle_id

    async def upload(self, bundle_id: str) -> Answer:
        """Install a bundle of this name."""
        files = {"file": (f"{bundle_id}.flow", packed(a_straight_bundle(id=bundle_id)))}
        return await self.send("POST", "/bundles/upload", files=files)

    async def browser(self) -> dict[str, str]:
        """The headers of a browser whose user has signed in."""
        user, token = await self.user()
        answer = await self.send("POST", "/session/login", {"user_id": user, "token": token})
        assert answer.status_code == 200, answer.text
        value, csrf = (answer.cookies[f"abstractgateway_{it}"] for it in ("session", "csrf"))
        self.one.client.cookies.clear()
        return {
            "x-abstractgateway-session": value,
            "x-abstractgateway-csrf": csrf,
            "authorization": "",
        }

    async def profile(self) -> str:
        """A new endpoint profile of the admin's own."""
        name = self.name("profile")
        body = {"id": name, "display_name": name, "base_url": "https://models.example.com/v1"}
        await self.ready("POST", "/config/provider-endpoint-profiles", body)
        return name

    async def retained(self) -> str:
        """A runtime that nobody has any more."""
        user, _ = await self.user()
        runtime: str = (await self.ready("DELETE", f"/admin/users/{user}"))["user_id"]
        return runtime


async def start(doer: Doer) -> Answer:
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "a secret"}}
    return await doer.send("POST", "/runs/start", body)


async def command(doer: Doer) -> Answer:
    run_id = (await start(doer)).json()["run_id"]
    body = {"command_id": doer.name("c"), "run_id": run_id, "type": "cancel", "payload": {}}
    return await doer.send("POST", "/commands", body)


async def upload(doer: Doer) -> Answer:
    return await doer.upload(doer.name("bundle"))


async def remove(doer: Doer) -> Answer:
    return await doer.send("DELETE", f"/bundles/{await doer.bundle()}")


async def deprecate(doer: Doer) -> Answer:
    return await doer.send("POST", f"/bundles/{await doer.bundle()}/deprecate", {"reason": "old"})


async def undeprecate(doer: Doer) -> Answer:
    bundle = await doer.bundle()
    await doer.ready("POST", f"/bundles/{bundle}/deprecate", {})
    return await doer.send("POST", f"/bundles/{bundle}/undeprecate", {})


async def reload(doer: Doer) -> Answer:
    return await doer.send("POST", "/bundles/reload")


async def sign_in(doer: Doer) -> Answer:
    user, token = await doer.user()
    answer = await doer.send("POST", "/session/login", {"user_id": user, "token": token})
    doer.one.client.cookies.clear()
    return answer


async def sign_out(doer: Doer) -> Answer:
    return await doer.send("POST", "/session/logout", headers=await doer.browser())


async def sign_out_everywhere(doer: Doer) -> Answer:
    return await doer.send("POST", "/session/logout_all", headers=await doer.browser())


async def end_session(doer: Doer) -> Answer:
    headers = await doer.browser()
    (session,) = (await doer.ready("GET", "/session/list", headers=headers))["items"]
    return await doer.send("DELETE", f"/session/{session['handle']}", headers=headers)


async def create_user(doer: Doer) -> Answer:
    return await doer.send("POST", "/admin/users", {"user_id": doer.name("user")})


async def change_user(doer: Doer) -> Answer:
    user, _ = await doer.user()
    return await doer.send("PATCH", f"/admin/users/{user}", {"rotate_token": True})


async def delete_user(doer: Doer) -> Answer:
    user, _ = await doer.user()
    return await doer.send("DELETE", f"/admin/users/{user}")


async def give_token(doer: Doer) -> Answer:
    user, _ = await doer.user()
    return await doer.send("POST", f"/admin/users/{user}/tokens", {"name": "second"})


async def take_token(doer: Doer) -> Answer:
    user, _ = await doer.user()
    known = (await doer.ready("POST", f"/admin/users/{user}/tokens", {"name": "second"}))["known"]
    return await doer.send("DELETE", f"/admin/users/{user}/tokens/{known['id']}")


async def have_token(doer: Doer) -> Answer:
    headers = {"authorization": f"Bearer {(await doer.user())[1]}"}
    return await doer.send("POST", "/me/tokens", {"name": "second"}, headers=headers)


async def end_token(doer: Doer) -> Answer:
    headers = {"authorization": f"Bearer {(await doer.user())[1]}"}
    known = (await doer.ready("POST", "/me/tokens", {"name": "second"}, headers=headers))["known"]
    return await doer.send("DELETE", f"/me/tokens/{known['id']}", headers=headers)


async def transfer(doer: Doer) -> Answer:
    runtime, (user, _) = await doer.retained(), await doer.user()
    body = {"target_user_id": user, "confirm_runtime_id": runtime}
    return await doer.send("POST", f"/admin/runtime-reservations/{runtime}/transfer", body)


async def purge(doer: Doer) -> Answer:
    runtime = await doer.retained()
    body = {"confirm_runtime_id": runtime}
    return await doer.send("POST", f"/admin/runtime-reservations/{runtime}/purge", body)


async def list_theirs(doer: Doer) -> Answer:
    return await doer.send("GET", f"/admin/users/{(await doer.user())[0]}/runs?reason=they+asked")


async def read_theirs(doer: Doer, what: str = "") -> Answer:
    user, token = await doer.user()
    headers = {"authorization": f"Bearer {token}"}
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "a secret"}}
    run_id = (await doer.ready("POST", "/runs/start", body, headers=headers))["run_id"]
    path = f"/admin/users/{user}/runs/{run_id}{what}"
    return await doer.send("GET", path, params={"reason": "they asked"})


async def read_their_ledger(doer: Doer) -> Answer:
    return await read_theirs(doer, "/ledger")


async def create_profile(doer: Doer) -> Answer:
    body = {
        "id": doer.name("profile"),
        "display_name": "p",
        "base_url": "https://models.example.com",
    }
    return await doer.send("POST", "/config/provider-endpoint-profiles", body)


async def change_profile(doer: Doer) -> Answer:
    path = f"/config/provider-endpoint-profiles/{await doer.profile()}"
    return await doer.send("PUT", path, {"display_name": "another"})


async def delete_profile(doer: Doer) -> Answer:
    return await doer.send("DELETE", f"/config/provider-endpoint-profiles/{await doer.profile()}")


# --- flows that are drawn, and code --------------------------------------------------------------

DRAWN: Final = {
    "name": "drawn",
    "nodes": [{"id": "end", "type": "on_flow_end", "data": {"inputs": [{"id": "exec-in", "label": "", "type": "execution"}]}}],
    "edges": [],
}  # fmt: skip


async def drawing(doer: Doer) -> str:
    """A new flow that is being drawn."""
    flow = a_straight_bundle().flows["main"]
    body = {"name": doer.name("drawing"), "nodes": flow["nodes"], "edges": flow["edges"]}
    return str((await doer.ready("POST", "/visualflows", body))["id"])


async def draw(doer: Doer) -> Answer:
    return await doer.send("POST", "/visualflows", DRAWN)


async def draw_on(doer: Doer) -> Answer:
    return await doer.send("PUT", f"/visualflows/{await drawing(doer)}", {"description": "more"})


async def rub_out(doer: Doer) -> Answer:
    return await doer.send("DELETE", f"/visualflows/{await drawing(doer)}")


async def publish(doer: Doer) -> Answer:
    return await doer.send("POST", f"/visualflows/{await drawing(doer)}/publish", {})


async def simulate(doer: Doer) -> Answer:
    body = {"code": "def transform(given):\n    return given", "input": 1}
    return await doer.send("POST", "/visualflows/code/simulate", body)


# --- the time of runs, and their past ------------------------------------------------------------


async def plan(doer: Doer) -> Answer:
    body = {"bundle_id": "two-timers", "start_at": "2999-01-01T00:00:00Z"}
    return await doer.send("POST", "/runs/schedule", body)


async def purge_drafts(doer: Doer) -> Answer:
    lifecycle = {"purpose": "draft_test", "retention": {"mode": "ephemeral"}}
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "Well?"}, "run_lifecycle": lifecycle}
    run_id = (await doer.ready("POST", "/runs/start", body))["run_id"]
    body = {"command_id": doer.name("c"), "run_id": run_id, "type": "cancel", "payload": {}}
    await doer.ready("POST", "/commands", body)
    await doer.send("GET", f"/runs/{run_id}/ledger/stream")  # to its end
    return await doer.send("POST", "/runs/purge_drafts", {"dry_run": False, "force": True})


async def attach(doer: Doer) -> Answer:
    form = {"session_id": "s"}
    return await doer.send(
        "POST", "/attachments/upload", data=form, files={"file": ("a.txt", b"text")}
    )


async def a_run(doer: Doer) -> str:
    """A new run, which asks something and waits."""
    return str((await start(doer)).json()["run_id"])


async def fork(doer: Doer) -> Answer:
    return await doer.send("POST", f"/runs/{await a_run(doer)}/fork", {"from_seq": 0})


async def take_in(doer: Doer) -> Answer:
    headers = {"authorization": f"Bearer {(await doer.user())[1]}"}
    body = {"bundle_id": "ask-first", "input_data": {"prompt": "Well?"}}
    run_id = (await doer.ready("POST", "/runs/start", body, headers=headers))["run_id"]
    exported = await doer.send("GET", f"/runs/{run_id}/export", headers=headers)
    return await doer.send("POST", "/runs/import", files={"file": ("run.zip", exported.content)})


async def bookmark(doer: Doer) -> Answer:
    return await doer.send("POST", f"/runs/{await a_run(doer)}/bookmarks", {"name": "here"})


async def forget(doer: Doer) -> Answer:
    made = (await bookmark(doer)).json()
    return await doer.send("DELETE", f"/bookmarks/{made['bookmark_id']}")


async def restore(doer: Doer) -> Answer:
    made = (await bookmark(doer)).json()
    return await doer.send("POST", f"/bookmarks/{made['bookmark_id']}/restore", {})


DEEDS: Final[Mapping[Route, Deed]] = {
    ("POST", f"{PREFIX}/runs/start"): start,
    ("POST", f"{PREFIX}/commands"): command,
    ("POST", f"{PREFIX}/bundles/upload"): upload,
    ("POST", f"{PREFIX}/bundles/reload"): reload,
    ("DELETE", f"{PREFIX}/bundles/{{bundle_id}}"): remove,
    ("POST", f"{PREFIX}/bundles/{{bundle_id}}/deprecate"): deprecate,
    ("POST", f"{PREFIX}/bundles/{{bundle_id}}/undeprecate"): undeprecate,
    ("POST", f"{PREFIX}/session/login"): sign_in,
    ("POST", f"{PREFIX}/session/logout"): sign_out,
    ("POST", f"{PREFIX}/session/logout_all"): sign_out_everywhere,
    ("DELETE", f"{PREFIX}/session/{{handle}}"): end_session,
    ("POST", f"{PREFIX}/admin/users"): create_user,
    ("PATCH", f"{PREFIX}/admin/users/{{user_id}}"): change_user,
    ("DELETE", f"{PREFIX}/admin/users/{{user_id}}"): delete_user,
    ("POST", f"{PREFIX}/admin/users/{{user_id}}/tokens"): give_token,
    ("DELETE", f"{PREFIX}/admin/users/{{user_id}}/tokens/{{token_id}}"): take_token,
    ("GET", f"{PREFIX}/admin/users/{{user_id}}/runs"): list_theirs,
    ("GET", f"{PREFIX}/admin/users/{{user_id}}/runs/{{run_id}}"): read_theirs,
    ("GET", f"{PREFIX}/admin/users/{{user_id}}/runs/{{run_id}}/ledger"): read_their_ledger,
    ("POST", f"{PREFIX}/me/tokens"): have_token,
    ("DELETE", f"{PREFIX}/me/tokens/{{token_id}}"): end_token,
    ("POST", f"{PREFIX}/admin/runtime-reservations/{{runtime_id}}/transfer"): transfer,
    ("POST", f"{PREFIX}/admin/runtime-reservations/{{runtime_id}}/purge"): purge,
    ("POST", f"{PREFIX}/config/provider-endpoint-profiles"): create_profile,
    ("PUT", f"{PREFIX}/config/provider-endpoint-profiles/{{profile_id}}"): change_profile,
    ("DELETE", f"{PREFIX}/config/provider-endpoint-profiles/{{profile_id}}"): delete_profile,
    ("POST", f"{PREFIX}/visualflows"): draw,
    ("PUT", f"{PREFIX}/visualflows/{{flow_id}}"): draw_on,
    ("DELETE", f"{PREFIX}/visualflows/{{flow_id}}"): rub_out,
    ("POST", f"{PREFIX}/visualflows/{{flow_id}}/publish"): publish,
    ("POST", f"{PREFIX}/visualflows/code/simulate"): simulate,
    ("POST", f"{PREFIX}/runs/schedule"): plan,
    ("POST", f"{PREFIX}/runs/purge_drafts"): purge_drafts,
    ("POST", f"{PREFIX}/attachments/upload"): attach,
    ("POST", f"{PREFIX}/runs/{{run_id}}/fork"): fork,
    ("POST", f"{PREFIX}/runs/import"): take_in,
    ("POST", f"{PREFIX}/runs/{{run_id}}/bookmarks"): bookmark,
    ("DELETE", f"{PREFIX}/bookmarks/{{bookmark_id}}"): forget,
    ("POST", f"{PREFIX}/bookmarks/{{bookmark_id}}/restore"): restore,
}

# They only read, and send a body to say what.
READS: Final = frozenset({
    ("POST", f"{PREFIX}/runs/ledger/batch"),
    ("POST", f"{PREFIX}/config/provider-endpoint-profiles/discover-models"),
    ("POST", f"{PREFIX}/runs/{{run_id}}/replay"),
    ("POST", f"{PREFIX}/bundles/{{bundle_id}}/verify"),
})  # fmt: skip
