"""A process beside this one that is asked one thing: it gets its order, says its answer, and is ended in time.

It has an empty environment, so that nothing this process was given is there to be found, and a group
of its own. It is of the same session: Linux gives a session its own share of the processors, within
which alone one process goes behind another (`sched_autogroup`, sched(7)). Whoever stops waiting ends
it: it is told to end, and killed with its group where it does not.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import orjson

BOUNDED: Final = Path(__file__).with_name("bounded.py")
PIECE: Final = 65_536
GRACE_S: Final = 1.0  # from the wish that a process ends to its end by force


class Limits(NamedTuple):
    """How much a process may take that `bound` starts."""

    cpu_s: int
    memory_bytes: int
    files_open: int = 32


class Heard(NamedTuple):
    """What a process said, and the status that it ended with; `None` where it had to be ended."""

    said: bytes
    status: int | None


async def asked(
    script: Sequence[str], order: bytes, *, time_s: float, said_bytes_max: int
) -> Heard:
    """Have Python run a script in isolated mode, give it the order, and hear it to its end.

    One that says more than it may, or takes longer, is ended. Cancelled, this leaves no process behind.
    """
    process = await asyncio.create_subprocess_exec(  # anyio's has no groups
        sys.executable, "-I", *script, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, process_group=0
    )  # fmt: skip
    said = bytearray()
    status = None
    try:
        with anyio.move_on_after(time_s):
            await _tell(process, order)
            if await _hear(process, said, said_bytes_max):
                status = await process.wait()
    finally:
        if process.returncode is None:
            await _end(process)
    return Heard(bytes(said), status)


def bound(script: Path, limits: Limits) -> tuple[str, ...]:
    """The script as `asked` runs it within `limits`."""
    return (str(BOUNDED), orjson.dumps(limits._asdict()).decode(), str(script))


async def _tell(process: Process, order: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it has said why, or not
        process.stdin.write(order)
        await process.stdin.drain()
    process.stdin.close()


async def _hear(process: Process, said: bytearray, most: int) -> bool:
    """Take all that it says; whether that was all."""
    assert process.stdout is not None
    while len(said) <= most and (piece := await process.stdout.read(PIECE)):
        said += piece
    return len(said) <= most


async def _end(process: Process) -> None:
    """End a process, which ends its own; by force where it does not in time."""
    try:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with anyio.CancelScope(shield=True), anyio.move_on_after(GRACE_S):
            await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with anyio.CancelScope(shield=True), anyio.move_on_after(GRACE_S):
                await process.wait()
