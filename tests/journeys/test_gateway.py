"""A process is known by its number only for as long as it lives."""

import asyncio
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.journeys.gateway import Ended, nursery

PID = 7
LIVES = ((b"ready", -SIGKILL), (None, 3))  # how a process of that number goes, and the next one


async def bear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bear processes of one and the same number, each when it is asked for."""
    for ready, status in LIVES:
        await reader.readline()
        writer.write(b'{"born": %d}\n' % PID)
        if ready:
            writer.write(b'{"ready": %d}\n' % PID)
        writer.write(b'{"ended": %d, "status": %d}\n' % (PID, status))
    await reader.readline()
    writer.close()


@pytest.mark.anyio
async def test_a_number_that_comes_again_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with await asyncio.start_unix_server(bear, path), nursery(path) as born:
        assert await born.born([]) == PID
        await born.until_ready(PID)
        assert await born.until_ended(PID) == -SIGKILL
        assert await born.born([]) == PID
        with pytest.raises(Ended, match="3"):
            await born.until_ready(PID)
        assert await born.until_ended(PID) == 3
