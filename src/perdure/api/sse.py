"""Server-sent events: a ledger as a stream of frames, exact to the byte.

| frame | when |
|---|---|
| `id: <seq>` `event: step` `data: {"cursor": <seq>, "record": {…}}` | a record; the data are the stored bytes |
| `event: delta` `data: {…}` | a piece of an answer that is still coming, for readers that asked |
| `: keep-alive` | nothing was sent for a while |
| `event: done` `data: {…}` | the run has ended and every record is out; the stream closes |
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from perdure.api.collaborators import Closing
from perdure.api.origins import Headers
from perdure.errors import GatewayError
from perdure.registry.effects import Delta
from perdure.runtimes.deltas import RunDelta
from perdure.services.follow import Item, Steps
from perdure.stores.records import Record, wire_of

KEEP_ALIVE: Final = b": keep-alive\n\n"
HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"content-type", b"text/event-stream; charset=utf-8"),
]
LATE: Final = 0.25  # of the time between two looks at a credential, until somebody else looks
CLOSE_S: Final = 0.5  # for a reader to take what was sent, when the server closes
FRAMES_BYTES_MAX: Final = 8 * 1024 * 1024  # kept of frames that other readers may want too

StillGood = Callable[[], Awaitable[bool]]
MaySend = Callable[[int], bool]  # counts what was sent; whether the stream goes on


class Frames:
    """The frames of records, each made once for all readers; all are forgotten where they are too much."""

    def __init__(self, bytes_max: int = FRAMES_BYTES_MAX) -> None:
        """Keep up to `bytes_max` of them."""
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: dict[bytes, bytes] = {}

    def of(self, record: Record) -> bytes:
        """The frame of a record."""
        frame = self._kept.get(record.hash)
        if frame is None:
            frame = frame_of(record)
            self._bytes += len(frame)
            if self._bytes > self._bytes_max:
                self._kept.clear()
                self._bytes = len(frame)
            self._kept[record.hash] = frame
        return frame


def frame_of(record: Record) -> bytes:
    """One record as an event. Its bytes hold no line end, so that they are one line of data."""
    return b'id: %d\nevent: step\ndata: {"cursor": %d, "record": %b}\n\n' % (
        record.seq, record.seq, wire_of(record),
    )  # fmt: skip


def delta_frame_of(told: RunDelta) -> bytes:
    """One delta as an event; it has no id, since it may be lost."""
    offset, kind, text = told.delta
    value = {
        "run_id": told.run_id, "step_id": told.step_id, "attempt": told.attempt,
        "offset": offset, "kind": kind, "text": text,
    }  # fmt: skip
    return b"event: delta\ndata: %b\n\n" % orjson.dumps(value)


def done_frame_of(run_id: str, cursor: int) -> bytes:
    """The last event of a stream."""
    return b'event: done\ndata: {"run_id": %b, "cursor": %d, "status": "terminal"}\n\n' % (
        orjson.dumps(run_id), cursor,
    )  # fmt: skip


def joined(items: Iterable[Item]) -> list[Item]:
    """The same with fewer deltas: each is joined to the one right before where it goes on from there."""
    fewer: list[Item] = []
    for item in items:
        before = fewer[-1] if fewer else None
        if isinstance(item, RunDelta) and isinstance(before, RunDelta) and _goes_on(before, item):
            offset, kind, text = before.delta
            fewer[-1] = before._replace(delta=Delta(offset, kind, text + item.delta.text))
        else:
            fewer.append(item)
    return fewer


def _goes_on(before: RunDelta, after: RunDelta) -> bool:
    first, second = before.delta, after.delta
    return (
        before[:3] == after[:3]
        and first.kind == second.kind
        and first.offset + len(first.text) == second.offset
    )


def send_all(_size: int) -> bool:
    """Count nothing, and go on."""
    return True


class Terms(NamedTuple):
    """What a stream is made with: its frames, how it is kept up, and what ends it."""

    frames: Frames
    recheck_s: float  # how often the reader's credential is looked at again
    lifetime_s: float
    still_good: StillGood
    closing: Closing
    may_send: MaySend = send_all


def stream(steps: Steps, terms: Terms, *, heartbeat_s: float) -> Response:
    """Send the steps of a run as they come, until it ends, the reader goes, or it may read no more.

    After `heartbeat_s` of silence the stream says that it is still there.
    """
    return _EventStream(steps, terms, heartbeat_s)


class EventStream(Response):
    """The kind of body that a stream is, for the document of the API."""

    media_type = "text/event-stream"


class _Pulse:
    """Makes a waiting reader look up when nothing was sent for a while, and tells it why.

    Where it does not look up, because its other end takes nothing, `look` looks in its place.
    The timer is set anew only when it has come due, so that what is sent in between costs nothing.
    """

    def __init__(
        self, nudge: Callable[[], None], look: Callable[[], Coroutine[Any, Any, None]], heartbeat_s: float,
        recheck_s: float,
    ) -> None:  # fmt: skip
        self._nudge, self._look = nudge, look
        self._heartbeat_s, self._recheck_s = heartbeat_s, recheck_s
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._sent_at = self._checked_at = self._time()
        self._looking: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(min(heartbeat_s, recheck_s), self._due)

    def sent(self) -> None:
        """Note that something was sent just now."""
        self._sent_at = self._time()

    def is_quiet(self) -> bool:
        """Whether it is time to say that the stream is still there."""
        return self._time() - self._sent_at >= self._heartbeat_s

    def is_unchecked(self) -> bool:
        """Whether it is time to look at the credential again; asking takes the time from now."""
        due = self._time() - self._checked_at >= self._recheck_s
        if due:
            self._checked_at = self._time()
        return due

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _due(self) -> None:
        now = self._time()
        if now - self._checked_at >= self._recheck_s * (1 + LATE):
            self._checked_at = now
            self._look_unless_looking()
        until_quiet = self._sent_at + self._heartbeat_s - now
        until_check = self._checked_at + self._recheck_s - now
        if min(until_quiet, until_check) <= 0:
            self._nudge()
        after_s = min(
            until_quiet if until_quiet > 0 else self._heartbeat_s,
            until_check if until_check > 0 else self._recheck_s * LATE,
        )
        self._timer = self._loop.call_later(after_s, self._due)

    def _look_unless_looking(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look())


class _EventStream(Response):
    """The response that a stream is. It ends by itself, with its reader, or with the server."""

    def __init__(self, steps: Steps, terms: Terms, heartbeat_s: float) -> None:
        super().__init__()
        self._steps, self._terms, self._heartbeat_s = steps, terms, heartbeat_s
        self._stay = asyncio.timeout(None)
        self._leaving = False

    def init_headers(self, _headers: Mapping[str, str] | None = None) -> None:
        """Say what a stream is, and no length: nobody knows it."""
        self.raw_headers = [*HEADERS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, and meanwhile listen for the reader to go and the server to close."""
        pulse = _Pulse(self._steps.nudge, self._look, self._heartbeat_s, self._terms.recheck_s)
        old = asyncio.get_running_loop().call_later(self._terms.lifetime_s, self._leave)
        stop = self._terms.closing.listen(self._leave)
        listening = asyncio.create_task(self._until_gone(receive))
        try:
            async with self._steps, self._stay:
                await send(
                    {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                )
                last = await self._send_all(send, pulse)
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            if not self._stay.expired():
                raise
        finally:
            self._leaving = True
            listening.cancel()
            old.cancel()
            pulse.stop()
            stop()

    def _leave(self, patience_s: float = CLOSE_S) -> None:
        """End between two frames; after a while by force, since the reader may take none."""
        if not self._leaving:
            self._leaving = True
            self._steps.nudge()
            self._stay.reschedule(asyncio.get_running_loop().time() + patience_s)

    async def _until_gone(self, receive: Receive) -> None:
        """Leave when the reader has gone, or sends more than a request may."""
        with suppress(GatewayError):
            while (await receive())["type"] != "http.disconnect":
                pass
        self._leave()

    async def _look(self) -> None:
        """Leave a reader that takes nothing, when its credential is good no more."""
        try:
            good = await self._terms.still_good()
        except GatewayError:
            good = False  # nobody can say, and the reader comes again
        if not good:
            self._leave(0)

    async def _send_all(self, send: Send, pulse: _Pulse) -> bytes:
        """Send what comes; what is left to be sent as the last."""
        steps, chunk = self._steps, b""
        try:
            async for items in steps:
                if await self._is_over(pulse):
                    return b""
                if not (items or pulse.is_quiet()):
                    continue
                chunk = self._chunk(items) if items else KEEP_ALIVE
                may_send = self._terms.may_send(len(chunk))
                if steps.ended:
                    return chunk + done_frame_of(steps.run_id, steps.cursor)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                pulse.sent()
                if not may_send:
                    return b""  # the reader comes again, and is told when
        except GatewayError:
            return b""  # the run is not there any more, or its store is not: the reader comes again
        return done_frame_of(steps.run_id, steps.cursor)

    async def _is_over(self, pulse: _Pulse) -> bool:
        terms = self._terms
        return (
            self._leaving
            or terms.closing.said
            or (pulse.is_unchecked() and not await terms.still_good())
        )

    def _chunk(self, items: Sequence[Item]) -> bytes:
        """All that there is to send by now, as one piece."""
        of = self._terms.frames.of
        return b"".join(
            of(item) if isinstance(item, Record) else delta_frame_of(item) for item in joined(items)
        )
