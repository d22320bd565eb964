"""Users: who they are, and the principal that each becomes when they ask."""

from dataclasses import dataclass, fields
from typing import Final

from perdure.identity.principal import Principal, Role
from perdure.ids import RuntimeId, TenantId, UserId

SOURCE: Final = "user-registry"
LOCAL: Final = TenantId("local")  # of the principal that an installation's own token is
OVER_ALL: Final = "tenants:*"  # the scope of an admin whose word goes in every tenant


@dataclass(frozen=True, slots=True)
class User:
    """A user: who they are, what they may do, which runtime is theirs."""

    tenant: TenantId
    id: UserId
    email: str
    roles: frozenset[Role]
    scopes: tuple[str, ...]
    enabled: bool
    runtime: RuntimeId
    created_at: str
    updated_at: str

    @property
    def admin(self) -> bool:
        """Whether the user is an admin of their tenant."""
        return Role.ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to be changed of a user; `None` stays as it is."""

    email: str | None = None
    roles: frozenset[Role] | None = None
    scopes: tuple[str, ...] | None = None
    enabled: bool | None = None
    runtime: RuntimeId | None = None

    @property
    def names(self) -> list[str]:
        """What is to be changed."""
        return [it.name for it in fields(self) if getattr(self, it.name) is not None]

    @property
    def ends_sessions(self) -> bool:
        """Whether their browser sessions were opened for somebody who they no longer are."""
        return any(it is not None for it in (self.roles, self.scopes, self.enabled, self.runtime))


def principal_of(user: User, *, fingerprint: str, credential: str) -> Principal:
    """Who asks, when this user shows this credential."""
    return Principal(
        tenant=user.tenant,
        user=user.id,
        roles=user.roles,
        runtime=user.runtime,
        runtime_tenant=user.tenant,
        source=SOURCE,
        fingerprint=fingerprint,
        scopes=user.scopes,
        credential=credential,
    )


def is_over(principal: Principal, tenant: TenantId) -> bool:
    """Whether an admin's word goes in a tenant: in their own, or in all where they have that scope."""
    return principal.admin and (principal.tenant == tenant or is_over_all(principal))


def is_over_all(principal: Principal) -> bool:
    """Whether an admin's word goes in every tenant: the installation's own, and whoever has that scope."""
    return principal.admin and (principal.tenant == LOCAL or OVER_ALL in principal.scopes)
