"""Runtimes that nobody has: kept, handed on, or purged by steps of which each may be repeated.

A purge is marked first, so that nobody gets the runtime any more; then its plane is closed, its data
are taken away, and only then is its id free. The mark is what a purge under way is: whoever finds
one at the start of the process finishes it.
"""

from collections.abc import Callable
from typing import Final

import structlog

from perdure.clock import text_of
from perdure.errors import StoreFailed
from perdure.identity.users import User
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.runtimes.control import ControlContext
from perdure.runtimes.router import Router
from perdure.stores.principals import RuntimeEntry
from perdure.stores.remains import Remains

AT_ONCE: Final = 1_000  # purges that one start takes up
log: Final = structlog.get_logger("perdure.retention")


def no_probe(_name: str) -> None:
    """Do nothing; a crash test brings a probe that does."""


class Retention:
    """Hands runtimes on and purges them, with whatever this process has open of them."""

    def __init__(
        self, control: ControlContext, router: Router, remains: Remains, probe: Callable[[str], None] = no_probe
    ) -> None:  # fmt: skip
        """Change what `control` knows of runtimes; close their planes by `router`."""
        self.remains: Final = remains
        self._control, self._router, self._probe = control, router, probe

    async def transfer(self, tenant: TenantId, runtime: RuntimeId, to: UserId) -> User:
        """Give a retained runtime to a user of the same tenant; what they had is kept. The user as they were.

        Data stay where they are. Raises `RuntimeNotFound` where none is retained, `UserNotFound`.
        """
        at = text_of(self._control.clock.now())
        before = await self._control.principals.transfer(tenant, runtime, to, at=at)
        self._probe("transfer_written")
        for one in (runtime, before.runtime):
            await self._router.forget(tenant, one)
        return before

    async def purge(self, tenant: TenantId, runtime: RuntimeId) -> None:
        """Take away a runtime that nobody has, with all its data; its id is free when this returns.

        Raises `RuntimeNotFound`, `Conflict` where somebody has it, and `StoreFailed` where its data
        cannot be taken away: then it stays marked, and may be purged again.
        """
        at = text_of(self._control.clock.now())
        entry = await self._control.principals.mark_purging(tenant, runtime, at=at)
        self._probe("purge_marked")
        await self._finish(entry)

    async def resume(self) -> None:
        """Finish the purges that an earlier process began. One that fails stays marked, and is told."""
        for entry in await self._control.principals.purging(limit=AT_ONCE):
            try:
                await self._finish(entry)
            except StoreFailed as failed:
                log.warning(
                    "a purge is not finished",
                    tenant=entry.tenant,
                    runtime=entry.runtime,
                    why=failed.detail,
                )

    async def _finish(self, entry: RuntimeEntry) -> None:
        tenant, runtime = entry.tenant, entry.runtime
        await self._router.forget(tenant, runtime, bar=True)
        await self._control.planes.leave(tenant, runtime)
        self._probe("purge_closed")
        await self.remains.erase(tenant, runtime)
        self._probe("purge_erased")
        await self._control.principals.release(tenant, runtime)
        self._router.allow(tenant, runtime)
