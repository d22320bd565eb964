"""A user as a row, and the one row that is locked before anything of a user changes."""

from typing import Final

import orjson
from sqlalchemy import bindparam, select, update

from perdure.adapters.sql.control_tables import sessions, users
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Row, Sql
from perdure.errors import UserNotFound
from perdure.identity.names import likeness_of
from perdure.identity.principal import Role
from perdure.identity.users import User
from perdure.ids import RuntimeId, TenantId, UserId

_NAMES: Final = (
    "tenant", "user_id", "email", "roles", "scopes", "enabled", "runtime", "created_at", "updated_at",
)  # fmt: skip
USER_COLUMNS: Final = tuple(users.c[name] for name in _NAMES)
THIS_USER: Final = (
    users.c.tenant == bindparam("_tenant"),
    users.c.user_id == bindparam("_user"),
)
_LOCK: Final = Sql(select(*USER_COLUMNS).where(*THIS_USER).with_for_update())
_END_SESSIONS: Final = Sql(
    update(sessions)
    .where(
        sessions.c.tenant == bindparam("_tenant"),
        sessions.c.user_id == bindparam("_user"),
        sessions.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("at"))
)


def user_of(row: Row) -> User:
    """The user of a row."""
    tenant, user, email, roles, scopes, enabled, runtime, created_at, updated_at = row
    return User(
        TenantId(tenant), UserId(user), email, frozenset(Role(it) for it in orjson.loads(roles)),
        tuple(orjson.loads(scopes)), bool(enabled), RuntimeId(runtime), created_at, updated_at,
    )  # fmt: skip


def values_of(user: User) -> dict[str, object]:
    """The row of a user."""
    return {
        "tenant": user.tenant, "user_id": user.id, "likeness": likeness_of(user.id), "email": user.email,
        "roles": orjson.dumps(sorted(user.roles)).decode(),
        "scopes": orjson.dumps(list(user.scopes)).decode(), "enabled": int(user.enabled),
        "runtime": user.runtime, "created_at": user.created_at, "updated_at": user.updated_at,
    }  # fmt: skip


def locked_user(session: Session, tenant: TenantId, user: UserId) -> User:
    """The user, whom nobody else changes before this transaction ends. Raises `UserNotFound`."""
    row = session.first(_LOCK, _tenant=tenant, _user=user)
    if row is None:
        raise UserNotFound
    return user_of(row)


def end_sessions(session: Session, tenant: TenantId, user: UserId, at: str) -> int:
    """End all browser sessions of a user; how many there were."""
    return session.run(_END_SESSIONS, _tenant=tenant, _user=user, at=at)
