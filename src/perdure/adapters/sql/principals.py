"""`PrincipalStore` in SQL: a user, their runtime and their credentials change in one transaction."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from sqlalchemy import bindparam, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite has the same words

from perdure.adapters.sql import runtimes
from perdure.adapters.sql.control_tables import tokens, users
from perdure.adapters.sql.dialect import Database, Session, Write
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tokens import ADD_TOKEN, put_in_place, row_of_token
from perdure.adapters.sql.transactions import Transactions
from perdure.adapters.sql.users import (
    THIS_USER,
    USER_COLUMNS,
    end_sessions,
    locked_user,
    user_of,
    values_of,
)
from perdure.errors import LastAdmin, UserExists, UserNotFound
from perdure.identity.tokens import Rotation, Token
from perdure.identity.users import User, UserChange
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.stores.principals import Reason, RuntimeEntry

ADMINS: Final = '%"admin"%'  # roles that hold this one
_CREATE: Final = Sql(
    upsert(users)
    .values({column.name: bindparam(column.name) for column in users.c})
    .on_conflict_do_nothing()
)
_GET: Final = Sql(select(*USER_COLUMNS).where(*THIS_USER))
_ANY: Final = Sql(select(users.c.user_id).limit(literal_column("1")))
_OF_TENANT: Final = Sql(
    select(*USER_COLUMNS)
    .where(users.c.tenant == bindparam("_tenant"), users.c.user_id > bindparam("after_user"))
    .order_by(users.c.user_id)
    .limit(bindparam("_limit"))
)
_OTHER_ADMINS: Final = Sql(
    select(users.c.user_id)
    .where(
        users.c.tenant == bindparam("_tenant"),
        users.c.user_id != bindparam("_user"),
        users.c.enabled == literal_column("1"),
        users.c.roles.like(bindparam("admins")),
    )
    .order_by(users.c.user_id)
    .limit(literal_column("1"))
    .with_for_update()
)
_CHANGE: Final = Sql(
    update(users)
    .where(*THIS_USER)
    .values(
        {
            name: bindparam(name)
            for name in ("email", "roles", "scopes", "enabled", "runtime", "updated_at")
        }
    )
)
_DELETE: Final = Sql(delete(users).where(*THIS_USER))
_DELETE_TOKENS: Final = Sql(
    delete(tokens).where(
        tokens.c.tenant == bindparam("_tenant"), tokens.c.user_id == bindparam("_user")
    )
)


class SqlPrincipals:
    """The users and runtimes of one installation, in its control store."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`, which is the control store's; wait for the disk on `threads`."""
        self._transactions = Transactions(database, threads)

    async def user(self, tenant: TenantId, user: UserId) -> User:
        """The user."""
        row = await self._transactions.read(
            lambda session: session.first(_GET, _tenant=tenant, _user=user)
        )
        if row is None:
            raise UserNotFound
        return user_of(row)

    async def users(self, tenant: TenantId, *, after: UserId | None, limit: int) -> Sequence[User]:
        """Users of a tenant, in pages."""
        rows = await self._transactions.read(
            lambda session: session.all(
                _OF_TENANT, _tenant=tenant, after_user=after or "", _limit=limit
            )
        )
        return [user_of(row) for row in rows]

    async def anybody(self) -> bool:
        """Whether there is any user, of any tenant."""
        return await self._transactions.read(lambda session: session.first(_ANY)) is not None

    async def create(self, user: User, token: Token) -> None:
        """Make a user, with a first token and a runtime."""

        def work(session: Session) -> None:
            if not session.run(_CREATE, **values_of(user)):
                raise UserExists
            runtimes.claim(session, user.tenant, user.runtime, user.id, user.created_at)
            session.write([Write(ADD_TOKEN, [row_of_token(token)])])

        await self._transactions.write(work)

    async def change(
        self, tenant: TenantId, user: UserId, change: UserChange, *, at: str, rotation: Rotation | None = None,
    ) -> User:  # fmt: skip
        """Change a user; the user as they are then."""

        def work(session: Session) -> User:
            before = locked_user(session, tenant, user)
            after = changed(before, change, at)
            if not (after.admin and after.enabled):
                _leave_an_admin(session, before)
            if after.runtime != before.runtime:
                runtimes.claim(session, tenant, after.runtime, user, at)
                runtimes.retain(session, (tenant, before.runtime, user), Reason.REASSIGNED, at)
            session.run(_CHANGE, _tenant=tenant, _user=user, **_changing(after))
            if change.ends_sessions:
                end_sessions(session, tenant, user, at)
            if rotation is not None:
                put_in_place(session, rotation)
            return after

        return await self._transactions.write(work)

    async def delete(
        self, tenant: TenantId, user: UserId, *, at: str, last_too: bool = False
    ) -> User:
        """Delete a user with what lets them in, and keep their runtime for them."""

        def work(session: Session) -> User:
            before = locked_user(session, tenant, user)
            if not last_too:
                _leave_an_admin(session, before)
            session.run(_DELETE, _tenant=tenant, _user=user)
            session.run(_DELETE_TOKENS, _tenant=tenant, _user=user)
            end_sessions(session, tenant, user, at)
            runtimes.retain(session, (tenant, before.runtime, user), Reason.DELETED_USER, at)
            return before

        return await self._transactions.write(work)

    async def runtime(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeEntry:
        """The entry of a runtime in any state."""
        return await self._transactions.read(lambda session: runtimes.get(session, tenant, runtime))

    async def kept_runtimes(
        self, tenant: TenantId, *, after: RuntimeId | None, limit: int
    ) -> Sequence[RuntimeEntry]:
        """Runtimes of a tenant that nobody has, in pages."""
        rows = await self._transactions.read(
            lambda session: session.all(
                runtimes.KEPT, _tenant=tenant, after_runtime=after or "", _limit=limit
            )
        )
        return [runtimes.entry_of(row) for row in rows]

    async def kept_for(self, tenant: TenantId, user: UserId) -> Sequence[RuntimeEntry]:
        """Runtimes that are retained for a user, the latest first."""
        rows = await self._transactions.read(
            lambda session: session.all(runtimes.KEPT_FOR, _tenant=tenant, _user=user)
        )
        return [runtimes.entry_of(row) for row in rows]

    async def is_served(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether the runtime is that of a user who is enabled."""
        row = await self._transactions.read(
            lambda session: session.first(runtimes.IS_SERVED, _tenant=tenant, _runtime=runtime)
        )
        return row is not None

    async def transfer(self, tenant: TenantId, runtime: RuntimeId, to: UserId, *, at: str) -> User:
        """Give a retained runtime to a user, and keep for them the one that they had; the user as they were."""

        def work(session: Session) -> User:
            before = locked_user(session, tenant, to)
            runtimes.give(session, tenant, runtime, to, at)
            runtimes.retain(session, (tenant, before.runtime, to), Reason.TRANSFERRED, at)
            after = replace(before, runtime=runtime, updated_at=at)
            session.run(_CHANGE, _tenant=tenant, _user=to, **_changing(after))
            end_sessions(session, tenant, to, at)
            return before

        return await self._transactions.write(work)

    async def mark_purging(self, tenant: TenantId, runtime: RuntimeId, *, at: str) -> RuntimeEntry:
        """Mark a runtime that nobody has, so that nobody gets it any more."""
        return await self._transactions.write(
            lambda session: runtimes.mark_purging(session, tenant, runtime, at)
        )

    async def purging(self, *, limit: int) -> Sequence[RuntimeEntry]:
        """Runtimes of all tenants whose purge has begun and not ended."""
        rows = await self._transactions.read(
            lambda session: session.all(runtimes.BEING_PURGED, _limit=limit)
        )
        return [runtimes.entry_of(row) for row in rows]

    async def release(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Forget a runtime that is being purged; whether it was there."""
        gone = await self._transactions.write(
            lambda session: session.run(runtimes.RELEASE, _tenant=tenant, _runtime=runtime)
        )
        return gone > 0


def changed(user: User, change: UserChange, at: str) -> User:
    """The user as the change makes them."""
    given = {
        name: value
        for name in ("email", "roles", "scopes", "enabled", "runtime")
        if (value := getattr(change, name)) is not None
    }
    return replace(user, **given, updated_at=at)


def _changing(user: User) -> dict[str, object]:
    """What a change writes of a user: all but what they are found by."""
    fixed = ("tenant", "user_id", "likeness", "created_at")
    return {name: value for name, value in values_of(user).items() if name not in fixed}


def _leave_an_admin(session: Session, leaving: User) -> None:
    """Raises `LastAdmin` where a tenant's admins would all be gone."""
    if leaving.admin and leaving.enabled:
        other = session.first(
            _OTHER_ADMINS, _tenant=leaving.tenant, _user=leaving.id, admins=ADMINS
        )
        if other is None:
            raise LastAdmin
