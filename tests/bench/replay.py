"""How fast a long ledger is read again: in pages, and as a stream."""

import asyncio
from time import perf_counter

import uvloop

from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import API, AUTHORIZED
from tests.bench.streams import host
from tests.bench.wire import Line

SECTION = "Replay of a long ledger, over HTTP"
RECORDS, FEW = 100_000, 5_000
PAGE = 2_000
STREAM_S = 120.0


async def paged(port: int, run_id: str, records: int) -> float:
    """Read all pages, one after the other: events a second."""
    begin, seen = perf_counter(), 0
    async with Line(port, AUTHORIZED) as line:
        while seen < records:
            page = await line.get(f"{API}/runs/{run_id}/ledger?after={seen}&limit={PAGE}")
            count = page.count(b'"step_id"')
            if not count:
                raise Unavailable(f"the ledger ends at {seen}")
            seen += count
    return records / (perf_counter() - begin)


async def streamed(port: int, run_id: str, records: int) -> float:
    """Read the stream up to the last record: events a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "".join(f"{name}: {value}\r\n" for name, value in AUTHORIZED.items())
    path = f"{API}/runs/{run_id}/ledger/stream?after=0"
    begin, last, tail = perf_counter(), b"id: %d\n" % records, b""
    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n".encode())
    async with asyncio.timeout(STREAM_S):
        while last not in tail:
            piece = await reader.read(1 << 20)
            if not piece:
                raise Unavailable("the stream ended early")
            tail = tail[-len(last) :] + piece
    took = perf_counter() - begin
    writer.close()
    return records / took


def measure(bench: Bench) -> list[Figure]:
    """One run, read by one reader."""
    count = FEW if bench.small else RECORDS
    try:
        with host(bench, "--steps", str(count)) as it:
            (run_id,) = it.run_ids
            pages = uvloop.run(paged(it.port, run_id, count))
            stream = uvloop.run(streamed(it.port, run_id, count))
    except (Unavailable, TimeoutError) as why:
        return [not_measured(SECTION, f"{count:,} records", why)]
    return [
        Figure(SECTION, f"{count:,} records, pages of {PAGE:,}", pages, "events/s"),
        Figure(SECTION, f"{count:,} records, stream", stream, "events/s"),
    ]
