"""An open plane is swept when its time has come, stays open meanwhile, and goes on where the disk fails."""

import os
from pathlib import Path
from typing import cast

import anyio
import pytest

from perdure.adapters.sql.plane import SqlPlane
from perdure.errors import StoreFailed
from perdure.runner import sweep as sweeping
from perdure.runner.sweep import sweep
from perdure.runtimes.context import RuntimeContext
from perdure.services.sweeps import sweep_soon
from perdure.stores.artifacts import Swept
from tests.support.running import PAST, PATIENCE_S, Running, Stage, running

pytestmark = pytest.mark.anyio
STAGE = Stage({}, config={"poll_s": 0.01})


async def until_gone(path: Path) -> None:
    """Wait for a file to go."""
    with anyio.fail_after(PATIENCE_S):
        while path.exists():
            await anyio.sleep(0.01)


async def put(on_stage: Running, content: bytes, *, named: bool) -> Path:
    """An old file, which an artifact names or not."""
    artifacts = cast(SqlPlane, on_stage.runtime.plane).artifacts
    if named:
        await artifacts.put(content, owner="o", content_type="text/plain", at=PAST)
    (path,) = on_stage.folder.rglob(artifacts.content.put(content))
    os.utime(path, (1, 1))
    return path


async def test_what_nothing_names_goes_by_itself_and_the_rest_stays(tmp_path: Path) -> None:
    async with running(tmp_path, STAGE) as on_stage:
        kept = await put(on_stage, b"kept", named=True)
        gone = await put(on_stage, b"gone", named=False)
        await sweep_soon(on_stage.runtime)
        await until_gone(gone)
        assert kept.exists()


async def test_a_plane_that_is_being_swept_is_not_idle_and_one_that_was_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, end = anyio.Event(), anyio.Event()

    async def slow(_runtime: RuntimeContext) -> Swept | None:
        begun.set()
        await end.wait()
        return None

    monkeypatch.setattr(sweeping, "sweep_when_due", slow)
    async with running(tmp_path, Stage({})) as on_stage:
        lane = on_stage.lane
        with anyio.fail_after(PATIENCE_S):
            await begun.wait()
            lane.carrying = False
            while not lane.timed or lane.looking:
                await anyio.sleep(0.01)
            assert lane.sweeping and not lane.idle()
            end.set()
            while not lane.idle():
                await anyio.sleep(0.01)


async def test_a_disk_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    async def failing(runtime: RuntimeContext) -> Swept | None:
        tried.append(True)
        if len(tried) < 3:
            raise StoreFailed("the disk was not swept")
        lane.stopping = True
        return None

    monkeypatch.setattr(sweeping, "sweep_when_due", failing)
    async with running(tmp_path, Stage({}, config={"poll_s": 0.0}, serves=False)) as on_stage:
        lane = on_stage.lane
        with anyio.fail_after(PATIENCE_S):
            await sweep(lane)
    assert len(tried) == 3 and not lane.sweeping
