"""Readers of ledger streams over raw sockets: when each record came in at each of them. Run as a program."""

import argparse
import asyncio
import json
import re
import sys
from functools import partial
from time import monotonic
from typing import cast

import uvloop

from tests.bench.gateway import API, TOKEN

STEP = re.compile(rb"^id: (\d+)\r?$", re.MULTILINE)
HEAD = b"HTTP/1.1 200"
CONNECT_S = 30.0
SETTLE_S = 2.0  # after the last one has connected


class Reader(asyncio.Protocol):
    """One stream. What it reads is only looked at for ids."""

    def __init__(self, run_id: str) -> None:
        """Read that run's."""
        self.run_id = run_id
        self.came: list[tuple[int, float]] = []
        self.failed = ""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        writable = cast(asyncio.WriteTransport, transport)  # uvloop's are of no kin to asyncio's
        path = f"{API}/runs/{self.run_id}/ledger/stream?after=0"
        head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        writable.write(head.encode())

    def data_received(self, data: bytes) -> None:
        """Note the ids in what came."""
        now = monotonic()
        if not self.begun.done():
            self.failed = "" if data.startswith(HEAD) else data[:200].decode("latin-1")
            self.begun.set_result(None)
        self.came += [(int(seq), now) for seq in STEP.findall(data)]


async def read(port: int, run_ids: list[str], seconds: float) -> dict[str, object]:
    """Read all at once for some seconds; what came after all had begun."""
    loop = asyncio.get_running_loop()
    readers = []
    for run_id in run_ids:
        _, reader = await loop.create_connection(partial(Reader, run_id), "127.0.0.1", port)
        readers.append(reader)
    async with asyncio.timeout(CONNECT_S):
        await asyncio.gather(*(it.begun for it in readers))
    await asyncio.sleep(SETTLE_S)
    begin = monotonic()
    await asyncio.sleep(seconds)
    end = monotonic()
    failed = next((it.failed for it in readers if it.failed), "")
    came = [(it.run_id, [one for one in it.came if begin <= one[1] < end]) for it in readers]
    return {"came": came, "failed": failed, "begin": begin, "end": end}


def main() -> None:
    """Read the ids of runs from the first line that comes in, one reader for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    run_ids = json.loads(sys.stdin.readline())
    print(json.dumps(uvloop.run(read(options.port, run_ids, options.seconds))))


if __name__ == "__main__":
    main()
