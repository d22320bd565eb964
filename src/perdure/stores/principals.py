"""What is kept of users and of the runtimes that are theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from perdure.identity.tokens import Rotation, Token
from perdure.identity.users import User, UserChange
from perdure.ids import RuntimeId, TenantId, UserId


class RuntimeState(StrEnum):
    """Whether somebody has a runtime."""

    ASSIGNED = "assigned"
    RETAINED = "retained"
    PURGING = "purging"


class Reason(StrEnum):
    """Why nobody has it."""

    DELETED_USER = "deleted-user"
    REASSIGNED = "runtime-reassigned"
    TRANSFERRED = "runtime-transferred"
    PURGING = "purging"


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """A runtime's id, and whose it is, or was and will be again when they come back."""

    tenant: TenantId
    runtime: RuntimeId
    owner: UserId
    state: RuntimeState
    reason: Reason | None
    created_at: str
    updated_at: str


class PrincipalStore(Protocol):
    """Users and runtimes. Every method is one transaction; a user and their runtime change together."""

    async def user(self, tenant: TenantId, user: UserId) -> User:
        """The user. Raises `UserNotFound`."""
        ...

    async def users(self, tenant: TenantId, *, after: UserId | None, limit: int) -> Sequence[User]:
        """Users of a tenant ordered by their ids, in pages: those that come after one."""
        ...

    async def create(self, user: User, token: Token) -> None:
        """Make a user, with a first token and a runtime: a new one, or the one that is kept for them.

        Raises `UserExists`, and `RuntimeTaken` where another has the runtime or it is kept for another.
        """
        ...

    async def change(
        self, tenant: TenantId, user: UserId, change: UserChange, *, at: str, rotation: Rotation | None = None,
    ) -> User:  # fmt: skip
        """Change a user; the runtime that they leave stays kept for them, and their sessions end where they must.

        With a `rotation`, their tokens change in the same commit.
        Raises `UserNotFound`, `RuntimeTaken`, and `LastAdmin` where the tenant would have none left.
        """
        ...

    async def delete(
        self, tenant: TenantId, user: UserId, *, at: str, last_too: bool = False
    ) -> User:
        """Delete a user with their tokens, end their sessions, keep their runtime for them; the user as they were.

        Raises `UserNotFound`, and `LastAdmin` unless the last one may go too.
        """
        ...

    async def runtime(self, tenant: TenantId, runtime: RuntimeId) -> RuntimeEntry:
        """The entry of a runtime in any state. Raises `RuntimeNotFound`."""
        ...

    async def anybody(self) -> bool:
        """Whether there is any user, of any tenant."""
        ...

    async def kept_runtimes(
        self, tenant: TenantId, *, after: RuntimeId | None, limit: int
    ) -> Sequence[RuntimeEntry]:
        """Runtimes of a tenant that nobody has, ordered by their ids, in pages."""
        ...

    async def kept_for(self, tenant: TenantId, user: UserId) -> Sequence[RuntimeEntry]:
        """Runtimes that are retained for a user, the latest first."""
        ...

    async def is_served(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Whether the runtime is that of a user who is enabled."""
        ...

    async def transfer(self, tenant: TenantId, runtime: RuntimeId, to: UserId, *, at: str) -> User:
        """Give a retained runtime to a user, and keep for them the one that they had; the user as they were.

        Their sessions end. Raises `RuntimeNotFound` where none is retained, `UserNotFound`.
        """
        ...

    async def mark_purging(self, tenant: TenantId, runtime: RuntimeId, *, at: str) -> RuntimeEntry:
        """Mark a runtime that nobody has, so that nobody gets it any more. Twice is as good as once.

        Raises `RuntimeNotFound`, and `Conflict` where somebody has it.
        """
        ...

    async def purging(self, *, limit: int) -> Sequence[RuntimeEntry]:
        """Runtimes of all tenants whose purge has begun and not ended, ordered by their ids."""
        ...

    async def release(self, tenant: TenantId, runtime: RuntimeId) -> bool:
        """Forget a runtime that is being purged, whose data are gone; whether it was there."""
        ...
