"""Bytes that nothing names are taken away in the end, and never while somebody may be about to name them.

When a plane is to be swept is kept beside its bytes, so that no process has to remember it, and a
plane that nobody opens is not looked at.
"""

from typing import Final

from perdure.runtimes.context import RuntimeContext
from perdure.stores.artifacts import Swept

EVERY_S: Final = 86_400  # between two sweeps of a plane that is in use
GRACE_S: Final = 3_600  # bytes put since then may be on their way: their name comes after them
AGAIN_S: Final = 3_600  # until a sweep is begun again that did not come to its end


async def sweep_when_due(runtime: RuntimeContext) -> Swept | None:
    """Sweep a plane whose time for it has come; `None` where it has not.

    The next time is planned before anything is taken, and again at the end, unless somebody else has
    planned one meanwhile: what they left behind this sweep may have passed by.
    """
    artifacts, now = runtime.plane.artifacts, int(runtime.clock.now().timestamp())
    due = await artifacts.sweep_due()
    if due == 0:
        await artifacts.plan_sweep(now + EVERY_S)
    if not due or due > now:
        return None
    await artifacts.plan_sweep(now + AGAIN_S)
    swept = await artifacts.sweep(before=now - GRACE_S)
    if await artifacts.sweep_due() == now + AGAIN_S:
        await artifacts.plan_sweep(now + EVERY_S)
    return swept


async def sweep_soon(runtime: RuntimeContext) -> None:
    """Have a plane swept by whoever runs it: something there has lost its name."""
    await runtime.plane.artifacts.plan_sweep(int(runtime.clock.now().timestamp()))
