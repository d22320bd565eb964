"""The gate under load: how large, how slow and how many at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from perdure.api.collaborators import ApiSettings
from perdure.api.middleware import Slots
from perdure.errors import TooMany
from tests.support.gateway import (
    BEARER,
    Gateway,
    Options,
    a_gateway,
    served,
)
from tests.support.signing import a_town

pytestmark = pytest.mark.anyio
NOBODY = {"authorization": ""}
SMALL = ApiSettings(
    body_bytes_max=1_000, upload_bytes_max=2_000, upload_slack_bytes=500, requests_at_once=2,
    access_logged=False,
)  # fmt: skip


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with little room."""
    async with a_gateway(tmp_path, Options(settings=SMALL)) as one:
        yield one


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


async def test_who_shows_nothing_and_sends_slowly_keeps_nobody_out(tmp_path: Path) -> None:
    """Else sign-ins whose bodies never end would take every place there is."""
    settings = ApiSettings(access_logged=False, requests_at_once=8)  # two of them a stranger's
    begun, go_on = anyio.Semaphore(0), anyio.Event()
    told: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        begun.release()
        await go_on.wait()

    async with a_town(tmp_path, settings) as town, anyio.create_task_group() as group:
        ask, path = town.gateway.client, "/api/gateway/session/login"

        async def sign_in() -> None:
            headers = {**NOBODY, "content-type": "application/json"}
            told.append((await ask.post(path, content=body(), headers=headers)).status_code)

        for _ in range(2):
            group.start_soon(sign_in)
            await begun.acquire()
        assert (await ask.post(path, json={}, headers=NOBODY)).status_code == 429
        assert (await town.gateway.get("/me", headers=town.bearer("alice"))).status_code == 200
        assert (await ask.get("/api/health", headers=NOBODY)).status_code == 200
        go_on.set()
    assert told == [422, 422]


@pytest.mark.parametrize("path", ["/bundles/upload", "/runs/import"])
async def test_an_upload_may_be_larger_and_not_without_bound(small: Gateway, path: str) -> None:
    for size, status in ((1_500, 422), (3_000, 413)):
        sent = {"file": ("a.flow", b"x" * size)}
        answer = await small.client.post(f"/api/gateway{path}", files=sent)
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
    with slots, pytest.raises(TooMany), slots:
        pass
    assert slots.taken == 0


def test_a_slot_comes_back_whatever_happens() -> None:
    slots = Slots(1)
    with pytest.raises(RuntimeError), slots:
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
