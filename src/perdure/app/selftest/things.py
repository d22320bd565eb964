"""Things of people in a trial, made over the API: for each kind one maker, which may make others on its way."""

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from secrets import randbelow
from typing import Any, Final

import anyio
import orjson

from perdure.app.client import Gateway, quoted
from perdure.app.selftest import kinds
from perdure.app.selftest.people import Company, Person, new_name
from perdure.app.selftest.rows import API, NOWHERE
from perdure.app.shipped import shipped_bundles
from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import pack_bundle, read_bundle
from perdure.bundles.manifest import read_manifest, write_manifest
from perdure.errors import GatewayError
from perdure.kernel.values import Json

FLOW: Final = "ask-first"  # the shipped flow that asks, and so a run of it waits
PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.05
TRACE_LETTERS_MIN: Final = 8  # what is shorter may be in an answer by chance
LETTERS: Final = "latin-1"  # has one letter for each byte, and so a file is text as ids are
SHARED: Final = frozenset({kinds.TENANT, kinds.VERSION})  # what is no trace of anybody


class NotMade(GatewayError):
    """A thing that the trial needs could not be made."""

    code = "not_made"


class Things:
    """What one person has, made when it is first asked for."""

    def __init__(self, company: Company, person: Person) -> None:
        """Begin with what a person has by being there."""
        self.company, self.person = company, person
        self._have: dict[str, str] = {}
        if person.token:
            self.have({kinds.USER: person.name, kinds.RUNTIME: person.name})
        self.have({kinds.TENANT: person.tenant} if person.tenant else {})

    def have(self, things: Mapping[str, str]) -> None:
        """Know these from now on."""
        self._have |= things
        for kind, text in things.items():
            if kind not in SHARED and len(text) >= TRACE_LETTERS_MIN:
                self.company.traces.setdefault(text, (self.person.id, kind))

    async def get(self, kind: str) -> str:
        """The thing of a kind. Raises `NotMade`."""
        if kind not in self._have:
            await MAKERS[kind](self)
        return self._have[kind]

    async def all(self, named: Iterable[str]) -> None:
        """Have one of each of these kinds."""
        for kind in named:
            await self.get(kind)

    def fresh(self) -> "Things":
        """The same person, with nothing yet."""
        return Things(self.company, self.person)

    async def send(self, method: str, path: str, body: Json = None, **more: Any) -> Any:
        """Ask as the person for something that must go well. Raises `NotMade`."""
        if body is not None:
            more["json"] = body
        answer = await self.person.ask(method, f"{API}{path}", **more)
        if answer.refused:
            raise NotMade(f"{method} {path} as {self.person.name}: {answer.status} {answer.body}")
        if method != "GET":
            self.person.acts.append(answer.request_id)
        return answer.json()

    async def until(self, path: str, is_there: Callable[[Any], bool]) -> Any:
        """Ask until it is there. Raises `NotMade` where it never is."""
        with anyio.move_on_after(PATIENCE_S):
            found = await self.send("GET", path)
            while not is_there(found):
                await anyio.sleep(LOOK_S)  # the wire has no way to be told
                found = await self.send("GET", path)
            return found
        raise NotMade(f"GET {path} as {self.person.name} did not come to what it must")


# --- makers --------------------------------------------------------------------------------------


async def a_bundle(things: Things) -> None:
    """Install a bundle with a flow of its own names."""
    name, flow_id = new_name("bundle"), new_name("flow")
    version = f"1.{randbelow(10**9)}.{randbelow(10**9)}"
    content = bundle_named(name, version, flow_id)
    await things.send("POST", "/bundles/upload", files=file_of(name, content))
    things.have({kinds.BUNDLE: name, kinds.VERSION: version, kinds.FLOW: flow_id})


@cache
def asking() -> Bundle:
    """The shipped bundle with the flow that asks."""
    shipped = (read_bundle(content) for content in shipped_bundles())
    return next(it for it in shipped if FLOW in it.flows)


def bundle_named(name: str, version: str = "1.0.0", flow_id: str = FLOW) -> bytes:
    """A bundle of this id with one flow, which asks."""
    told = write_manifest(asking().manifest) | {
        "bundle_id": name, "bundle_version": version, "default_entrypoint": flow_id,
        "flows": {flow_id: f"flows/{flow_id}.json"},
        "entrypoints": [{"flow_id": flow_id, "name": flow_id, "description": "", "interfaces": []}],
    }  # fmt: skip
    flow: dict[str, Json] = asking().flows[FLOW] | {"id": flow_id, "name": flow_id}
    return pack_bundle(read_manifest(told), {flow_id: flow}, {})


def file_of(name: str, content: bytes) -> dict[str, Any]:
    """A bundle as the form that uploads it."""
    return {"file": (f"{name}.flow", content, "application/zip")}


async def a_run(things: Things) -> None:
    """Start a run, which waits for a person, in a session of its own."""
    session, key, text = new_name("session"), new_name("key"), new_name("text")
    body = {
        "bundle_id": await things.get(kinds.BUNDLE), "session_id": session, "input_data": {"prompt": text},
    }  # fmt: skip
    run: str = (await things.send("POST", "/runs/start", body, headers={"idempotency-key": key}))[
        "run_id"
    ]
    found = await things.until(f"/runs/{run}", lambda it: it["status"] == "waiting")
    things.have({
        kinds.RUN: run, kinds.SESSION: session, kinds.KEY: key, kinds.TEXT: text,
        kinds.WORKFLOW: found["workflow_id"], kinds.WAIT: found["waiting"]["wait_key"],
        kinds.REQUEST: things.person.acts[-1], kinds.CURSOR: cursor_at(found["created_at"], run),
    })  # fmt: skip


def cursor_at(created_at: str, run_id: str) -> str:
    """A place in the list of runs, as `next_cursor` names it."""
    return base64.urlsafe_b64encode(orjson.dumps([created_at, run_id])).decode().rstrip("=")


def cursor_like(cursor: str, other: Callable[[str], str]) -> str:
    """The same place by another run."""
    created_at, run_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return cursor_at(created_at, other(run_id))


async def an_artifact(things: Things) -> None:
    """Take the artifact that each run has: its flow."""
    run = await things.get(kinds.RUN)
    found = await things.send("GET", f"/runs/{run}/history_bundle")
    things.have({kinds.ARTIFACT: found["workflow_snapshot"]["artifact_id"]})


async def a_command(things: Things) -> None:
    """Send a command that changes nothing of the run, and see it settled."""
    command = new_name("command")
    body = {
        "command_id": command, "run_id": await things.get(kinds.RUN), "type": "emit_event",
        "payload": {"name": "nobody-listens"},
    }  # fmt: skip
    await things.send("POST", "/commands", body)
    await things.until(f"/commands/{command}", lambda it: it["state"] != "pending")
    things.have({kinds.COMMAND: command})


async def a_bookmark(things: Things) -> None:
    """Name where a run stands."""
    run = await things.get(kinds.RUN)
    made = await things.send("POST", f"/runs/{run}/bookmarks", {"name": new_name("bookmark")})
    things.have({kinds.BOOKMARK: made["bookmark_id"]})


async def a_token(things: Things) -> None:
    """Have another token."""
    made = await things.send("POST", "/me/tokens", {"name": new_name("token")})
    things.have({kinds.TOKEN: made["known"]["id"]})


async def a_browser_session(things: Things) -> None:
    """Sign in as a browser does, and take the handle of the session."""
    person = things.person
    before = {it["handle"] for it in (await things.send("GET", "/session/list"))["items"]}
    async with Gateway(things.company.url) as browser:
        await browser.post("/session/login", {"user_id": person.name, "token": person.token})
    after = {it["handle"] for it in (await things.send("GET", "/session/list"))["items"]}
    things.have({kinds.HANDLE: (after - before).pop()})


async def a_profile(things: Things) -> None:
    """Keep an endpoint profile of one's own, which leads nowhere."""
    name = new_name("profile")
    body = {"id": name, "display_name": name, "base_url": NOWHERE}
    await things.send("POST", "/config/provider-endpoint-profiles", body)
    things.have({kinds.PROFILE: name, kinds.ENDPOINT: f"endpoint:{name}"})


async def a_drawing(things: Things) -> None:
    """Begin to draw a flow, and name in it one that nobody has."""
    flow: Json = asking().flows[FLOW]
    body = {"name": new_name("drawing"), "nodes": flow["nodes"], "edges": flow["edges"]}
    made = await things.send("POST", "/visualflows", body)
    things.have({kinds.DRAWING: made["id"]})


async def a_schedule(things: Things) -> None:
    """Plan a run for a time that does not come."""
    body = {"bundle_id": await things.get(kinds.BUNDLE), "start_at": "2999-01-01T00:00:00Z"}
    made = await things.send("POST", "/runs/schedule", body)
    things.have({kinds.SCHEDULE: made["run_id"]})


async def an_export(things: Things) -> None:
    """Take a run out in a file, with a document that it was given and the flow that it is of."""
    upload: dict[str, Any] = {
        "files": {"file": ("note.txt", new_name("note").encode(), "text/plain")},
        "data": {"session_id": await things.get(kinds.SESSION)},
    }
    document = await things.send("POST", "/attachments/upload", **upload)
    body = {
        "bundle_id": await things.get(kinds.BUNDLE),
        "input_data": {"document": {"$artifact": document["artifact"]["$artifact"]}},
    }
    run: str = (await things.send("POST", "/runs/start", body))["run_id"]
    await things.until(f"/runs/{run}", lambda it: it["status"] == "waiting")
    gateway = await things.person.connected()
    answer = await gateway.ask("GET", f"/{API}/runs/{run}/export")
    if answer.is_error:
        raise NotMade(f"the export of {run} as {things.person.name}: {answer.status_code}")
    things.have({kinds.EXPORT: answer.content.decode(LETTERS)})


async def a_lost_export(company: Company) -> str:
    """The file of a run that is nowhere any more: its user is gone, and so are their data."""
    lost = await company.hire("lost")
    file = await Things(company, lost).get(kinds.EXPORT)
    await company.root.delete(f"/admin/users/{quoted(lost.name)}", tenant_id=lost.tenant)
    body = {"tenant_id": lost.tenant, "confirm_runtime_id": lost.name}
    await company.root.post(f"/admin/runtime-reservations/{quoted(lost.name)}/purge", body)
    return file


async def a_retained_runtime(things: Things) -> None:
    """Let somebody of the tenant go: their runtime is kept."""
    gone = await things.company.hire("gone", things.person.tenant)
    root = things.company.root
    await root.delete(f"/admin/users/{quoted(gone.name)}", tenant_id=gone.tenant)
    things.have({kinds.RETAINED: gone.name})


Maker = Callable[[Things], Awaitable[None]]
MAKERS: Final[Mapping[str, Maker]] = {
    kinds.BOOKMARK: a_bookmark,
    kinds.BUNDLE: a_bundle,
    kinds.VERSION: a_bundle,
    kinds.FLOW: a_bundle,
    kinds.RUN: a_run,
    kinds.SESSION: a_run,
    kinds.KEY: a_run,
    kinds.TEXT: a_run,
    kinds.WORKFLOW: a_run,
    kinds.WAIT: a_run,
    kinds.REQUEST: a_run,
    kinds.CURSOR: a_run,
    kinds.ARTIFACT: an_artifact,
    kinds.COMMAND: a_command,
    kinds.TOKEN: a_token,
    kinds.HANDLE: a_browser_session,
    kinds.PROFILE: a_profile,
    kinds.ENDPOINT: a_profile,
    kinds.EXPORT: an_export,
    kinds.RETAINED: a_retained_runtime,
    kinds.SCHEDULE: a_schedule,
    kinds.DRAWING: a_drawing,
}
