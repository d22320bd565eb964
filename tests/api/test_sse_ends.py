"""One stream without a connection: what ends it, and in what pieces it goes out."""

import asyncio
from typing import Any

import anyio
import pytest
from starlette.types import Message

from perdure.api import sse
from perdure.api.sse import Frames, done_frame_of
from perdure.errors import TooLarge
from perdure.ids import RunId
from perdure.services import runs
from tests.support.gateway import (
    Gateway,
    asking,
)

pytestmark = pytest.mark.anyio


class Other:
    """The other end of a response: it keeps what it takes, and goes when it is told to."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.takes = True
        self.gone = anyio.Event()

    async def receive(self) -> Message:
        """Say that it has gone."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message; of the body, where it takes nothing, never one."""
        if message["type"] == "http.response.body" and not self.takes:
            await anyio.sleep_forever()
        self.taken.append(message)


async def streaming(gateway: Gateway, other: Other, run_id: str, **terms: Any) -> None:
    """Stream a run to the other end until the stream ends."""

    async def good() -> bool:
        return True

    steps = await runs.follow(gateway.runtime, RunId(run_id), after=0, deltas=False)
    given = {"recheck_s": 60, "lifetime_s": 60, "still_good": good, "closing": gateway.closing}
    response = sse.stream(steps, sse.Terms(Frames(), **{**given, **terms}), heartbeat_s=60)
    try:
        with anyio.fail_after(30):
            await response({}, other.receive, other.send)
    finally:
        assert not gateway.closing._told
        assert not gateway.runtime.hub._by_run


async def test_the_last_records_and_the_end_go_out_as_one_piece(gateway: Gateway) -> None:
    run_id = await asking(gateway)
    await gateway.command(run_id, "resume", payload={"payload": {"response": "y"}})
    await gateway.until(run_id, "completed")
    other, counted = Other(), list[int]()

    def may_send(size: int) -> bool:
        counted.append(size)
        return True

    await streaming(gateway, other, run_id, may_send=may_send)
    _, last = other.taken
    assert last["more_body"] is False
    assert last["body"].startswith(b"id: 1\n")
    assert last["body"].endswith(b"}\n\n" + (done := done_frame_of(run_id, 4)))
    assert counted == [len(last["body"]) - len(done)]


async def test_a_reader_that_takes_nothing_is_left_soon_after_its_credential(
    gateway: Gateway,
) -> None:
    run_id = await asking(gateway)
    asked: list[float] = []

    async def still_good() -> bool:
        asked.append(anyio.current_time())
        return len(asked) < 3

    other = Other()
    other.takes = False
    await streaming(gateway, other, run_id, recheck_s=0.1, still_good=still_good)
    assert len(asked) == 3


async def test_a_reader_that_takes_nothing_is_left_at_the_end_of_its_time(gateway: Gateway) -> None:
    run_id, other = await asking(gateway), Other()
    other.takes = False
    await streaming(gateway, other, run_id, lifetime_s=0.01)
    assert [it["type"] for it in other.taken] == ["http.response.start"]


async def test_a_reader_that_goes_ends_its_stream(gateway: Gateway) -> None:
    run_id, other = await asking(gateway), Other()
    async with anyio.create_task_group() as group:
        group.start_soon(streaming, gateway, other, run_id)
        await anyio.wait_all_tasks_blocked()
        other.gone.set()
    assert other.taken[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_reader_that_sends_too_much_is_left(gateway: Gateway) -> None:
    run_id, other = await asking(gateway), Other()

    async def too_much() -> Message:
        raise TooLarge

    other.receive = too_much  # type: ignore[method-assign]  # of this one alone
    await streaming(gateway, other, run_id)
    assert other.taken[-1]["more_body"] is False


async def test_whoever_cancels_a_stream_hears_of_it(gateway: Gateway) -> None:
    run_id, other = await asking(gateway), Other()
    task = asyncio.ensure_future(streaming(gateway, other, run_id))
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_of_somebody_else_is_no_end_of_a_stream(gateway: Gateway) -> None:
    run_id, other = await asking(gateway), Other()

    async def times_out(message: Message) -> None:
        raise TimeoutError("of the connection")

    other.send = times_out  # type: ignore[method-assign]  # of this one alone
    with pytest.raises(TimeoutError, match="of the connection"):
        await streaming(gateway, other, run_id)
