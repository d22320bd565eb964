"""An open plane is swept by its runner when its time has come; one that is idle is closed, and costs nothing."""

import anyio
import structlog

from perdure.errors import StoreFailed
from perdure.runner.lane import Lane
from perdure.services.sweeps import sweep_when_due

log = structlog.get_logger("perdure.runner")


async def sweep(lane: Lane) -> None:
    """Look in every poll whether the plane is to be swept, and sweep it; it stays open meanwhile."""
    while not lane.stopping:
        lane.sweeping = True
        plane = lane.runtime.runtime
        try:
            swept = await sweep_when_due(lane.runtime)
            if swept is not None and swept.files:
                log.info("swept", plane=plane, files=swept.files, bytes=swept.size_bytes)
        except StoreFailed as failed:
            log.warning("not swept", plane=plane, why=failed.detail)
        finally:
            lane.sweeping = False
        await anyio.sleep(lane.config.poll_s)
