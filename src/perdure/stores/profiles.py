"""Endpoint profiles: the ways to reach a provider that a user, or the gateway for its users, has stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from perdure.ids import TenantId
from perdure.stores.sealer import Sealed


class Scope(StrEnum):
    """Whose a profile is."""

    USER = "user"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Profile:
    """A stored way to reach a provider. Its key, where it has one, is sealed for its id and origin.

    `base_url` is plain and in its one spelling, and `origin` is where it leads: key and origin are
    one record.
    """

    id: str
    display_name: str
    description: str
    provider_family: str
    base_url: str
    origin: str
    capabilities: tuple[str, ...]
    allowed_models: tuple[str, ...]
    enabled: bool
    created_at: str
    updated_at: str
    sealed: Sealed | None = field(default=None, repr=False)
    fingerprint: str | None = None


class ProfileStore(Protocol):
    """The profiles of one owner. Every method is one transaction."""

    async def get(self, profile_id: str) -> Profile | None:
        """A profile, or `None` where there is none of this id."""
        ...

    async def list(self) -> Sequence[Profile]:
        """All of them, by id."""
        ...

    async def add(self, profile: Profile) -> bool:
        """Keep a new profile; `False` where its id is taken."""
        ...

    async def replace(self, profile: Profile, was: Profile) -> bool:
        """Put a profile in the place of what was read; `False` where somebody changed that since."""
        ...

    async def remove(self, profile_id: str) -> bool:
        """Forget a profile, and its key with it; whether it was there."""
        ...


class SharedProfiles(Protocol):
    """The profiles of the gateway, for each tenant its own."""

    def of(self, tenant: TenantId) -> ProfileStore:
        """Those that the users of one tenant may use."""
        ...

    async def tenants(self) -> Sequence[TenantId]:
        """Every tenant that has some."""
        ...
