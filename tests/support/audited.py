"""The part of a control context that audit and secrets need, over a control store of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from perdure.adapters.sealer import AesSealer
from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import open_postgres_control, open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.adapters.sql.profiles import SqlSharedProfiles
from perdure.clock import Clock
from perdure.ids import TenantId, new_id
from perdure.runtimes.control import ControlContext
from perdure.stores.audit import fields_of
from tests.support.chains import NOTARY, TENANT
from tests.support.clock import FakeClock
from tests.support.planes import shared_engine


@asynccontextmanager
async def audited(
    folder: Path, database: str = "sqlite", clock: Clock | None = None
) -> AsyncIterator[ControlContext]:
    """A control context with chains, a notary, profiles and a sealer, and nothing else in it."""
    pools = Pools()
    if database == "sqlite":
        control = await open_sqlite_control(folder / "control.db", pools.readers)
    else:
        control = await open_postgres_control(shared_engine(), pools.readers, f"control {new_id()}")
    chains = SqlAudit(control.database, pools.readers)
    given: dict[str, Any] = {
        "planes": control, "audit": chains, "notary": NOTARY, "clock": clock or FakeClock(),
        "pepper": b"a pepper of 32 bytes for a test.",
        "profiles": SqlSharedProfiles(control.database, pools.readers),
        "sealer": AesSealer(lambda: {"a key of a test": bytes(32)}),
    }  # fmt: skip
    absent: Any = None
    missing = {name: absent for name in ControlContext.__dataclass_fields__ if name not in given}
    try:
        yield ControlContext(**given, **missing)
    finally:
        await chains.close()
        await control.close()
        pools.close()


async def entries(control: ControlContext, tenant: TenantId = TENANT) -> list[dict[str, Any]]:
    """What a chain says, oldest first, each with its number."""
    records = await control.audit.records(tenant, after=0, limit=10_000)
    return [{**fields_of(record.body), "seq": record.seq} for record in records]
