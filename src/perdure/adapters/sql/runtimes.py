"""The rows of runtimes: whose each is, and for whom one is kept that nobody has."""

from typing import Final

from sqlalchemy import bindparam, delete, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert  # SQLite has the same words

from perdure.adapters.sql.control_tables import runtimes, users
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.statements import Row, Sql
from perdure.errors import Conflict, RuntimeNotFound, RuntimeTaken
from perdure.identity.names import likeness_of
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.stores.principals import Reason, RuntimeEntry, RuntimeState

_NAMES: Final = (
    "tenant", "runtime", "owner_user", "state", "reason", "created_at", "updated_at",
)  # fmt: skip
_COLUMNS: Final = tuple(runtimes.c[name] for name in _NAMES)
_THIS: Final = (
    runtimes.c.tenant == bindparam("_tenant"),
    runtimes.c.runtime == bindparam("_runtime"),
)
_ASSIGNED: Final = runtimes.c.state == literal_column("'assigned'")
_RETAINED: Final = runtimes.c.state == literal_column("'retained'")
_PURGING: Final = runtimes.c.state == literal_column("'purging'")

GET: Final = Sql(select(*_COLUMNS).where(*_THIS))
KEPT: Final = Sql(
    select(*_COLUMNS)
    .where(
        runtimes.c.tenant == bindparam("_tenant"),
        _RETAINED | _PURGING,
        runtimes.c.runtime > bindparam("after_runtime"),
    )
    .order_by(runtimes.c.runtime)
    .limit(bindparam("_limit"))
)
KEPT_FOR: Final = Sql(
    select(*_COLUMNS)
    .where(
        runtimes.c.tenant == bindparam("_tenant"),
        runtimes.c.owner_user == bindparam("_user"),
        _RETAINED,
    )
    .order_by(runtimes.c.updated_at.desc(), runtimes.c.runtime)
)
BEING_PURGED: Final = Sql(
    select(*_COLUMNS)
    .where(_PURGING)
    .order_by(runtimes.c.tenant, runtimes.c.runtime)
    .limit(bindparam("_limit"))
)
IS_SERVED: Final = Sql(
    select(literal_column("1"))
    .select_from(runtimes)
    .join(users, (users.c.tenant == runtimes.c.tenant) & (users.c.user_id == runtimes.c.owner_user))
    .where(*_THIS, _ASSIGNED, users.c.enabled == literal_column("1"))
)
RELEASE: Final = Sql(delete(runtimes).where(*_THIS, _PURGING))
_BEGIN: Final = Sql(
    upsert(runtimes)
    .values(
        {
            name: bindparam(name)
            for name in ("tenant", "runtime", "likeness", "owner_user", "created_at", "updated_at")
        }
        | {"state": literal_column("'assigned'")}
    )
    .on_conflict_do_nothing()
)
_TAKE_BACK: Final = Sql(
    update(runtimes)
    .where(*_THIS, _RETAINED, runtimes.c.owner_user == bindparam("_user"))
    .values(
        state=literal_column("'assigned'"),
        reason=literal_column("NULL"),
        updated_at=bindparam("at"),
    )
)
_GIVE: Final = Sql(
    update(runtimes)
    .where(*_THIS, _RETAINED)
    .values(
        owner_user=bindparam("owner"),
        state=literal_column("'assigned'"),
        reason=literal_column("NULL"),
        updated_at=bindparam("at"),
    )
)
_RETAIN: Final = Sql(
    update(runtimes)
    .where(*_THIS, _ASSIGNED, runtimes.c.owner_user == bindparam("_user"))
    .values(state=literal_column("'retained'"), reason=bindparam("why"), updated_at=bindparam("at"))
)
_MARK: Final = Sql(
    update(runtimes)
    .where(*_THIS, _RETAINED)
    .values(
        state=literal_column("'purging'"),
        reason=literal_column("'purging'"),
        updated_at=bindparam("at"),
    )
)


def entry_of(row: Row) -> RuntimeEntry:
    """The entry of a row."""
    tenant, runtime, owner, state, reason, created_at, updated_at = row
    return RuntimeEntry(
        TenantId(tenant), RuntimeId(runtime), UserId(owner), RuntimeState(state),
        None if reason is None else Reason(reason), created_at, updated_at,
    )  # fmt: skip


def get(session: Session, tenant: TenantId, runtime: RuntimeId) -> RuntimeEntry:
    """The entry of a runtime. Raises `RuntimeNotFound`."""
    row = session.first(GET, _tenant=tenant, _runtime=runtime)
    if row is None:
        raise RuntimeNotFound
    return entry_of(row)


def claim(
    session: Session, tenant: TenantId, runtime: RuntimeId, owner: UserId, at: str
) -> None:  # fmt: skip
    """Take a new runtime, or the one that is kept for its owner. Raises `RuntimeTaken`."""
    made = session.run(
        _BEGIN, tenant=tenant, runtime=runtime, likeness=likeness_of(runtime), owner_user=owner,
        created_at=at, updated_at=at,
    )  # fmt: skip
    if not made and not session.run(
        _TAKE_BACK, _tenant=tenant, _runtime=runtime, _user=owner, at=at
    ):
        raise RuntimeTaken


def retain(session: Session, entry: tuple[TenantId, RuntimeId, UserId], why: Reason, at: str) -> None:  # fmt: skip
    """Keep a runtime that its owner leaves for them."""
    tenant, runtime, owner = entry
    session.run(_RETAIN, _tenant=tenant, _runtime=runtime, _user=owner, why=why.value, at=at)


def give(session: Session, tenant: TenantId, runtime: RuntimeId, to: UserId, at: str) -> None:
    """Give a retained runtime to a user. Raises `RuntimeNotFound` where none is retained."""
    if not session.run(_GIVE, _tenant=tenant, _runtime=runtime, owner=to, at=at):
        raise RuntimeNotFound


def mark_purging(
    session: Session, tenant: TenantId, runtime: RuntimeId, at: str
) -> RuntimeEntry:  # fmt: skip
    """Mark a runtime that nobody has. Raises `RuntimeNotFound`, `Conflict` where somebody has it."""
    session.run(_MARK, _tenant=tenant, _runtime=runtime, at=at)
    entry = get(session, tenant, runtime)
    if entry.state is RuntimeState.ASSIGNED:
        raise Conflict("The runtime is a user's; delete the user or give them another one first.")
    return entry
