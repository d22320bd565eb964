"""A process beside this one that is asked one thing: it gets its order, says its answer, and is ended in time.

It has an empty environment, so that nothing this process was given is there to be found, and a group
of its own. It is of the same session: Linux gives a session its own share of the processors, within
which alone one process goes behind another (`sched_autogroup`, sched(7)). Whoever stops waiting ends
it: it is told to end, and killed with its group where it does not.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import orjson
from anyio.abc import Process

BOUNDED: Final = Path(__file__).with_name("bounded.py")
# No event loop starts a process in a group of its own, so that the script makes itself one.
GROUPED: Final = (
    "import os, runpy, sys; os.setpgrp(); del sys.argv[0]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
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
    process = await anyio.open_process(
        [sys.executable, "-I", "-c", GROUPED, *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={},
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
        with anyio.CancelScope(shield=True):
            await process.aclose()
    return Heard(bytes(said), status)


def bound(script: Path, limits: Limits) -> tuple[str, ...]:
    """The script as `asked` runs it within `limits`."""
    return (str(BOUNDED), orjson.dumps(limits._asdict()).decode(), str(script))


async def _tell(process: Process, order: bytes) -> None:
    assert process.stdin is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it has said why, or not
        await process.stdin.send(order)
        await process.stdin.aclose()


async def _hear(process: Process, said: bytearray, most: int) -> bool:
    """Take all that it says; whether that was all."""
    assert process.stdout is not None
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while len(said) <= most:
            said += await process.stdout.receive()
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
            with suppress(ProcessLookupError):  # it has made no group yet
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                process.kill()
            with anyio.CancelScope(shield=True), anyio.move_on_after(GRACE_S):
                await process.wait()
