"""The real gateway in a process of its own: started, killed without warning, and started again."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import perdure
from tests.house.tree import ROOT

TESTED: Final = Path(perdure.__file__).parents[1]  # what the tests import, whatever is installed
GUARD_S: Final = 30.0  # no process takes so long to start or to end; not a measure of anything
PORTS: Final = range(20_000, 32_000)  # below those that the machine gives to clients


class Ended(Exception):
    """A gateway ended before it was ready."""


class Nursery:
    """A connection to the process that has imported everything, and forks a gateway when it is asked to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._born: asyncio.Queue[int] = asyncio.Queue()
        self._ready: dict[int, asyncio.Event] = {}
        self._status: dict[int, asyncio.Future[int]] = {}

    async def hear(self) -> None:
        """Take in what the process tells."""
        while line := await self._reader.readline():
            told = json.loads(line)
            if "born" in told:
                self._forget(told["born"])
                self._born.put_nowait(told["born"])
            elif "ready" in told:
                self._ready_of(told["ready"]).set()
            else:
                self._status_of(told["ended"]).set_result(told["status"])

    def _forget(self, pid: int) -> None:
        """Know nothing of an earlier process of this number: after thousands, numbers come again."""
        self._ready.pop(pid, None)
        self._status.pop(pid, None)

    def _ready_of(self, pid: int) -> asyncio.Event:
        return self._ready.setdefault(pid, asyncio.Event())

    def _status_of(self, pid: int) -> "asyncio.Future[int]":
        if pid not in self._status:
            self._status[pid] = asyncio.get_running_loop().create_future()
        return self._status[pid]

    async def born(self, arguments: list[str]) -> int:
        """Have a gateway forked; its pid."""
        self._writer.write(json.dumps(arguments).encode() + b"\n")
        async with asyncio.timeout(GUARD_S):
            return await self._born.get()

    async def until_ready(self, pid: int) -> None:
        """Wait until it answers. Raises `Ended` where it ends instead."""
        ready = asyncio.ensure_future(self._ready_of(pid).wait())
        either: list[asyncio.Future[Any]] = [ready, self._status_of(pid)]
        async with asyncio.timeout(GUARD_S):
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            raise Ended(f"with {self._status_of(pid).result()}")

    async def until_ended(self, pid: int) -> int:
        """Wait until it is gone; how it ended, as `subprocess` tells it."""
        async with asyncio.timeout(GUARD_S):
            return await asyncio.shield(self._status_of(pid))


@asynccontextmanager
async def nursery(path: Path) -> AsyncIterator[Nursery]:
    """A connection to the nursery at `path`; whatever was born over it is killed at the end of the block."""
    reader, writer = await asyncio.open_unix_connection(path)
    made = Nursery(reader, writer)
    hearing = asyncio.ensure_future(made.hear())
    try:
        yield made
    finally:
        hearing.cancel()
        writer.close()
        await writer.wait_closed()


@contextmanager
def open_nursery(path: Path) -> Iterator[None]:
    """The process itself, for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.journeys.child", "--nursery", str(path)]
    home = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "PYTHONPATH": str(TESTED)}
    with subprocess.Popen(
        command, cwd=ROOT, env=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        try:
            yield
        finally:
            process.terminate()


@dataclass
class Gateway:
    """One gateway on one set of data, over all of its lives."""

    nursery: Nursery
    data_dir: Path
    counter: str
    postgres: str | None = None
    port: int = field(default_factory=lambda: free_port())
    lives: int = 0
    pid: int = 0

    @property
    def url(self) -> str:
        """Where it answers, when it lives."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *more: str, probe: str | None = None) -> None:
        """Begin another life, and wait until it answers. Raises `Ended` where it never does."""
        said = {
            "--data-dir": self.data_dir, "--log": self.data_dir.with_suffix(".log"),
            "--port": self.port, "--counter": self.counter, "--postgres": self.postgres, "--probe": probe,
        }  # fmt: skip
        given = {name: str(value) for name, value in said.items() if value is not None}
        self.lives += 1
        arguments = [part for both in given.items() for part in both]
        self.pid = await self.nursery.born([*arguments, *more])
        await self.nursery.until_ready(self.pid)

    async def kill(self) -> None:
        """End this life as a power cut would end it."""
        os.kill(self.pid, signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait until this life is over, however it ends."""
        return await self.nursery.until_ended(self.pid)

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()


def free_port() -> int:
    """A port where nothing listens, and that the machine gives to no client meanwhile."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
