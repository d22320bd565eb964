"""What is promised of endpoint profiles: one owner's alone, whole, and changed by whoever saw what they are."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from perdure.ids import TenantId
from perdure.stores.profiles import Profile, ProfileStore, Scope
from perdure.stores.sealer import Sealed
from tests.support.control import a_control
from tests.support.planes import DATABASES, a_store

pytestmark = pytest.mark.anyio

ACME, BETA = TenantId("acme"), TenantId("beta")
SEALED = Sealed("k1", b"\x01\x00\xff")


def a_profile(id: str = "office", **changes: object) -> Profile:
    profile = Profile(
        id=id, display_name="Büro", description="", provider_family="openai-compatible",
        base_url="https://api.example.com/v1", origin="https://api.example.com",
        capabilities=("text",), allowed_models=("m-1", "m-2"), enabled=True,
        created_at="2026-01-01T00:00:00.000000+00:00", updated_at="2026-01-01T00:00:00.000000+00:00",
        sealed=SEALED, fingerprint="f00",
    )  # fmt: skip
    return replace(profile, **changes)  # type: ignore[arg-type]  # names of fields


@pytest.fixture(params=[(database, scope) for database in DATABASES for scope in Scope])
async def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProfileStore]:
    """The store of a plane, and that of the gateway, on each database."""
    database, scope = request.param
    if scope is Scope.USER:
        async with a_store(database, tmp_path) as store:
            yield store.plane.profiles
    else:
        async with a_control(database, tmp_path) as kept:
            yield kept.context.profiles.of(ACME)


async def test_a_profile_comes_back_as_it_was(profiles: ProfileStore) -> None:
    bare = a_profile("bare", sealed=None, fingerprint=None, allowed_models=(), enabled=False)
    assert await profiles.add(a_profile()) and await profiles.add(bare)
    assert await profiles.get("office") == a_profile()
    assert await profiles.get("bare") == bare
    assert await profiles.list() == [bare, a_profile()]
    assert await profiles.get("none") is None


async def test_an_id_is_taken_once(profiles: ProfileStore) -> None:
    assert await profiles.add(a_profile())
    assert not await profiles.add(a_profile(display_name="Another"))
    assert await profiles.list() == [a_profile()]


async def test_a_change_takes_the_place_of_what_was_read_and_of_nothing_else(
    profiles: ProfileStore,
) -> None:
    await profiles.add(a_profile())
    changed = a_profile(updated_at="2026-01-02", origin="https://other.example", sealed=None)
    assert await profiles.replace(changed, a_profile())
    assert await profiles.get("office") == changed
    assert not await profiles.replace(a_profile(updated_at="2026-01-03"), a_profile())
    assert await profiles.get("office") == changed
    assert not await profiles.replace(a_profile("none"), a_profile("none"))


async def test_what_is_removed_is_gone_with_its_key(profiles: ProfileStore) -> None:
    await profiles.add(a_profile())
    assert await profiles.remove("office")
    assert not await profiles.remove("office")
    assert await profiles.list() == []


@pytest.mark.parametrize("database", DATABASES)
async def test_each_tenant_has_its_own_of_the_gateway(database: str, tmp_path: Path) -> None:
    async with a_control(database, tmp_path) as kept:
        shared = kept.context.profiles
        assert await shared.tenants() == []
        await shared.of(ACME).add(a_profile())
        assert await shared.of(BETA).get("office") is None
        assert await shared.of(BETA).list() == []
        assert not await shared.of(BETA).remove("office")
        assert not await shared.of(BETA).replace(a_profile(enabled=False), a_profile())
        assert await shared.of(BETA).add(a_profile(display_name="of beta"))
        assert await shared.of(ACME).list() == [a_profile()]
        assert await shared.tenants() == [ACME, BETA]
