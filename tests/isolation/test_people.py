"""Alice and Bob on one gateway: ids, events, commands, work in the background and keys are each their own's."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql.control import schema_of
from perdure.ids import RuntimeId, TenantId, new_id
from tests.isolation.people import (
    People,
    Person,
    a_calling_bundle,
    a_people,
    an_asking_of_models,
)
from tests.support.canaries import forms_of, left_in, left_in_database, spelled_in
from tests.support.openai_server import MODEL, Answer, OpenAiServer
from tests.support.planes import DATABASES
from tests.support.postgres import new_database

pytestmark = pytest.mark.anyio

Open = Callable[..., AbstractAsyncContextManager[People]]
CLAIMS = {"user_id": "alice", "tenant_id": "default", "runtime_id": "alice", "owner_id": "alice"}
ALICES = "aliceswordsandnobodyelses"
KEY = "sk-secret-0123456789abcdef"
PROFILES = "/config/provider-endpoint-profiles"


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty Postgres, or `None` where everything is in files."""
    return None if request.param == "sqlite" else new_database()


@pytest.fixture
def opened(database: str | None, tmp_path: Path) -> Open:
    """Opens the gateway, and again on the same data."""
    tokens: dict[str, str] = {}
    return lambda **more: a_people(tmp_path, tokens, database_url=database, **more)


@pytest.fixture
def provider() -> Any:
    """A provider of models, which says what it was asked with."""
    with OpenAiServer([Answer(f"you sent {KEY}")], api_key=KEY) as server:
        yield server


async def refused(by: Person, there: str, nowhere: str, method: str, path: str, body: Any) -> bool:
    """Whether somebody is told the same of an id that is another's as of one that nothing has."""
    told = []
    for id in (there, nowhere):
        sent = {**body, "run_id": id} if body and "run_id" in body else body
        answer = await by.ask(method, path.format(id=id), sent, params=CLAIMS)
        problem = answer.json() | {"instance": ""}
        told.append((answer.status_code, str(problem).replace(id, "<id>")))
    return told[0] == told[1] and told[0][0] == 404


async def test_promise_05_an_id_grants_nothing(opened: Open) -> None:
    command = {"command_id": "c", "run_id": "", "type": "cancel", "payload": {}}
    async with opened() as people:
        alice, bob = [await people.person(name) for name in ("alice", "bob")]
        run_id = await alice.start("ask-first", "private", prompt="?")
        before = await alice.until(run_id, "waiting")
        await alice.install(an_asking_of_models("office", MODEL))
        token = (await alice.do("/me/tokens", {"name": "n"}))["known"]["id"]
        await alice.do(
            PROFILES, {"id": "own", "display_name": "o", "base_url": "https://m.example/v1"}
        )
        for there, nowhere, asked in (
            (run_id, new_id(), ("GET", "/runs/{id}", None)),
            (run_id, new_id(), ("GET", "/runs/{id}/ledger", None)),
            (run_id, new_id(), ("GET", "/runs/{id}/input_data", None)),
            (run_id, new_id(), ("POST", "/commands", command)),
            ("office", "nobody", ("GET", "/bundles/{id}", None)),
            ("own", "none", ("GET", PROFILES + "/{id}/used-by", None)),
            (token, "A" * len(token), ("DELETE", "/me/tokens/{id}", None)),
        ):
            assert await refused(bob, there, nowhere, *asked), asked
        assert (await bob.get("/runs", session_id="private", **CLAIMS))["items"] == []
        assert await alice.get(f"/runs/{run_id}") == before
        assert token in {it["id"] for it in (await alice.get("/me/tokens"))["tokens"]}


async def test_promise_61_work_in_the_background_is_its_principals(opened: Open) -> None:
    event = {"name": "go", "session_id": "same", "payload": {"from": "alice"}}
    runs: dict[str, str] = {}
    async with opened() as people:
        for name in ("alice", "bob"):
            person = await people.person(name)
            await person.install(a_calling_bundle("evt:session:same:go"))
            runs[name] = await person.start("calling", "same")
            await person.until(runs[name], "waiting")
    async with opened() as people:  # nobody signs in: what waits is moved by the process alone
        alice, bob = [await people.person(name) for name in ("alice", "bob")]
        sent = await alice.command("c", runs["alice"], "emit_event", event)
        assert sent.status_code == 200, sent.text
        ended = await alice.until(runs["alice"], "completed")
        assert (await alice.get("/commands/c"))["state"] == "applied"
        assert (await bob.ask("GET", "/commands/c")).status_code == 404
        assert (await bob.until(runs["bob"], "waiting"))["ledger_len"] < ended["ledger_len"]
        for person, own in ((alice, runs["alice"]), (bob, runs["bob"])):
            tree = (await person.get("/runs", session_id="same"))["items"]
            assert {it["parent_run_id"] for it in tree} == {None, own}
            assert len(tree) == 2
        again = {**event, "payload": {"from": "bob"}}
        assert (await bob.command("c", runs["bob"], "emit_event", again)).json()[
            "duplicate"
        ] is False
        await bob.until(runs["bob"], "completed")
        said = str(await bob.get(f"/runs/{runs['bob']}/ledger"))
        assert "'from': 'bob'" in said and "alice" not in said


async def test_a_run_that_was_taken_in_is_ones_own_and_no_way_to_the_first(opened: Open) -> None:
    """Both have one id, and whatever is done to one of them the other stands as it stood."""
    async with opened() as people:
        alice, bob = [await people.person(name) for name in ("alice", "bob")]
        run_id = await alice.start("ask-first", "private", prompt=ALICES)
        await alice.until(run_id, "waiting")
        exported = (await alice.ask("GET", f"/runs/{run_id}/export")).content
        paths = (f"/runs/{run_id}", f"/runs/{run_id}/ledger", f"/runs/{run_id}/bookmarks", "/bookmarks", "/runs")  # fmt: skip
        before = [await alice.get(path) for path in paths]
        taken = await bob.do("/runs/import", files={"file": ("run.zip", exported)})
        assert [(it["run_id"], it["new"]) for it in taken["runs"]] == [(run_id, True)]
        assert (await bob.get(f"/runs/{run_id}"))["status"] == "cancelled", "it moves no more"
        answered = {"wait_key": "x", "payload": {"response": "bob's"}}
        assert (await bob.command("c", run_id, "resume", answered)).status_code == 409
        await bob.do(f"/runs/{run_id}/bookmarks", {"name": "bob's"})
        fork = await bob.do(f"/runs/{run_id}/fork", {"from_seq": 0})
        await bob.until(fork["run_id"], "waiting")
        await bob.do("/runs/purge_drafts", {"force": True, "run_ids": [run_id]})
        assert [await alice.get(path) for path in paths] == before
        assert (await alice.ask("GET", f"/runs/{fork['run_id']}")).status_code == 404


async def test_promise_107_no_flow_and_no_bundle_holds_a_key(
    opened: Open, provider: OpenAiServer
) -> None:
    port = int(provider.url.rpartition(":")[2])
    async with opened(egress_loopback_ports=(port,)) as people:
        alice = await people.person("alice")
        profile = {"id": "mine", "display_name": "m", "base_url": provider.base_url, "api_key": KEY}
        await alice.do(PROFILES, profile)
        await alice.install(an_asking_of_models("endpoint:mine", MODEL))
        run_id = await alice.start("office", prompt="hello")
        await alice.until(run_id, "completed")
        assert [call.headers.get("authorization") for call in provider.calls] == [f"Bearer {KEY}"]
        flow = "/bundles/office/flows/main"
        for path in (
            "/bundles", "/bundles/office", flow, f"{flow}/input_schema", f"{PROFILES}/mine/used-by",
            f"/runs/{run_id}/history_bundle", f"/runs/{run_id}/ledger?detail=full", f"/runs/{run_id}/state",
        ):  # fmt: skip
            answer = await alice.ask("GET", path)
            assert answer.status_code == 200, (path, answer.text)
            assert spelled_in(answer.content, {"the key": forms_of(KEY)}) == set(), path
        assert "endpoint:mine" in (await alice.ask("GET", flow)).text


async def test_promise_73_nothing_of_another_is_discovered_or_listed(
    opened: Open, provider: OpenAiServer
) -> None:
    port = int(provider.url.rpartition(":")[2])
    async with opened(egress_loopback_ports=(port,)) as people:
        alice, bob = [await people.person(name) for name in ("alice", "bob")]
        await alice.install(an_asking_of_models("office", MODEL, ALICES))
        profile = {"id": f"{ALICES}.p", "display_name": ALICES, "base_url": provider.base_url}
        await alice.do(PROFILES, profile | {"allowed_models": [f"{ALICES}-model"]})
        await alice.start("ask-first", ALICES, prompt=ALICES)
        paths = (await bob.http.get("/openapi.json")).json()["paths"]
        lists = [path for path, there in paths.items() if "get" in there and "{" not in path]
        seen = {"alice": 0, "bob": 0}
        for path in lists:
            for name, person in (("alice", alice), ("bob", bob)):
                answer = await person.http.get(path, params={"include_models": "true"})
                seen[name] += ALICES in answer.text
    assert len(lists) > 15
    assert seen["alice"] >= 5, (
        "she finds her bundle, her profile, her models, her session and her run"
    )
    assert seen["bob"] == 0


async def test_promise_59_66_what_a_user_wrote_lies_in_their_plane_alone(
    opened: Open, database: str | None, tmp_path: Path
) -> None:
    words = {"what alice wrote": forms_of(ALICES)}
    async with opened() as people:
        alice, admin = [await people.person(name) for name in ("alice", "admin")]
        await alice.install(an_asking_of_models(ALICES, MODEL))
        await alice.until(await alice.start("office", ALICES, prompt=ALICES), "failed")
        run_id = await alice.start("ask-first", ALICES, prompt=ALICES)
        await alice.until(run_id, "waiting")
        answered = {"payload": {"response": ALICES}}
        assert (await alice.command("c", run_id, "resume", answered)).status_code == 200
        await alice.until(run_id, "completed")
        told = (await admin.http.get("/metrics")).content
        told += (await admin.ask("GET", "/audit/tail")).content
    assert spelled_in(told, words) == set()
    places = {name.rpartition(" in ")[2] for name in left_in(tmp_path, words)}
    own = "planes/default/alice/"
    if database is None:
        assert f"{own}plane.db" in places
    else:
        rows = left_in_database(database.replace("+psycopg", ""), words)
        own_rows = schema_of(TenantId("default"), RuntimeId("alice"))
        assert rows and all(f" in {own_rows}." in row for row in rows), rows
    assert all(place.startswith(own) for place in places), places
