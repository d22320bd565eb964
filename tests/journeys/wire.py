"""A client of a gateway that is killed under it: it repeats what was not answered, and keeps bytes as they came."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import httpx2

from tests.journeys.child import TOKEN
from tests.journeys.feature import PATH
from tests.journeys.gateway import GUARD_S, Gateway

API: Final = "/api/gateway"
AGAIN_S: Final = 0.01  # between two tries while nobody answers
PAGE: Final = 500
_DECODER: Final = json.JSONDecoder()


class Frame(NamedTuple):
    """One event of a ledger stream: its number (0 where it has none), and its data as they came."""

    id: int
    event: str
    data: bytes


class Wire:
    """Speaks to one gateway over all of its lives. Use it in an `async with`."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._http = httpx2.AsyncClient(
            base_url=gateway.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=GUARD_S, trust_env=False
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        await self._http.aclose()

    async def once(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask once. Raises `httpx2.TransportError` where no answer comes."""
        return await self._http.request(method, path, **more)

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask until there is an answer, whatever it is but `Unavailable`.

        Raises `TimeoutError` where one life goes by so long without an answer: how many lives are
        too short for one depends on how busy the machine is.
        """
        life, began = -1, 0.0
        while True:
            if self.gateway.lives != life:
                life, began = self.gateway.lives, time.monotonic()
            elif time.monotonic() - began > 2 * GUARD_S:
                raise TimeoutError(f"{method} {path}: no answer in the whole of life {life}")
            try:
                answer = await self.once(method, path, **more)
                if answer.status_code != 503:
                    return answer
            except httpx2.TransportError:
                pass
            await asyncio.sleep(AGAIN_S)

    async def get(self, path: str, **query: Any) -> Any:
        """Read something that is there."""
        answer = await self.ask("GET", API + path, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def start(
        self, key: str, plan: Sequence[Any], session_id: str | None = None, deadline: str | None = None
    ) -> str:  # fmt: skip
        """Start a run of deeds, once for each key; its id."""
        body = {"plan": list(plan), "key": key, "session_id": session_id, "deadline": deadline}
        answer = await self.ask("POST", PATH, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["run_id"])

    async def command(
        self, command_id: str, run_id: str, kind: str, payload: Any
    ) -> httpx2.Response:
        """Send a command until it is answered: taken in, or refused."""
        body = {"command_id": command_id, "run_id": run_id, "type": kind, "payload": payload}
        return await self.ask("POST", f"{API}/commands", json=body)

    async def summary(self, run_id: str) -> Any:
        """What is known of a run."""
        return await self.get(f"/runs/{run_id}")

    async def runs(self, **query: Any) -> list[Any]:
        """Every run that the query means, children too."""
        found: list[Any] = []
        while True:
            page = await self.get("/runs", limit=PAGE, **query)
            found += page["items"]
            if not page["next_cursor"]:
                return found
            query["cursor"] = page["next_cursor"]

    async def page(self, run_id: str, after: int, limit: int = PAGE) -> bytes:
        """A page of a ledger, as it came."""
        query = {"after": after, "limit": limit}
        answer = await self.ask("GET", f"{API}/runs/{run_id}/ledger", params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def ledger(self, run_id: str) -> list[bytes]:
        """Every record of a ledger, as it came."""
        records: list[bytes] = []
        while True:
            more = records_in(await self.page(run_id, len(records)))
            records += more
            if len(more) < PAGE:
                return records

    @asynccontextmanager
    async def stream(
        self, run_id: str, after: int, silence_s: float = GUARD_S, **query: Any
    ) -> AsyncIterator[AsyncIterator[Frame]]:
        """The ledger as it grows. Raises `httpx2.TransportError` where it is cut, or silent for so long."""
        path, headers = f"{API}/runs/{run_id}/ledger/stream", {"last-event-id": str(after)}
        timeout = httpx2.Timeout(GUARD_S, read=silence_s)
        streamed = self._http.stream("GET", path, headers=headers, params=query, timeout=timeout)
        async with streamed as answer:
            assert answer.status_code == 200, await answer.aread()
            yield frames(answer.aiter_bytes())


async def frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[Frame]:
    """The whole events of a stream; one that was cut off is none."""
    buffer = b""
    async for chunk in chunks:
        buffer += chunk
        *whole, buffer = buffer.split(b"\n\n")
        for block in whole:
            parts = dict(line.split(b": ", 1) for line in block.split(b"\n"))
            if b"event" in parts:
                yield Frame(int(parts.get(b"id", 0)), parts[b"event"].decode(), parts[b"data"])


def record_in(frame: Frame) -> bytes:
    """The record of a step, as it came."""
    head = b'{"cursor": %d, "record": ' % frame.id
    assert frame.data.startswith(head), frame.data[:100]
    return frame.data[len(head) : -1]


def records_in(page: bytes) -> list[bytes]:
    """The records of a page, each as it came."""
    text = page.decode()
    at, records = text.index("[") + 1, []
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        records.append(text[at:end].encode())
        at = end + (text[end] == ",")
    return records
