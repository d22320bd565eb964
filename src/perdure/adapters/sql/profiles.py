"""`ProfileStore` in SQL: a plane's own profiles, and in the control store those of the gateway."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, update

from perdure.adapters.sql import control_tables, tables
from perdure.adapters.sql.commit_rows import at_most_once
from perdure.adapters.sql.dialect import Database, Session, Write
from perdure.adapters.sql.encode import dumps, loads
from perdure.adapters.sql.reader import Reader
from perdure.adapters.sql.statements import Row, Rows, Sql
from perdure.adapters.sql.transactions import Transactions
from perdure.adapters.sql.writer import Writer
from perdure.ids import TenantId
from perdure.stores.profiles import Profile
from perdure.stores.sealer import Sealed

T = TypeVar("T")

_NAMES: Final = (
    "id", "body", "origin", "sealed", "key_id", "fingerprint", "created_at", "updated_at",
)  # fmt: skip


class Statements(NamedTuple):
    """What is asked of one table of profiles."""

    get: Sql
    list: Sql
    add: Rows
    replace: Sql
    remove: Sql


def _statements(table: Table, owner: Sequence[str] = ()) -> Statements:
    """The statements over a table, whose rows are those of `owner` alone where it has such columns."""
    columns = [table.c[name] for name in _NAMES]
    own: list[ColumnElement[bool]] = [table.c[name] == bindparam(f"_{name}") for name in owner]
    this = [*own, table.c.id == bindparam("_id")]
    changed: dict[str, Any] = {name: bindparam(name) for name in _NAMES[1:]}
    return Statements(
        Sql(select(*columns).where(*this)),
        Sql(select(*columns).where(*own).order_by(table.c.id)),
        at_most_once(table, (*owner, *_NAMES)),
        Sql(update(table).where(*this, table.c.updated_at == bindparam("_was")).values(changed)),
        Sql(delete(table).where(*this)),
    )


_OF_PLANE: Final = _statements(tables.profiles)
_GET, _LIST, _ADD, _REPLACE, _REMOVE = _OF_PLANE
_OF_GATEWAY: Final = _statements(control_tables.profiles, ["tenant"])
_GET_SHARED, _LIST_SHARED, _ADD_SHARED, _REPLACE_SHARED, _REMOVE_SHARED = _OF_GATEWAY
_TENANTS: Final = Sql(
    select(control_tables.profiles.c.tenant).distinct().order_by(control_tables.profiles.c.tenant)
)

Transaction = Callable[[Callable[[Session], Any]], Awaitable[Any]]


class Ways(NamedTuple):
    """How a store is read and written."""

    read: Transaction
    write: Transaction


class SqlProfiles:
    """The profiles of one owner."""

    def __init__(
        self, ways: Ways, statements: Statements, owner: Mapping[str, str] | None = None
    ) -> None:
        """Keep them by these statements; `owner` is what the rows of this owner have in common."""
        self._ways, self._statements = ways, statements
        self._owner = owner or {}
        self._where = {f"_{name}": value for name, value in self._owner.items()}

    async def get(self, profile_id: str) -> Profile | None:
        """A profile, or `None` where there is none of this id."""
        get = self._statements.get
        row = await self._ways.read(
            lambda session: session.first(get, _id=profile_id, **self._where)
        )
        return None if row is None else _profile(row)

    async def list(self) -> Sequence[Profile]:
        """All of them, by id."""
        every = self._statements.list
        rows = await self._ways.read(lambda session: session.all(every, **self._where))
        return [_profile(row) for row in rows]

    async def add(self, profile: Profile) -> bool:
        """Keep a new profile; `False` where its id is taken."""
        statements, row = self._statements, _row(profile)

        def work(session: Session) -> bool:
            if session.first(statements.get, _id=profile.id, **self._where) is not None:
                return False
            session.write([Write(statements.add, [(*self._owner.values(), *row)])])
            stands = session.first(statements.get, _id=profile.id, **self._where)
            return stands is not None and _profile(stands) == profile

        added: bool = await self._ways.write(work)
        return added

    async def replace(self, profile: Profile, was: Profile) -> bool:
        """Put a profile in the place of what was read; `False` where somebody changed that since."""
        values = dict(zip(_NAMES[1:], _row(profile)[1:], strict=True))
        replace = self._statements.replace

        def work(session: Session) -> bool:
            return session.run(
                replace, _id=profile.id, _was=was.updated_at, **self._where, **values
            ) == 1  # fmt: skip

        replaced: bool = await self._ways.write(work)
        return replaced

    async def remove(self, profile_id: str) -> bool:
        """Forget a profile; whether it was there."""
        remove = self._statements.remove
        removed: bool = await self._ways.write(
            lambda session: session.run(remove, _id=profile_id, **self._where) == 1
        )
        return removed


class SqlSharedProfiles:
    """The profiles of the gateway, in the control store, for each tenant its own."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`, which is the control store's; wait for the disk on `threads`."""
        transactions = Transactions(database, threads)
        self._ways = Ways(transactions.read, transactions.write)

    def of(self, tenant: TenantId) -> SqlProfiles:
        """Those that the users of one tenant may use."""
        return SqlProfiles(self._ways, _OF_GATEWAY, {"tenant": tenant})

    async def tenants(self) -> Sequence[TenantId]:
        """Every tenant that has some."""
        rows = await self._ways.read(lambda session: session.all(_TENANTS))
        return [TenantId(tenant) for (tenant,) in rows]


def profiles_of_plane(reader: Reader, writer: Writer) -> SqlProfiles:
    """A plane's own profiles."""
    return SqlProfiles(Ways(reader.read, writer.work), _OF_PLANE)


def _row(profile: Profile) -> Row:
    body = {
        "display_name": profile.display_name, "description": profile.description,
        "provider_family": profile.provider_family, "base_url": profile.base_url,
        "capabilities": profile.capabilities, "allowed_models": profile.allowed_models,
        "enabled": profile.enabled,
    }  # fmt: skip
    key_id, content = (None, None) if profile.sealed is None else profile.sealed
    return (
        profile.id, dumps(body).decode(), profile.origin, content, key_id, profile.fingerprint,
        profile.created_at, profile.updated_at,
    )  # fmt: skip


def _profile(row: Row) -> Profile:
    id, body, origin, content, key_id, fingerprint, created_at, updated_at = row
    told = loads(body)
    return Profile(
        id=id, display_name=told["display_name"], description=told["description"],
        provider_family=told["provider_family"], base_url=told["base_url"], origin=origin,
        capabilities=tuple(told["capabilities"]), allowed_models=tuple(told["allowed_models"]),
        enabled=told["enabled"], created_at=created_at, updated_at=updated_at,
        sealed=None if content is None else Sealed(key_id, bytes(content)), fingerprint=fingerprint,
    )  # fmt: skip
