"""The endpoint profiles that one runtime may use: its own, and those of the gateway for its tenant."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from perdure.clock import Clock, text_of
from perdure.identity.audit import Entry
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.control import ControlContext
from perdure.stores.endpoints import PREFIX, Endpoint, EndpointRefused, Use, not_found
from perdure.stores.plane import Plane
from perdure.stores.profiles import Profile, ProfileStore, Scope
from perdure.stores.sealer import Place, SealBroken, Sealer
from perdure.stores.sites import Unreadable, address_of

SECRET_USED: Final = "secret:use"

Record = Callable[[Entry], Awaitable[object]]
"""Puts an entry on the record; returns after it is on disk."""


class Held(NamedTuple):
    """A profile, and whose it is."""

    profile: Profile
    scope: Scope

    @property
    def name(self) -> str:
        """What flows call it."""
        return f"{PREFIX}{self.profile.id}"


class Stores(NamedTuple):
    """Where the profiles are: the runtime's own, and the gateway's for its tenant."""

    own: ProfileStore
    shared: ProfileStore

    def of(self, scope: Scope) -> ProfileStore:
        """The store of a scope."""
        return self.own if scope is Scope.USER else self.shared


class Endpoints:
    """The profiles of one runtime, and their keys as long as somebody uses them."""

    def __init__(
        self, tenant: TenantId, runtime: RuntimeId, stores: Stores, sealer: Sealer, record: Record,
        clock: Clock,
    ) -> None:  # fmt: skip
        """Keep profiles in `stores`, their keys closed by `sealer`; each use goes to `record` first."""
        self._tenant, self._runtime = tenant, runtime
        self.stores: Final = stores
        self.sealer: Final = sealer
        self._record, self._clock = record, clock

    async def find(self, profile_id: str) -> Held | None:
        """The profile that this id means here: the runtime's own, else the gateway's."""
        for scope in (Scope.USER, Scope.GATEWAY):
            profile = await self.stores.of(scope).get(profile_id)
            if profile is not None:
                return Held(profile, scope)
        return None

    async def list(self) -> list[Held]:
        """Every profile that can be meant here, by id."""
        found = {it.id: Held(it, Scope.GATEWAY) for it in await self.stores.shared.list()}
        found |= {it.id: Held(it, Scope.USER) for it in await self.stores.own.list()}
        return [found[name] for name in sorted(found)]

    async def open(self, profile_id: str, use: Use) -> Endpoint:
        """The profile with its key, the use of which is on the record first. Raises `EndpointRefused`."""
        held = await self.find(profile_id)
        if held is None:
            raise not_found(profile_id)
        if not held.profile.enabled:
            raise EndpointRefused("endpoint_disabled", f"the endpoint profile {held.name} is off")
        api_key = await self.key_of(held, use)
        profile = held.profile
        return Endpoint(
            held.name, profile.provider_family, profile.base_url, profile.allowed_models, api_key
        )

    async def key_of(self, held: Held, use: Use) -> str:
        """The key of a profile, or the empty text where it has none. Raises `EndpointRefused`."""
        profile = held.profile
        if profile.sealed is None:
            return ""
        try:
            if address_of(profile.base_url)[0].origin != profile.origin:
                raise SealBroken("the profile leads elsewhere than its key was stored for")
            api_key = self.sealer.open(profile.sealed, self.place_of(profile, held.scope))
        except (SealBroken, Unreadable) as broken:
            raise EndpointRefused(
                "endpoint_key_unreadable", f"the key of {held.name} cannot be opened: {broken}"
            ) from None
        await self._record(self._entry(held, use))
        return api_key

    def place_of(self, profile: Profile, scope: Scope) -> Place:
        """Where the key of a profile belongs."""
        runtime = self._runtime if scope is Scope.USER else ""
        return Place(self._tenant, runtime, profile.id, profile.origin)

    def _entry(self, held: Held, use: Use) -> Entry:
        told = {
            "purpose": use.purpose, "run_id": use.run_id, "effect": use.key, "scope": held.scope.value,
            "origin": held.profile.origin, "fingerprint": held.profile.fingerprint,
        }  # fmt: skip
        return Entry(
            self._tenant, use.actor, SECRET_USED, "secret", at=text_of(self._clock.now()),
            target=held.name, facts={name: value for name, value in told.items() if value},
        )  # fmt: skip


def endpoints_of(
    control: ControlContext, tenant: TenantId, runtime: RuntimeId, plane: Plane
) -> Endpoints:
    """The profiles of one runtime; the use of their keys is kept in its plane, on its way to the chain."""
    stores = Stores(plane.profiles, control.profiles.of(tenant))
    return Endpoints(tenant, runtime, stores, control.sealer, plane.audit.add, control.clock)
