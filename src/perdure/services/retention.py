"""Runtimes that nobody has: shown, handed on and purged by an admin who names exactly which."""

from collections.abc import Sequence
from typing import NamedTuple

from perdure.errors import Invalid
from perdure.identity.users import User
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.runtimes.control import ControlContext
from perdure.runtimes.retention import Retention
from perdure.stores.principals import RuntimeEntry


class KeptRuntime(NamedTuple):
    """A runtime that nobody has, and whether data of it are left, and where their files lie."""

    entry: RuntimeEntry
    data_exist: bool
    place: str


async def kept_runtimes(
    control: ControlContext, retention: Retention, tenant: TenantId, *, after: RuntimeId | None, limit: int
) -> Sequence[KeptRuntime]:  # fmt: skip
    """Runtimes of a tenant that nobody has, by their ids, those that come after one."""
    entries = await control.principals.kept_runtimes(tenant, after=after, limit=limit)
    return [await _shown(retention, entry) for entry in entries]


async def transfer(
    control: ControlContext, retention: Retention, tenant: TenantId, runtime: RuntimeId, to: UserId
) -> tuple[User, KeptRuntime]:
    """Give a retained runtime to a user; the user as they are now, and the runtime that they left.

    Raises `RuntimeNotFound`, `UserNotFound`.
    """
    before = await retention.transfer(tenant, runtime, to)
    left = await control.principals.runtime(tenant, before.runtime)
    return await control.principals.user(tenant, to), await _shown(retention, left)


async def purge(
    control: ControlContext, retention: Retention, tenant: TenantId, runtime: RuntimeId
) -> KeptRuntime:
    """Take a runtime away with all its data; what it was. Raises `RuntimeNotFound`, `Conflict`, `StoreFailed`."""
    entry = await control.principals.runtime(tenant, runtime)
    shown = await _shown(retention, entry)
    await retention.purge(tenant, runtime)
    return shown


def check_confirmed(runtime: RuntimeId, confirmed: str) -> None:
    """Raises `Invalid` unless the id was repeated exactly: no likeness counts."""
    if confirmed != runtime:
        raise Invalid("confirm_runtime_id is the id of the runtime, letter for letter.")


def check_whole(delete_data: bool) -> None:
    """Raises `Invalid` for a purge that would leave data under a free id."""
    if not delete_data:
        raise Invalid("A runtime is purged with its data, or kept.")


async def _shown(retention: Retention, entry: RuntimeEntry) -> KeptRuntime:
    left = await retention.remains.exist(entry.tenant, entry.runtime)
    return KeptRuntime(entry, left, retention.remains.place(entry.tenant, entry.runtime))
