"""A run's ledger as it grows, over any number of cuts: each step once, in order, none left out."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, NamedTuple

import anyio
import httpx2

from perdure.adapters.lines import Lines
from perdure.app.client import Gateway, pause_s, quoted
from perdure.errors import GatewayError, LimitReached, Unavailable, Unreachable
from perdure.kernel.values import Json

HEARTBEAT_S: Final = 5.0
SILENCE_S: Final = 4 * HEARTBEAT_S  # after which a stream is taken for dead
PATIENCE_S: Final = 120.0  # how long a gateway that answered before may be away


class Step(NamedTuple):
    """One record of the ledger, and its number."""

    cursor: int
    record: Json


class Delta(NamedTuple):
    """A piece of an answer that is still coming, of this run or of one below it."""

    run_id: str
    step_id: str
    attempt: int
    offset: int
    kind: str
    text: str


class Done(NamedTuple):
    """The run has ended, and every step of it was told."""

    cursor: int


class Cut(NamedTuple):
    """The stream broke; it is taken up again after `again_in_s`."""

    why: str
    again_in_s: float


Told = Step | Delta | Done | Cut


class Frame(NamedTuple):
    """One event of an event stream."""

    event: str
    data: str


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[Frame]:
    """The events of a stream; comments, and an event that was cut off, are left out."""
    event, data = "message", list[str]()
    async for line in lines:
        if not line:
            if data:
                yield Frame(event, "\n".join(data))
            event, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)


class Follower:
    """Where one reader stands in one run's ledger, and how long the gateway has been away."""

    def __init__(self, gateway: Gateway, run_id: str, after: int, *, deltas: bool) -> None:
        """Stand after record `after`. Nothing is sent yet."""
        self.cursor = after
        self._gateway = gateway
        self._path = f"/runs/{quoted(run_id)}/ledger/stream"
        self._query = {"heartbeat_s": HEARTBEAT_S} | ({"deltas": 1} if deltas else {})
        self._heard_at: float | None = None
        self._tried = 0

    async def until_cut(self) -> AsyncGenerator[Told]:
        """What one connection brings."""
        headers = {"accept": "text/event-stream", "last-event-id": str(self.cursor)}
        async with self._gateway.open(
            self._path, headers, SILENCE_S, after=self.cursor, **self._query
        ) as answer:
            chunks = answer.aiter_bytes()

            async def chunk() -> bytes | None:
                got = await anext(chunks, None)
                self._heard_at, self._tried = anyio.current_time(), 0
                return got

            async for frame in frames(Lines(chunk)):
                told = self._read(frame)
                if told is not None:
                    yield told
        raise Unavailable("the stream ended before the run did")

    def _read(self, frame: Frame) -> Told | None:
        body = json.loads(frame.data)
        match frame.event:
            case "step" if body["cursor"] == self.cursor + 1:
                self.cursor += 1
                return Step(self.cursor, body["record"])
            case "step" if body["cursor"] > self.cursor:
                raise Unavailable(f"record {self.cursor + 1} is missing from the stream")
            case "delta":
                return Delta(**{name: body[name] for name in Delta._fields})
            case "done":
                return Done(body["cursor"])
            case _:
                return None

    def cut(self, why: Exception) -> Cut:
        """Say when to try again, or raise `why` if the gateway never answered or is away for too long."""
        refused = why if isinstance(why, GatewayError) else Unreachable(str(why))
        if self._heard_at is None or anyio.current_time() - self._heard_at > PATIENCE_S:
            raise refused from why
        self._tried += 1
        told = str(refused.facts.get("retry_after", ""))
        asked_s = min(float(told), 30.0) if told.isdigit() else 0.0
        return Cut(str(why) or type(why).__name__, max(pause_s(self._tried), asked_s))


async def follow(
    gateway: Gateway, run_id: str, *, after: int = 0, deltas: bool = False
) -> AsyncGenerator[Told]:
    """Tell the steps after `after`, and then each as it comes; `Done` is the last word.

    A gateway that does not answer at first is told as the error that it is. One that goes away
    later is waited for, for `PATIENCE_S`. Close the iterator (`aclosing`) to leave early.
    """
    follower = Follower(gateway, run_id, after, deltas=deltas)
    done = False
    while not done:
        cut: Cut | None = None
        try:
            async with aclosing(follower.until_cut()) as connection:
                async for told in connection:
                    yield told
                    done = isinstance(told, Done)
                    if done:
                        break
        except (httpx2.TransportError, Unavailable, LimitReached) as error:
            cut = follower.cut(error)
        if cut is not None:
            yield cut
            await anyio.sleep(cut.again_in_s)
