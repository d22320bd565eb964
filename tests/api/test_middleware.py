"""The gate: who asks, from where, how much at once, how large; and what every answer carries."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from perdure.api.collaborators import ApiSettings
from perdure.api.middleware import Slots, address_of, authenticate, enter_runtime, is_protected
from perdure.errors import TooMany, Unauthenticated
from perdure.identity.credentials import SingleToken, local_admin
from tests.support.gateway import (
    BEARER,
    TOKEN,
    Gateway,
    Options,
    a_gateway,
    a_straight_bundle,
    served,
)

pytestmark = pytest.mark.anyio
NOBODY = {"authorization": ""}
SMALL = ApiSettings(
    body_bytes_max=1_000, upload_bytes_max=2_000, upload_slack_bytes=500, requests_at_once=2,
    lockout_after=2, lockout_base_s=60, access_logged=False,
)  # fmt: skip


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with little room."""
    async with a_gateway(tmp_path, Options(settings=SMALL)) as one:
        yield one


# --- who asks --------------------------------------------------------------------------------------


async def test_a_principal_comes_from_its_header_alone() -> None:
    credentials = SingleToken(["secret"], b"k")
    found = await authenticate({b"authorization": b"Bearer secret"}, credentials)
    assert found.user == "local-admin"
    for headers in ({}, {b"authorization": b"Basic secret"}, {b"authorization": b"Bearer other"}):
        with pytest.raises(Unauthenticated):
            await authenticate(headers, credentials)


async def test_the_runtime_is_the_one_that_is_opened_for_the_principal(gateway: Gateway) -> None:
    async def opener(principal: object) -> object:
        assert principal == local_admin("f")
        return gateway.runtime

    assert await enter_runtime(local_admin("f"), opener) is gateway.runtime  # type: ignore[arg-type]  # a small double


async def test_without_a_credential_the_answer_says_how_to_come_in(gateway: Gateway) -> None:
    answer = await gateway.get("/me", headers=NOBODY)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


async def test_also_where_there_is_no_route(gateway: Gateway) -> None:
    for path in ("/never", "/runs/%2e%2e/x", "/admin/users"):
        assert (await gateway.get(path, headers=NOBODY)).status_code == 401
    assert is_protected("/api/gateway")
    assert not is_protected("/api/gatewayish")


async def test_what_a_client_says_of_itself_changes_nothing(gateway: Gateway) -> None:
    forged = {"x-user-id": "root", "x-tenant-id": "other", "x-forwarded-user": "root"}
    answer = await gateway.get("/me?user_id=root&runtime_id=other", headers=forged)
    assert answer.json()["principal"]["user_id"] == "local-admin"
    assert answer.json()["principal"]["runtime_id"] == "admin"


async def test_wrong_tokens_are_locked_out_and_the_right_one_never_is(small: Gateway) -> None:
    wrong = {"authorization": "Bearer wrong"}
    statuses = [(await small.get("/me", headers=wrong)).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert int((await small.get("/me", headers=wrong)).headers["retry-after"]) > 1
    assert (await small.get("/me")).status_code == 200
    assert (await small.get("/me", headers=wrong)).status_code == 401


# --- from where ------------------------------------------------------------------------------------


async def test_a_page_of_another_site_is_refused_on_every_method(gateway: Gateway) -> None:
    evil = {"origin": "http://evil.example"}
    for method in ("GET", "POST", "OPTIONS"):
        answer = await gateway.client.request(method, "/api/gateway/me", headers=evil)
        assert (answer.status_code, answer.json()["reason_code"]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


async def test_a_listed_page_may_ask_and_read(gateway: Gateway) -> None:
    page = {"origin": "http://localhost:3001"}
    for headers in (page, page | NOBODY):
        answer = await gateway.get("/me", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3001"
        assert answer.headers["vary"] == "Origin"


async def test_a_preflight_is_answered_without_a_credential(gateway: Gateway) -> None:
    asked = {
        "origin": "http://localhost:3001", "access-control-request-method": "POST",
        "access-control-request-headers": "content-type", **NOBODY,
    }  # fmt: skip
    answer = await gateway.client.options("/api/gateway/runs/start", headers=asked)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["access-control-allow-headers"] == "content-type"


def test_a_forwarded_address_is_believed_only_as_far_as_our_own_proxies_wrote_it() -> None:
    scope = {"client": ("10.0.0.1", 1)}
    headers = {b"x-forwarded-for": b"6.6.6.6, 7.7.7.7, 8.8.8.8"}
    assert address_of(scope, headers, 0) == "10.0.0.1"
    assert address_of(scope, headers, 1) == "8.8.8.8"
    assert address_of(scope, headers, 2) == "7.7.7.7"
    assert address_of(scope, headers, 9) == "10.0.0.1"
    assert address_of({}, {}, 1) == ""


# --- how much --------------------------------------------------------------------------------------


async def test_a_body_that_says_that_it_is_too_large_is_not_read(small: Gateway) -> None:
    answer = await small.post("/runs/start", {"input_data": {"x": "y" * 1_000}})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["bytes_max"] == 1_000


async def test_a_body_that_turns_out_too_large_is_cut(small: Gateway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    headers = {"content-type": "application/json"}
    answer = await small.client.post("/api/gateway/runs/start", content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_who_sends_too_much_and_then_nothing_more_hears_that_it_was(
    version: bytes, small: Gateway
) -> None:
    """The answer is not lost in the reset of a connection that ends with unread bytes."""
    head = [
        b"POST /api/gateway/runs/start " + version, b"host: it", b"connection: close",
        b"content-type: application/json", b"content-length: 4000000",
        b"authorization: " + BEARER["authorization"].encode(),
    ]  # fmt: skip
    async with served(small.app) as url:
        port = int(url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as connection:
            await connection.send(b"\r\n".join(head) + b"\r\n\r\n" + b" " * 4_000_000)
            heard = b"".join([piece async for piece in connection])
    assert heard.split(b" ", 2)[1] == b"413"
    assert b'"code":"too_large"' in heard


async def test_an_upload_may_be_larger_and_not_without_bound(small: Gateway) -> None:
    for size, status in ((1_500, 422), (3_000, 413)):
        answer = await small.client.post(
            "/api/gateway/bundles/upload", files={"file": ("a.flow", b"x" * size)}
        )
        assert answer.status_code == status, answer.text


async def test_a_streamed_upload_is_cut_as_well(small: Gateway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(50):
            yield b"x" * 100
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await small.client.post(
        "/api/gateway/bundles/upload", content=pieces(), headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_no_more_than_so_many_at_once() -> None:
    slots = Slots(1)
    with slots.one(), pytest.raises(TooMany), slots.one():
        pass
    assert slots.taken == 0


def test_a_slot_comes_back_whatever_happens() -> None:
    slots = Slots(1)
    with pytest.raises(RuntimeError), slots.one():
        raise RuntimeError
    assert slots.taken == 0


async def test_who_comes_on_top_of_too_many_is_told_to_come_later(small: Gateway) -> None:
    answers: list[int] = []
    reached, go_on = anyio.Event(), anyio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        reached.set()
        await go_on.wait()
        yield b"}"

    async def slow() -> None:
        headers = {"content-type": "application/json"}
        answer = await small.client.post("/api/gateway/runs/start", content=body(), headers=headers)
        answers.append(answer.status_code)

    async with anyio.create_task_group() as group:
        for _ in range(2):
            reached = anyio.Event()
            group.start_soon(slow)
            await reached.wait()
        third = await small.get("/me")
        go_on.set()
    assert (third.status_code, third.headers["retry-after"]) == (429, "1")
    assert answers == [400, 400]


# --- what every answer carries -----------------------------------------------------------------------


async def test_a_request_keeps_the_id_that_it_came_with(gateway: Gateway) -> None:
    answer = await gateway.get("/me", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("sent", ["a b", "x" * 129, "ü", ""])
async def test_an_odd_id_is_replaced(gateway: Gateway, sent: str) -> None:
    answer = await gateway.get("/me", headers={"x-request-id": sent.encode("utf-8")})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 36


async def test_every_answer_is_protected_from_being_kept_or_misread(gateway: Gateway) -> None:
    for path in ("/me", "/never"):
        headers = (await gateway.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


@pytest.fixture
def logs() -> Iterator[list[dict[str, object]]]:
    """What is logged."""
    structlog.reset_defaults()
    with capture_logs() as entries:
        yield entries  # type: ignore[misc]  # mutable mappings with text for keys


async def test_the_log_has_a_line_for_each_request_and_nothing_that_a_person_wrote(
    tmp_path: Path, logs: list[dict[str, object]]
) -> None:
    async with a_gateway(tmp_path, Options(settings=ApiSettings())) as gateway:
        await gateway.install(a_straight_bundle(id="straight"))
        run_id = await gateway.start("straight:main", prompt="a private word")
        await gateway.get(f"/runs/{run_id}?q=another-private-word", headers=BEARER)
        await gateway.get("/private-path")
    lines = [entry for entry in logs if entry["event"] == "request"]
    assert [line["route"] for line in lines] == [
        "/api/gateway/runs/start", "/api/gateway/runs/{run_id}", None,
    ]  # fmt: skip
    assert {line["principal"] for line in lines} == {"local/local-admin"}
    told = repr(lines)
    assert "private" not in told
    assert TOKEN not in told
