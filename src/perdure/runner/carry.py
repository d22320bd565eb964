"""Entries for the audit go from the plane that kept them to the tenant's chain: none is lost, none comes twice.

An entry leaves its plane only when it is in the chain. Where the process ends in between, the next
one hands it over again, and the chain knows it by its origin. A plane that has entries is due.
"""

from typing import Final

import anyio

from perdure.runner.lane import Lane
from perdure.stores.audit import AuditStore, Carried, origin_of

CARRIED_MAX: Final = 500  # entries in one hand-over
GATHER_S: Final = 0.05  # entries that come within it go together


async def carry(lane: Lane, audit: AuditStore) -> int:
    """Hand over all that the plane has kept; how many entries that were."""
    runtime, handed = lane.runtime, 0
    while pending := await runtime.plane.audit.pending(limit=CARRIED_MAX):
        rows = [Carried(origin_of(runtime.runtime, it), it.body) for it in pending]
        lane.config.probe("before_carry")
        await audit.carry(runtime.tenant, rows)
        lane.config.probe("after_carry")
        await runtime.plane.audit.carried([it.n for it in pending])
        handed += len(pending)
    return handed


async def until_kept(lane: Lane) -> None:
    """Sleep until the plane has kept an entry, here or where another process has it open."""
    lane.carrying = False
    await lane.kept.wait()
    await anyio.sleep(GATHER_S)
    lane.carrying = True
    lane.kept = anyio.Event()
