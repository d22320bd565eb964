"""Streams: frames exact to the byte, alive while nothing happens, and ended by whatever should end them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from perdure.api import sse
from perdure.api.collaborators import ApiSettings
from perdure.api.sse import Frames, delta_frame_of, done_frame_of, frame_of, joined
from perdure.ids import RunId, StepId
from perdure.registry.effects import Delta
from perdure.runtimes.deltas import RunDelta
from perdure.stores.records import Record, wire_of
from tests.support.gateway import (
    BEARER,
    Gateway,
    Options,
    a_gateway,
    a_straight_bundle,
    an_asking_bundle,
    asking,
    served,
)

pytestmark = pytest.mark.anyio
BRISK = ApiSettings(recheck_s=0.2, access_logged=False)


def a_record(seq: int, size: int = 2) -> Record:
    """A record whose body has `size` bytes and more."""
    return Record(seq, b'{"x":"%b"}' % (b"x" * size), b"{}", bytes(32), seq.to_bytes(32, "big"))


def a_delta(
    offset: int, text: str, step: str = "s", attempt: int = 1, kind: str = "text"
) -> RunDelta:
    """A piece of an answer."""
    return RunDelta(RunId("r"), StepId(step), attempt, Delta(offset, kind, text))


# --- frames ----------------------------------------------------------------------------------------


def test_a_frame_is_the_record_s_bytes_between_fixed_ones() -> None:
    record = a_record(7)
    assert frame_of(record) == (
        b'id: 7\nevent: step\ndata: {"cursor": 7, "record": ' + wire_of(record) + b"}\n\n"
    )


def test_the_last_frame_says_how_far_the_reader_came() -> None:
    told = b'event: done\ndata: {"run_id": "r", "cursor": 4, "status": "terminal"}\n\n'
    assert done_frame_of("r", 4) == told


def test_a_delta_has_no_id_and_stays_on_one_line() -> None:
    frame = delta_frame_of(a_delta(3, "two\nlines é"))
    assert frame.startswith(b"event: delta\ndata: {")
    assert frame.count(b"\n") == 3
    assert json.loads(frame.partition(b"data: ")[2]) == {
        "run_id": "r", "step_id": "s", "attempt": 1, "offset": 3, "kind": "text", "text": "two\nlines é",
    }  # fmt: skip


def test_a_frame_is_made_once_for_all_readers() -> None:
    frames, record = Frames(), a_record(1)
    assert frames.of(record) is frames.of(record)


def test_the_frames_that_are_kept_are_bounded() -> None:
    frames = Frames(bytes_max=5_000)
    for seq in range(1, 100):
        frames.of(a_record(seq, 1_000))
        assert sum(map(len, frames._kept.values())) <= 5_000
    assert frames.of(a_record(1, 1_000)) == frame_of(a_record(1, 1_000))


def test_deltas_that_go_on_are_joined_and_others_are_not() -> None:
    pieces = [
        a_delta(0, "Hel"), a_delta(3, "lo"), a_delta(9, "gap"), a_delta(0, "again", attempt=2),
        a_delta(5, "!", attempt=2), a_delta(0, "why", kind="reasoning"), a_delta(0, "x", step="t"),
    ]  # fmt: skip
    fewer = joined([*pieces, record := a_record(1), a_delta(1, "y", step="t")])
    told = [(it.step_id, it.attempt, *it.delta) for it in fewer if isinstance(it, RunDelta)]
    assert fewer[-2] is record
    assert told == [
        ("s", 1, 0, "text", "Hello"), ("s", 1, 9, "text", "gap"), ("s", 2, 0, "text", "again!"),
        ("s", 1, 0, "reasoning", "why"), ("t", 1, 0, "text", "x"),
        ("t", 1, 1, "text", "y"),
    ]  # fmt: skip


# --- a real connection -----------------------------------------------------------------------------


@pytest.fixture
async def brisk(tmp_path: Path) -> AsyncIterator[tuple[Gateway, httpx2.AsyncClient]]:
    """A gateway on a port, whose streams look at their credentials often, and a client of it."""
    async with a_gateway(tmp_path, Options(settings=BRISK)) as gateway:
        await gateway.install(an_asking_bundle(id="ask"))
        await gateway.install(a_straight_bundle(id="straight"))
        async with (
            served(gateway.app) as url,
            httpx2.AsyncClient(base_url=url, headers=BEARER, timeout=20) as client,
        ):
            yield gateway, client


class Reader:
    """A stream as it is read: events and comments, one after the other."""

    def __init__(self, response: httpx2.Response) -> None:
        self._chunks = response.aiter_bytes()
        self._kept = b""

    async def frame(self) -> str:
        """The next frame; nothing where the stream has ended."""
        while b"\n\n" not in self._kept:
            try:
                self._kept += await anext(self._chunks)
            except StopAsyncIteration:
                return ""
        frame, _, self._kept = self._kept.partition(b"\n\n")
        return frame.decode()


@asynccontextmanager
async def following(client: httpx2.AsyncClient, run_id: str, **query: Any) -> AsyncIterator[Reader]:
    """A reader of a run's stream."""
    path = f"/api/gateway/runs/{run_id}/ledger/stream"
    async with client.stream("GET", path, params=query) as response:
        assert response.status_code == 200
        with anyio.fail_after(30):
            yield Reader(response)


async def test_records_come_as_they_are_committed(
    brisk: tuple[Gateway, httpx2.AsyncClient],
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    async with following(client, run_id) as reader:
        assert (await reader.frame()).startswith("id: 1\nevent: step\n")
        await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
        for number in (2, 3, 4):
            assert (await reader.frame()).startswith(f"id: {number}\n")
        assert (await reader.frame()).startswith("event: done\n")
        assert await reader.frame() == ""


async def test_a_quiet_stream_says_that_it_is_there(
    brisk: tuple[Gateway, httpx2.AsyncClient],
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    async with following(client, run_id, after=1, heartbeat_s=0.15) as reader:
        assert [await reader.frame() for _ in range(3)] == [": keep-alive"] * 3


async def test_a_stream_ends_soon_after_its_credential(
    brisk: tuple[Gateway, httpx2.AsyncClient],
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    credentials = gateway.app.state.collaborators.credentials
    async with following(client, run_id, after=1, heartbeat_s=60) as reader:
        credentials._known.clear()
        assert await reader.frame() == ""


async def test_streams_end_when_the_server_closes(
    brisk: tuple[Gateway, httpx2.AsyncClient],
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    async with following(client, run_id, heartbeat_s=60) as reader:
        await reader.frame()
        gateway.closing.close()
        assert await reader.frame() == ""
    async with following(client, run_id) as late:
        assert await late.frame() == ""


async def test_a_stream_has_an_end(tmp_path: Path) -> None:
    settings = ApiSettings(stream_lifetime_s=0.2, access_logged=False)
    async with a_gateway(tmp_path, Options(settings=settings)) as gateway:
        await gateway.install(an_asking_bundle(id="ask"))
        run_id = await asking(gateway)
        answer = await gateway.get(f"/runs/{run_id}/ledger/stream?heartbeat_s=60")
    assert answer.status_code == 200
    assert b"event: done" not in answer.content


async def test_a_reader_that_goes_away_leaves_nothing(
    brisk: tuple[Gateway, httpx2.AsyncClient],
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    async with following(client, run_id, deltas=1) as reader:
        await reader.frame()
        assert gateway.runtime.hub._by_run
        assert "perdure_http_streams 1.0" in (await client.get("/metrics")).text
    with anyio.fail_after(30):
        while gateway.runtime.hub._by_run or gateway.runtime.deltas._readers:
            await anyio.sleep(0.01)
    assert not gateway.closing._told
    assert "perdure_http_streams 0.0" in (await client.get("/metrics")).text


# --- deltas, and many readers ----------------------------------------------------------------------


async def test_deltas_come_to_whoever_asks(brisk: tuple[Gateway, httpx2.AsyncClient]) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    deltas, lineage = gateway.runtime.deltas, (RunId(run_id),)
    deltas.publish(lineage, StepId("s"), 1, Delta(0, "text", "so far"))
    async with following(client, run_id, after=1, deltas=1) as reader:
        told = json.loads((await reader.frame()).partition("data: ")[2])
        assert (told["offset"], told["text"]) == (0, "so far")
        deltas.publish(lineage, StepId("s"), 1, Delta(6, "text", " and on"))
        told = json.loads((await reader.frame()).partition("data: ")[2])
        assert (told["offset"], told["text"]) == (6, " and on")


async def test_a_reader_that_takes_nothing_delays_nobody(
    brisk: tuple[Gateway, httpx2.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    monkeypatch.setattr(
        sse, "frame_of", lambda record: frame_of(record) + b":" + b" " * 4_000_000 + b"\n\n"
    )
    async with following(client, run_id):  # and never reads
        await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
        assert (await gateway.until(run_id, "completed"))["ledger_len"] == 4
        gateway.closing.close()


async def test_a_cut_reader_goes_on_where_it_was(brisk: tuple[Gateway, httpx2.AsyncClient]) -> None:
    gateway, client = brisk
    run_id = await asking(gateway)
    async with following(client, run_id) as reader:
        seen = [(await reader.frame()).partition("\n")[0]]
    await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
    headers = {**BEARER, "last-event-id": "1"}
    answer = await client.get(f"/api/gateway/runs/{run_id}/ledger/stream?after=0", headers=headers)
    seen += [line for line in answer.text.splitlines() if line.startswith("id: ")]
    assert seen == ["id: 1", "id: 2", "id: 3", "id: 4"]


async def test_five_hundred_readers_of_one_run_all_get_everything(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    bodies: list[bytes] = []

    async def read() -> None:
        bodies.append((await gateway.get(f"/runs/{run_id}/ledger/stream")).content)

    async with anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(read)
        await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
    assert len(bodies) == 500
    assert set(bodies) == {bodies[0]}
    assert bodies[0].count(b"event: step") == 4
