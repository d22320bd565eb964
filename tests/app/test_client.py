"""The client says what the gateway says: problems are errors, a cut start starts once, tokens stay at home."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from perdure import errors
from perdure.app.client import Gateway, address_of, is_local
from perdure.app.settings import read_settings
from perdure.errors import GatewayError, Invalid, Unreachable
from tests.support.loopback import Call, Exchange, unused_port
from tests.support.scripted_gateway import ScriptedGateway, problem, summary

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncGenerator[Gateway]:
    async with Gateway(gateway.url, "agw_test") as made:
        yield made


def cut(call: Call, exchange: Exchange) -> None:
    exchange.cut()


async def test_every_request_shows_the_token(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.run(summary("r1"))
    assert (await client.run("r1"))["run_id"] == "r1"
    assert gateway.asked("GET", "/runs/r1")[0].headers["authorization"] == "Bearer agw_test"


async def test_an_id_stays_one_segment_of_the_path(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs/..%2Fa%20b", (200, {"run_id": "../a b"}))
    assert (await client.run("../a b"))["run_id"] == "../a b"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "run_not_found", errors.RunNotFound),
        (409, "wait_mismatch", errors.WaitMismatch),
        (409, "from_a_newer_gateway", errors.Conflict),
        (401, "", errors.Unauthenticated),
        (403, "forbidden", errors.Forbidden),
        (429, "", errors.LimitReached),
        (418, "", GatewayError),
        (503, "", errors.Unavailable),
    ],
)
async def test_a_problem_is_the_error_that_it_names(
    status: int, code: str, kind: type[GatewayError], client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs/r1", problem(status, code, "It says why.", instance="abc"))
    with pytest.raises(GatewayError) as raised:
        await client.run("r1")
    assert type(raised.value) is kind
    assert raised.value.detail == "It says why."
    assert raised.value.facts["instance"] == "abc"
    assert raised.value.facts["status"] == status


async def test_an_answer_that_is_no_problem_document_is_still_told(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/runs/r1", lambda call, exchange: exchange.reply(502, b"<h1>proxy</h1>"))
    with pytest.raises(errors.Unavailable, match="/api/gateway/runs/r1 answered 502"):
        await client.run("r1")


async def test_no_gateway_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    async with Gateway(url) as nobody:
        with pytest.raises(Unreachable, match=f"No gateway answers at {url} "):
            await nobody.run("r1")


async def test_a_start_that_is_cut_is_asked_again_under_the_same_key(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.on("POST", "/runs/start", cut, (200, {"run_id": "r1"}))
    assert await client.start({"bundle_id": "b"}) == "r1"
    keys = [it.headers["idempotency-key"] for it in gateway.asked("POST", "/runs/start")]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_request_without_a_key_is_sent_once(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.on("POST", "/bundles/b/deprecate", cut)
    with pytest.raises(Unreachable):
        await client.post("/bundles/b/deprecate", {})
    assert len(gateway.asked("POST", "/bundles/b/deprecate")) == 1


async def test_a_list_is_read_over_its_pages(client: Gateway, gateway: ScriptedGateway) -> None:
    first = {"items": [summary("r1"), summary("r2")], "next_cursor": "n1"}
    gateway.on("GET", "/runs", (200, first), (200, {"items": [summary("r3")], "next_cursor": None}))
    rows = await client.runs(100, status="completed", root_only=True, session_id=None)
    assert [it["run_id"] for it in rows] == ["r1", "r2", "r3"]
    asked = [it.path.partition("?")[2] for it in gateway.asked("GET", "/runs")]
    assert asked == [
        "limit=100&status=completed&root_only=true",
        "limit=98&status=completed&root_only=true&cursor=n1",
    ]


async def test_a_command_is_told_once_it_is_settled(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.takes_commands()
    told = await client.command("r1", "cancel", {"reason": "enough"})
    [body] = gateway.bodies("/commands")
    assert told == {"state": "applied", "detail": None}
    assert body["type"] == "cancel"
    assert body["payload"] == {"reason": "enough"}
    assert gateway.asked("GET", f"/commands/{body['command_id']}")


async def test_a_bundle_is_sent_as_a_form(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.on("POST", "/bundles/upload", (200, {"ok": True}))
    await client.upload("b.flow", b"PK", overwrite=True)
    [call] = gateway.asked("POST", "/bundles/upload")
    assert call.headers["content-type"].startswith("multipart/form-data")
    assert b'name="file"; filename="b.flow"' in call.body
    assert b'name="overwrite"\r\n\r\ntrue' in call.body


async def test_a_path_below_the_root_is_reached(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "//openapi.json", (200, {"openapi": "3.1.0"}))
    assert await client.get("//openapi.json") == {"openapi": "3.1.0"}


# --- which gateway, which token ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8080"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"url": "https://far.example"}, "https://far.example"),
    ],
)
async def test_the_gateway_of_this_machine_is_meant_unless_another_is_named(
    given: dict[str, str | int], url: str
) -> None:
    assert address_of(read_settings(**given))[0] == url


async def test_the_token_of_this_machine_is_told_to_this_machine_alone(home: Path) -> None:
    home.mkdir()
    (home / "token").write_text("agw_here\n")
    assert address_of(read_settings())[1] == "agw_here"
    assert address_of(read_settings(url="http://localhost:9999"))[1] == "agw_here"
    assert address_of(read_settings(url="https://far.example"))[1] is None
    assert address_of(read_settings(url="http://127.0.0.1.far.example"))[1] is None
    assert address_of(read_settings(url="https://far.example", token="agw_there"))[1] == "agw_there"


async def test_the_token_that_the_gateway_is_set_to_is_known_here_too() -> None:
    assert address_of(read_settings(auth_token="agw_set"))[1] == "agw_set"
    assert address_of(read_settings())[1] is None


async def test_an_address_is_of_the_web() -> None:
    with pytest.raises(Invalid, match="begins with http"):
        address_of(read_settings(url="localhost:8080"))
    assert not is_local("http://[::1")


async def test_a_problem_may_hold_any_name(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/runs/r1", problem(409, "conflict", "no", self=1, detail_=2))
    with pytest.raises(errors.Conflict) as raised:
        await client.run("r1")
    assert json.loads(json.dumps(raised.value.facts["detail_"])) == 2
