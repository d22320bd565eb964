"""A control store under test on either database, with all that a request reaches of it."""

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from perdure.adapters.notary import Ed25519Notary
from perdure.adapters.sealer import AesSealer, ring_of
from perdure.adapters.signer import MarkSigner
from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import SqlControl, open_postgres_control, open_sqlite_control
from perdure.adapters.sql.dialect import Database
from perdure.adapters.sql.plane import Pools
from perdure.adapters.sql.principals import SqlPrincipals
from perdure.adapters.sql.profiles import SqlSharedProfiles
from perdure.adapters.sql.sessions import SqlSessions
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tokens import SqlTokens
from perdure.clock import Clock, text_of
from perdure.identity.principal import Principal, Role
from perdure.identity.users import User, principal_of
from perdure.ids import RuntimeId, TenantId, UserId, new_id
from perdure.runtimes.control import ControlContext
from perdure.services import tokens
from tests.support.clock import FakeClock
from tests.support.counting import CountingDatabase
from tests.support.planes import shared_engine

PEPPER = b"a pepper of 32 bytes for a test."
RING = "QSBrZXkgb2YgMzIgYnl0ZXMgZm9yIGEgdGVzdCwgb2s="
ACME, BETA = TenantId("acme"), TenantId("beta")


@dataclass
class Control:
    """A control store, what is asked of it, and its clock."""

    context: ControlContext
    database: CountingDatabase
    clock: FakeClock
    store: SqlControl

    @property
    def now(self) -> str:
        """The time, as stores keep it."""
        return text_of(self.clock.now())

    async def user(self, name: str = "alice", tenant: TenantId = ACME, **changes: Any) -> tuple[User, str]:  # fmt: skip
        """Make a user; them and their token."""
        user = a_user(name, tenant, self.now, **changes)
        new = tokens.made(self.context, tenant, user.id)
        await self.context.principals.create(user, new.token)
        return user, new.text

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a statement finds, past the stores."""
        with self.store.database.reading() as session:
            return session.all(Sql(text(statement)))


def a_user(name: str, tenant: TenantId = ACME, at: str = "", **changes: Any) -> User:
    """A user, who has a runtime of their own name unless told otherwise."""
    given: dict[str, Any] = {
        "tenant": tenant, "id": UserId(name), "email": "", "roles": frozenset({Role.USER}), "scopes": (),
        "enabled": True, "runtime": RuntimeId(name), "created_at": at, "updated_at": at,
    }  # fmt: skip
    return User(**{**given, **changes})


def an_admin(tenant: TenantId = ACME, *scopes: str) -> Principal:
    """An admin who asks."""
    user = a_user("root", tenant, roles=frozenset({Role.ADMIN, Role.USER}), scopes=scopes)
    return principal_of(user, fingerprint="f", credential="token:t")


def context_of(
    database: Database, audit: SqlAudit, store: SqlControl, clock: Clock, threads: Executor
) -> ControlContext:
    """What a request reaches of a control store, its statements on the record of `database`."""
    return ControlContext(
        principals=SqlPrincipals(database, threads), tokens=SqlTokens(database, threads),
        sessions=SqlSessions(database, threads), audit=audit, planes=store, clock=clock, pepper=PEPPER,
        profiles=SqlSharedProfiles(database, threads), sealer=AesSealer(lambda: ring_of(RING)),
        signer=MarkSigner(b"a key of a test"), notary=Ed25519Notary(bytes(range(32))),
    )  # fmt: skip


@asynccontextmanager
async def a_control(database: str, folder: Path) -> AsyncIterator[Control]:
    """A fresh control store."""
    pools, clock = Pools(), FakeClock()
    if database == "sqlite":
        store = await open_sqlite_control(folder / "control.db", pools.readers)
    else:
        schema = f"control {new_id()}"
        store = await open_postgres_control(shared_engine(), pools.readers, schema)
    counting = CountingDatabase(store.database)
    audit = SqlAudit(store.database, pools.readers)
    context = context_of(counting, audit, store, clock, pools.readers)
    try:
        yield Control(context, counting, clock, store)
    finally:
        await audit.close()
        await store.close()
        pools.close()
