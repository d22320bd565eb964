"""Who asks: a principal, as its credential resolved to it."""

from dataclasses import dataclass
from enum import StrEnum

from perdure.ids import RuntimeId, TenantId, UserId


class Role(StrEnum):
    """What a principal is, for the rules of `access`."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """One who asks. Made by the server from a credential; nothing that a client sends changes it.

    `credential` names what was shown (`token:<id>`, `session:<handle>` or `legacy`), so that a
    stream ends when that one does.
    """

    tenant: TenantId
    user: UserId
    roles: frozenset[Role]
    runtime: RuntimeId
    runtime_tenant: TenantId
    source: str
    fingerprint: str
    scopes: tuple[str, ...] = ()
    credential: str = ""

    @property
    def admin(self) -> bool:
        """Whether the principal is an admin."""
        return Role.ADMIN in self.roles
