"""The stream is the ledger: whoever is cut, or finds the server dead, goes on where it was and misses nothing."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from tests.journeys.child import TOKEN
from tests.journeys.gateway import Gateway
from tests.journeys.journey import Journey
from tests.journeys.promises import until_quiet
from tests.journeys.wire import API, Wire, record_in

CUTS, KILLS = 100, 5
SHORT, LONG = 1_000, max(5_000, int(os.environ.get("SOAK", "2000")))
PART = ("echo:50*12", "timer:0.02")  # 25 records, and a moment in which nothing comes
PART_RECORDS = 25
SLOW_READERS = 40
GOOD = b"HTTP/1.1 200 OK"
LARGE = "echo:10000*400"  # some 12 MB of ledger
GROWTH_MAX_KB = (
    200_000  # a server that keeps for slow readers what they do not take grows by 480 MB
)


class CutReader:
    """Reads the ledger of one run over connections that are cut, by itself or by the server's death."""

    def __init__(self, wire: Wire, run_id: str, records: int) -> None:
        self._wire, self._run_id = wire, run_id
        self._chance = Random(records)
        self._between = records // (CUTS + 10)
        self.cuts = 0
        self.ids: list[int] = []
        self.records: list[bytes] = []

    async def read(self) -> None:
        """Read to the end."""
        while True:
            try:
                if await self._until_cut():
                    return
            except httpx2.TransportError:  # the server is dead
                await asyncio.sleep(0.01)

    async def _until_cut(self) -> bool:
        """Read over one connection; whether the ledger ended."""
        left = self._chance.randint(1, 2 * self._between) if self.cuts < CUTS else None
        last = self.ids[-1] if self.ids else 0
        async with self._wire.stream(self._run_id, last) as frames:
            async for frame in frames:
                if frame.event == "done":
                    return True
                self.ids.append(frame.id)
                self.records.append(record_in(frame))
                if left is not None and (left := left - 1) == 0:
                    self.cuts += 1
                    return False
        return False


async def read_while_dying(journey: Journey, reader: CutReader, records: int) -> None:
    """Kill the server at regular places of the reader's way."""
    reading = asyncio.ensure_future(reader.read())
    for kill in range(1, KILLS + 1):
        while len(reader.ids) < kill * records // (KILLS + 1):
            assert not reading.done(), reading.exception()
            await asyncio.sleep(0.002)
        await journey.gateway.restart()
    await reading


async def cut_and_killed(journey: Journey, records: int) -> None:
    """Read a run of so many records over cuts and deaths, and hold what came to the ledger."""
    await journey.gateway.start()
    parts, rest = divmod(records - 2, PART_RECORDS)
    plan = [*PART * parts, *["timer:0.001"] * rest]
    run_id = await journey.wire.start("long", plan)
    reader = CutReader(journey.wire, run_id, records)
    await read_while_dying(journey, reader, records)
    assert reader.cuts == CUTS
    assert reader.ids == list(range(1, records + 1))
    assert reader.records == await journey.wire.ledger(run_id)


@pytest.mark.anyio
async def test_a_reader_that_is_cut_misses_nothing(journey: Journey) -> None:
    await cut_and_killed(journey, SHORT)


@pytest.mark.soak
@pytest.mark.anyio
async def test_a_reader_of_a_long_run_misses_nothing(journey: Journey) -> None:
    await cut_and_killed(journey, LONG)


# --- slow readers --------------------------------------------------------------------------------


class SlowReader:
    """Asks for a stream, and takes one byte of it now and then."""

    def __init__(self, gateway: Gateway, run_id: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.settimeout(30)
        self._socket.connect(("127.0.0.1", gateway.port))
        path = f"{API}/runs/{run_id}/ledger/stream"
        head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        self._socket.sendall(head.encode())
        self.status = self._socket.recv(len(GOOD), socket.MSG_WAITALL)
        self.taken = 0

    def take(self) -> None:
        """Take one byte, if there is one."""
        with suppress(BlockingIOError):
            self.taken += len(self._socket.recv(1, socket.MSG_DONTWAIT))

    def close(self) -> None:
        """Go away."""
        self._socket.close()


def memory_kb(pid: int, what: str) -> int:
    """`VmRSS`, what a process holds now, or `VmHWM`, the most that it ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what)))


async def taking(readers: list[SlowReader]) -> None:
    """Let each of the readers take a byte from time to time."""
    while True:
        await asyncio.sleep(0.2)
        for reader in readers:
            reader.take()


async def followed(wire: Wire, run_id: str) -> list[int]:
    """The numbers of all records, as a reader gets them who takes what comes."""
    async with wire.stream(run_id, 0) as frames:
        return [frame.id async for frame in frames if frame.event == "step"]


@pytest.mark.anyio
async def test_slow_readers_slow_nobody_and_cost_no_memory(journey: Journey) -> None:
    await journey.gateway.start()
    run_id = await journey.wire.start("large", ["wait", LARGE])
    readers = [SlowReader(journey.gateway, run_id) for _ in range(SLOW_READERS)]
    slowly: asyncio.Future[Any] = asyncio.ensure_future(taking(readers))
    following = asyncio.ensure_future(followed(journey.wire, run_id))
    before = memory_kb(journey.gateway.pid, "VmRSS")
    await until_quiet(journey.wire, "question")
    await journey.wire.command("go", run_id, "resume", {"payload": {}})
    ids = await following
    assert not slowly.done()
    slowly.cancel()
    grown = memory_kb(journey.gateway.pid, "VmHWM") - before
    assert ids == list(range(1, len(ids) + 1))
    assert (await journey.wire.summary(run_id))["ledger_len"] == len(ids) > 800
    assert all(it.status == GOOD and 0 < it.taken < 10_000 for it in readers)
    assert grown < GROWTH_MAX_KB
    for reader in readers:
        reader.close()
