"""A runtime opens its own profiles and those of its tenant's gateway, on the record, and nobody else's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from perdure.identity.audit import Entry
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.endpoints import Endpoints, Stores, endpoints_of
from perdure.stores.endpoints import EndpointRefused, Use
from perdure.stores.profiles import Scope
from tests.stores.test_profiles import a_profile
from tests.support.control import ACME, BETA, Control, a_control
from tests.support.planes import DATABASES, a_store

pytestmark = pytest.mark.anyio

KEY = "sk-secret-0123456789"
USE = Use("alice", "llm_call", "run-1", "run-1:1:0")


@dataclass
class House:
    """Two runtimes of one tenant, one of another, and what was put on the record."""

    kept: Control
    alice: Endpoints
    bob: Endpoints
    stranger: Endpoints
    record: list[Entry]


@pytest.fixture(params=DATABASES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Three planes over one control store."""
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(a_control(request.param, tmp_path))
        record: list[Entry] = []

        async def note(entry: Entry) -> None:
            record.append(entry)

        async def opened(tenant: TenantId, name: str) -> Endpoints:
            folder = tmp_path / tenant / name
            store = await stack.enter_async_context(a_store(request.param, folder))
            context = kept.context
            stores = Stores(store.plane.profiles, context.profiles.of(tenant))
            return Endpoints(tenant, RuntimeId(name), stores, context.sealer, note, kept.clock)

        alice, bob = await opened(ACME, "alice"), await opened(ACME, "bob")
        yield House(kept, alice, bob, await opened(BETA, "alice"), record)


async def put(endpoints: Endpoints, scope: Scope = Scope.USER, **changes: object) -> None:
    """Keep a profile with its key, as its owner would."""
    bare = a_profile(**{"sealed": None, **changes})  # type: ignore[arg-type]  # names of fields
    sealed = endpoints.sealer.seal(KEY, endpoints.place_of(bare, scope))
    assert await endpoints.stores.of(scope).add(replace(bare, sealed=sealed))


async def refusal(endpoints: Endpoints, id: str = "office") -> EndpointRefused:
    with pytest.raises(EndpointRefused) as refused:
        await endpoints.open(id, USE)
    assert KEY not in str(refused.value)
    return refused.value


async def test_promise_53_a_profile_of_another_is_as_one_that_is_not_there(house: House) -> None:
    await put(house.alice)
    missing = str(await refusal(house.bob, "nothing")).replace("nothing", "office")
    for other in (house.bob, house.stranger):
        assert str(await refusal(other)) == missing
        assert await other.list() == [] and await other.find("office") is None
    assert [it.name for it in await house.alice.list()] == ["endpoint:office"]
    assert house.record == []


async def test_promise_53_a_row_that_was_carried_to_another_plane_does_not_open(
    house: House,
) -> None:
    await put(house.alice)
    row = await house.alice.stores.own.get("office")
    assert row is not None
    for other in (house.bob, house.stranger):
        await other.stores.own.add(row)
        assert (await refusal(other)).code == "endpoint_key_unreadable"
    await house.bob.stores.shared.add(replace(row, id="shared"))
    assert (await refusal(house.alice, "shared")).code == "endpoint_key_unreadable"


async def test_promise_104_a_key_is_opened_for_its_owner_s_call_and_on_the_record_first(
    house: House,
) -> None:
    await put(house.alice)
    endpoint = await house.alice.open("office", USE)
    assert (endpoint.api_key, endpoint.base_url) == (KEY, "https://api.example.com/v1")
    (entry,) = house.record
    assert (entry.action, entry.actor, entry.target) == ("secret:use", "alice", "endpoint:office")
    assert (entry.tenant, entry.facts["run_id"]) == (ACME, "run-1")
    assert entry.facts["origin"] == "https://api.example.com" and KEY not in str(entry)


async def test_what_cannot_be_put_on_the_record_is_not_opened(house: House) -> None:
    async def full(_entry: Entry) -> None:
        raise OSError("the disk is full")

    await put(house.alice)
    endpoints = house.alice
    unable = Endpoints(
        ACME, RuntimeId("alice"), endpoints.stores, endpoints.sealer, full, house.kept.clock
    )
    with pytest.raises(OSError, match="full"):
        await unable.open("office", USE)


async def test_promise_105_the_gateway_s_profiles_are_for_its_tenant(house: House) -> None:
    await put(house.alice, Scope.GATEWAY)
    assert (await house.bob.open("office", USE)).api_key == KEY
    assert (await refusal(house.stranger)).code == "endpoint_not_found"


async def test_a_profile_that_is_off_is_not_replaced_by_another(house: House) -> None:
    await put(house.alice, Scope.GATEWAY)
    await put(house.alice, enabled=False)
    assert (await refusal(house.alice)).code == "endpoint_disabled"
    assert [it.scope for it in await house.alice.list()] == [Scope.USER], "its own stands before"


async def test_a_use_is_kept_in_the_plane(house: House, tmp_path: Path) -> None:
    async with a_store("sqlite", tmp_path / "more") as store:
        endpoints = endpoints_of(house.kept.context, ACME, RuntimeId("more"), store.plane)
        await put(endpoints)
        await endpoints.open("office", USE)
        (pending,) = await store.plane.audit.pending(limit=10)
        assert b"secret:use" in pending.body and KEY.encode() not in pending.body
