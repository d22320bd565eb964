"""Endpoint profiles: who may make and change them, and what becomes of their keys.

A key and the origin that it was stored for are one record. Whoever changes the origin without
giving the key again has none afterwards, and is told so. Changes are checked whole before anything
is written, and a profile that changes its scope is in its new place before it leaves the old one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, NamedTuple

from perdure.clock import Clock, text_of, time_of
from perdure.errors import Conflict, Forbidden, NotFound, Unfit
from perdure.features.models.providers import KNOWN
from perdure.features.models.settings import base_url_of
from perdure.identity.access import Rule, denied
from perdure.identity.principal import Principal
from perdure.runtimes.endpoints import Endpoints, Held
from perdure.stores.endpoints import EndpointRefused, Use
from perdure.stores.profiles import Profile, Scope
from perdure.stores.sites import Unreadable, address_of

SHARE: Final = "profile:share"
COMPATIBLE: Final = "openai-compatible"
FAMILIES: Final = (COMPATIBLE, *KNOWN)
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
KEY: Final = re.compile(r"[\x21-\x7e]{1,4096}")
PROFILES_MAX: Final = 200  # of one owner
TRIES_MAX: Final = 5  # of a change that others overtake
KEY_CLEARED: Final = (
    "The key was stored for another host and is cleared; give the key for the new one."
)
NOT_FOUND: Final = "Endpoint profile not found"
ADMINS_ONLY: Final = "Admin principal required for gateway-scoped endpoint profiles"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client says of a profile; `None` where it says nothing."""

    display_name: str | None = None
    description: str | None = None
    provider_family: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    clear_api_key: bool = False
    scope: Scope | None = None
    capabilities: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    enabled: bool | None = None


class Changed(NamedTuple):
    """A profile as it is now. `key_cleared`: it had a key, which was stored for another origin."""

    held: Held
    key_cleared: bool = False


class Asking(NamedTuple):
    """Who asks, by which rules, for which profiles."""

    principal: Principal
    rules: Mapping[str, Rule]
    endpoints: Endpoints
    clock: Clock

    @property
    def may_share(self) -> bool:
        """Whether they may change what all users of the gateway have."""
        return denied(SHARE, self.principal, self.rules) is None

    def may_change(self, scope: Scope) -> bool:
        """Whether they may change profiles of a scope."""
        return scope is Scope.USER or self.may_share

    def check(self, scope: Scope) -> None:
        """Let them change profiles of a scope. Raises `Forbidden`."""
        why = None if scope is Scope.USER else denied(SHARE, self.principal, self.rules)
        if why is not None:
            raise Forbidden(
                ADMINS_ONLY, reason_code=why.reason_code, **why.needed, resource_class="profile", action="share"
            )  # fmt: skip

    async def find(self, profile_id: str) -> Held:
        """A profile that they can see. Raises `NotFound`."""
        held = await self.endpoints.find(profile_id)
        if held is None:
            raise NotFound(NOT_FOUND)
        return held


async def create(asking: Asking, profile_id: str, wanted: Wanted) -> Changed:
    """Keep a new profile. Raises `Unfit`, `Forbidden`, and `Conflict` where the id is taken."""
    scope = wanted.scope or Scope.USER
    asking.check(scope)
    if not ID.fullmatch(profile_id):
        raise Unfit("id: 1 to 80 letters, digits, `_`, `.` and `-`, a letter or digit first")
    family = _family(wanted.provider_family or COMPATIBLE)
    base_url, origin = _reached(wanted.base_url, family)
    at = text_of(asking.clock.now())
    bare = Profile(
        id=profile_id, display_name=wanted.display_name or profile_id,
        description=wanted.description or "", provider_family=family, base_url=base_url, origin=origin,
        capabilities=wanted.capabilities or ("text",), allowed_models=wanted.allowed_models or (),
        enabled=wanted.enabled is not False, created_at=at, updated_at=at,
    )  # fmt: skip
    profile = _keyed(asking, bare, scope, _given(wanted) or "")
    store = asking.endpoints.stores.of(scope)
    if len(await store.list()) >= PROFILES_MAX:
        raise Conflict(
            f"there are {PROFILES_MAX} profiles already", reason_code="too_many_profiles"
        )
    if await asking.endpoints.find(profile_id) is not None or not await store.add(profile):
        raise _taken()
    return Changed(Held(profile, scope))


async def change(asking: Asking, profile_id: str, wanted: Wanted) -> Changed:
    """Change what is said and leave the rest. Raises `NotFound`, `Unfit`, `Forbidden`, `Conflict`."""
    for _ in range(TRIES_MAX):
        held = await asking.find(profile_id)
        asking.check(held.scope)
        scope = wanted.scope or held.scope
        asking.check(scope)
        bare = _merged(held.profile, wanted, asking.clock)
        key = await _key_after(
            asking, held, bare, scope, _given(wanted), clear=wanted.clear_api_key
        )
        profile = key if isinstance(key, Profile) else _keyed(asking, bare, scope, key)
        if await _put(asking.endpoints, Held(profile, scope), held):
            lost = held.profile.sealed is not None and profile.sealed is None
            return Changed(Held(profile, scope), lost and not wanted.clear_api_key)
    raise Conflict("the profile was changed by others at the same time", reason_code="overtaken")


async def remove(asking: Asking, profile_id: str) -> Held:
    """Forget a profile and its key. Raises `NotFound`, `Forbidden`."""
    held = await asking.find(profile_id)
    asking.check(held.scope)
    if not await asking.endpoints.stores.of(held.scope).remove(profile_id):
        raise NotFound(NOT_FOUND)
    return held


async def _put(endpoints: Endpoints, new: Held, old: Held) -> bool:
    """Put the new in the place of the old; `False` where somebody changed the old."""
    store = endpoints.stores.of(new.scope)
    if new.scope is old.scope:
        return await store.replace(new.profile, old.profile)
    if not await store.add(new.profile):
        there = await store.get(new.profile.id)
        # The same profile, on its way since a process ended between the two steps; or another one.
        if there is None or there.created_at != old.profile.created_at:
            raise _taken()
        if not await store.replace(new.profile, there):
            return False
    await endpoints.stores.of(old.scope).remove(old.profile.id)
    return True


def _merged(old: Profile, wanted: Wanted, clock: Clock) -> Profile:
    """The profile with what is wanted of it, and without a key."""
    family = (
        old.provider_family if wanted.provider_family is None else _family(wanted.provider_family)
    )
    base_url = wanted.base_url
    if base_url is None and (
        family == old.provider_family or old.base_url != _known(old.provider_family)
    ):
        base_url = old.base_url
    reached, origin = _reached(base_url, family)
    now, after = text_of(clock.now()), text_of(time_of(old.updated_at) + timedelta(microseconds=1))
    return replace(
        old, provider_family=family, base_url=reached, origin=origin, updated_at=max(now, after),
        display_name=wanted.display_name or old.display_name,
        description=old.description if wanted.description is None else wanted.description,
        capabilities=wanted.capabilities or old.capabilities,
        allowed_models=old.allowed_models if wanted.allowed_models is None else wanted.allowed_models,
        enabled=old.enabled if wanted.enabled is None else wanted.enabled, sealed=None, fingerprint=None,
    )  # fmt: skip


async def _key_after(
    asking: Asking, held: Held, bare: Profile, scope: Scope, given: str | None, *, clear: bool
) -> str | Profile:
    """The key that the changed profile is to have; or the profile with the seal that it had."""
    old = held.profile
    if given is not None or clear or old.sealed is None or bare.origin != old.origin:
        return given or ""
    if scope is held.scope:
        return replace(bare, sealed=old.sealed, fingerprint=old.fingerprint)
    try:
        return await asking.endpoints.key_of(held, Use(asking.principal.user, "change of scope"))
    except EndpointRefused as refused:
        raise Conflict(refused.detail, reason_code=refused.code) from refused


def _keyed(asking: Asking, bare: Profile, scope: Scope, api_key: str) -> Profile:
    """The profile with its key sealed for it, or without one where there is none."""
    if not api_key:
        return bare
    place = asking.endpoints.place_of(bare, scope)
    sealer = asking.endpoints.sealer
    return replace(
        bare, sealed=sealer.seal(api_key, place), fingerprint=sealer.fingerprint(api_key, place)
    )


def _given(wanted: Wanted) -> str | None:
    """The key that a client gives; an empty one is none, as forms send it. Raises `Unfit`."""
    api_key = (wanted.api_key or "").strip()
    if not api_key:
        return None
    if wanted.clear_api_key:
        raise Unfit("either api_key or clear_api_key, not both")
    return checked_key(api_key)


def checked_key(api_key: str) -> str:
    """The key, if a header can carry it. Raises `Unfit`, which does not repeat it."""
    if not KEY.fullmatch(api_key):
        raise Unfit("api_key: up to 4096 printable ASCII characters without a space")
    return api_key


def _family(name: str) -> str:
    if name not in FAMILIES:
        raise Unfit(f"provider_family: one of {', '.join(FAMILIES)}")
    return name


def _known(family: str) -> str | None:
    return KNOWN[family].base_url if family in KNOWN else None


def _reached(base_url: str | None, family: str) -> tuple[str, str]:
    """The base URL in its one spelling, and its origin. Raises `Unfit`."""
    address = (base_url or "").strip() or _known(family)
    if address is None:
        raise Unfit(f"base_url: the family {family} has no address of its own; give one")
    try:
        plain = base_url_of(address)
        return plain, address_of(plain)[0].origin
    except Unreadable as error:
        raise Unfit(f"base_url: {error}") from None


def _taken() -> Conflict:
    return Conflict("an endpoint profile of this id is there already", reason_code="profile_exists")


# --- asking a provider for its models --------------------------------------------------------------


class Draft(NamedTuple):
    """What to ask for models: where, and with which key. `name` is how the answer calls it."""

    name: str
    base_url: str
    api_key: str
    notice: str | None = None

    def __repr__(self) -> str:
        """Without the key."""
        return f"Draft({self.name!r}, {self.base_url!r})"


async def draft_of(asking: Asking, profile_id: str | None, wanted: Wanted) -> Draft:
    """What a draft asks, or a saved profile, or a draft of changes to one.

    A stored key goes to the very URL that it was stored with, and to no other; nor does it where
    the profile is off. Raises `NotFound`, `Unfit`.
    """
    held = None if not profile_id else await asking.find(profile_id)
    family = wanted.provider_family or (held.profile.provider_family if held else COMPATIBLE)
    address = wanted.base_url or (
        held.profile.base_url if held and not wanted.provider_family else None
    )
    base_url, _ = _reached(address, _family(family))
    name = family if held is None else held.name
    given = _given(wanted)
    if given is not None or held is None or held.profile.sealed is None:
        return Draft(name, base_url, given or "")
    if base_url != held.profile.base_url:
        return Draft(name, base_url, "", "the stored key is told to the URL that it was stored with alone; give it again")  # fmt: skip
    try:
        use = Use(asking.principal.user, "model discovery")
        return Draft(name, base_url, await asking.endpoints.key_of(held, use))
    except EndpointRefused as refused:
        return Draft(name, base_url, "", refused.detail)
