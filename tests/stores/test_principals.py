"""What is promised of users and runtimes: an id is one user's, and nobody gets what another left behind."""

import asyncio

import pytest

from perdure.errors import (
    Conflict,
    LastAdmin,
    RuntimeNotFound,
    RuntimeTaken,
    UserExists,
    UserNotFound,
)
from perdure.identity.principal import Role
from perdure.identity.users import User, UserChange
from perdure.ids import RuntimeId, UserId
from perdure.stores.principals import Reason, RuntimeState
from tests.support.control import ACME, BETA, Control

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")
ADMINS = frozenset({Role.ADMIN})


async def state_of(kept: Control, runtime: str) -> tuple[str, RuntimeState, Reason | None]:
    """Whose a runtime is, and how."""
    entry = await kept.context.principals.runtime(ACME, RuntimeId(runtime))
    return entry.owner, entry.state, entry.reason


async def test_a_user_is_read_as_made(kept: Control) -> None:
    user, _ = await kept.user(email="a@example.org", roles=ADMINS, scopes=("run:*", "me:read"))
    assert await kept.context.principals.user(ACME, ALICE) == user
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.ASSIGNED, None)


async def test_another_tenants_user_is_not_there(kept: Control) -> None:
    await kept.user()
    with pytest.raises(UserNotFound):
        await kept.context.principals.user(BETA, ALICE)
    assert await kept.context.principals.users(BETA, after=None, limit=9) == []


async def test_users_come_in_pages(kept: Control) -> None:
    for name in ("dora", "alice", "carl", "bob"):
        await kept.user(name)
    await kept.user("alice", BETA)
    seen: list[User] = []
    while page := await kept.context.principals.users(ACME, after=seen[-1].id if seen else None, limit=3):  # fmt: skip
        seen += page
    assert [it.id for it in seen] == ["alice", "bob", "carl", "dora"]


@pytest.mark.parametrize("name", ["alice", "Alice", "ALICE"])
async def test_an_id_that_looks_like_anothers_is_refused(kept: Control, name: str) -> None:
    await kept.user()
    with pytest.raises(UserExists):
        await kept.user(name, runtime=RuntimeId("other"))
    assert len(await kept.context.principals.users(ACME, after=None, limit=9)) == 1
    assert kept.rows("SELECT count(*) FROM tokens") == [(1,)]


async def test_promise_64_a_runtime_id_is_one_users_within_a_tenant(kept: Control) -> None:
    await kept.user()
    for taken in ("alice", "Alice"):
        with pytest.raises(RuntimeTaken):
            await kept.user("bob", runtime=RuntimeId(taken))
    bob, _ = await kept.user("bob")
    with pytest.raises(RuntimeTaken):
        await kept.context.principals.change(ACME, BOB, UserChange(runtime=RuntimeId("alice")), at=kept.now)  # fmt: skip
    assert await kept.context.principals.user(ACME, BOB) == bob
    await kept.user("alice", BETA)


async def test_of_many_that_make_one_user_one_does(kept: Control) -> None:
    made = await asyncio.gather(*(kept.user() for _ in range(6)), return_exceptions=True)
    assert [type(it) for it in made if isinstance(it, Exception)] == [UserExists] * 5
    assert kept.rows("SELECT count(*) FROM tokens") == [(1,)]


async def test_a_user_changes(kept: Control) -> None:
    await kept.user()
    kept.clock.advance(5)
    change = UserChange("b@example.org", ADMINS, ("run:read",), False, RuntimeId("other"))
    after = await kept.context.principals.change(ACME, ALICE, change, at=kept.now)
    assert after == await kept.context.principals.user(ACME, ALICE)
    assert (after.email, after.roles, after.scopes, after.enabled, after.runtime) == (
        "b@example.org", ADMINS, ("run:read",), False, "other",
    )  # fmt: skip
    assert after.updated_at == kept.now > after.created_at


async def test_who_is_not_there_does_not_change(kept: Control) -> None:
    await kept.user()
    with pytest.raises(UserNotFound):
        await kept.context.principals.change(BETA, ALICE, UserChange(enabled=False), at=kept.now)
    with pytest.raises(UserNotFound):
        await kept.context.principals.delete(BETA, ALICE, at=kept.now)
    assert (await kept.context.principals.user(ACME, ALICE)).enabled


async def test_a_runtime_that_was_left_is_kept_for_who_left_it(kept: Control) -> None:
    await kept.user()
    await kept.context.principals.change(ACME, ALICE, UserChange(runtime=RuntimeId("new")), at=kept.now)  # fmt: skip
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.RETAINED, Reason.REASSIGNED)
    with pytest.raises(RuntimeTaken):
        await kept.user("bob", runtime=RuntimeId("alice"))
    await kept.context.principals.change(ACME, ALICE, UserChange(runtime=RuntimeId("alice")), at=kept.now)  # fmt: skip
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.ASSIGNED, None)
    assert await state_of(kept, "new") == (ALICE, RuntimeState.RETAINED, Reason.REASSIGNED)


async def test_promise_78_a_deleted_user_leaves_no_credential_and_a_kept_runtime(
    kept: Control,
) -> None:
    await kept.user()
    before = await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    assert before.runtime == "alice"
    with pytest.raises(UserNotFound):
        await kept.context.principals.user(ACME, ALICE)
    assert kept.rows("SELECT count(*) FROM tokens") == [(0,)]
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.RETAINED, Reason.DELETED_USER)
    assert [it.runtime for it in await kept.context.principals.kept_for(ACME, ALICE)] == ["alice"]


async def test_promise_79_a_kept_runtime_is_nobody_elses_and_its_owners_again(
    kept: Control,
) -> None:
    await kept.user()
    await kept.user("carl")
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    with pytest.raises(RuntimeTaken):
        await kept.user("bob", runtime=RuntimeId("alice"))
    with pytest.raises(RuntimeTaken):
        await kept.context.principals.change(
            ACME, UserId("carl"), UserChange(runtime=RuntimeId("alice")), at=kept.now
        )
    await kept.user()
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.ASSIGNED, None)


async def test_the_last_admin_stays(kept: Control) -> None:
    principals = kept.context.principals
    await kept.user("root", roles=ADMINS)
    await kept.user("idle", roles=ADMINS, enabled=False)
    await kept.user("root", BETA, roles=ADMINS)
    root = UserId("root")
    for change in (UserChange(enabled=False), UserChange(roles=frozenset({Role.USER}))):
        with pytest.raises(LastAdmin):
            await principals.change(ACME, root, change, at=kept.now)
    with pytest.raises(LastAdmin):
        await principals.delete(ACME, root, at=kept.now)
    await kept.user("second", roles=ADMINS)
    await principals.delete(ACME, root, at=kept.now)
    await principals.delete(ACME, UserId("second"), at=kept.now, last_too=True)


async def test_two_admins_cannot_delete_each_other(kept: Control) -> None:
    for name in ("root", "second"):
        await kept.user(name, roles=ADMINS)
    ends = await asyncio.gather(
        *(kept.context.principals.delete(ACME, UserId(it), at=kept.now) for it in ("root", "second")),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(it) for it in ends if isinstance(it, Exception)] == [LastAdmin]


async def test_a_kept_runtime_is_given_to_another(kept: Control) -> None:
    principals = kept.context.principals
    await kept.user()
    await kept.user("bob")
    await principals.delete(ACME, ALICE, at=kept.now)
    before = await principals.transfer(ACME, RuntimeId("alice"), BOB, at=kept.now)
    assert before.runtime == "bob"
    assert (await principals.user(ACME, BOB)).runtime == "alice"
    assert await state_of(kept, "alice") == (BOB, RuntimeState.ASSIGNED, None)
    assert await state_of(kept, "bob") == (BOB, RuntimeState.RETAINED, Reason.TRANSFERRED)
    with pytest.raises(RuntimeTaken):
        await kept.user()


async def test_what_somebody_has_is_not_given_away(kept: Control) -> None:
    principals = kept.context.principals
    await kept.user()
    await kept.user("bob")
    await kept.user("carl", BETA)
    for runtime in ("alice", "bob", "none"):
        with pytest.raises(RuntimeNotFound):
            await principals.transfer(ACME, RuntimeId(runtime), BOB, at=kept.now)
    await principals.delete(ACME, ALICE, at=kept.now)
    for nobody in ("carl", "dora"):
        with pytest.raises(UserNotFound):
            await principals.transfer(ACME, RuntimeId("alice"), UserId(nobody), at=kept.now)
    assert await state_of(kept, "alice") == (ALICE, RuntimeState.RETAINED, Reason.DELETED_USER)


async def test_a_runtime_that_is_being_purged_is_nobodys_until_it_is_gone(kept: Control) -> None:
    principals, alices = kept.context.principals, RuntimeId("alice")
    await kept.user()
    await kept.user("bob")
    with pytest.raises(Conflict):
        await principals.mark_purging(ACME, alices, at=kept.now)
    assert not await principals.release(ACME, alices)
    await principals.delete(ACME, ALICE, at=kept.now)
    for _ in range(2):
        entry = await principals.mark_purging(ACME, alices, at=kept.now)
        assert (entry.state, entry.reason) == (RuntimeState.PURGING, Reason.PURGING)
    with pytest.raises(RuntimeNotFound):
        await principals.transfer(ACME, alices, BOB, at=kept.now)
    with pytest.raises(RuntimeTaken):
        await kept.user()
    assert await principals.release(ACME, alices)
    with pytest.raises(RuntimeNotFound):
        await principals.mark_purging(ACME, alices, at=kept.now)
    await kept.user("dora", runtime=alices)


async def test_what_nobody_has_is_listed_in_pages(kept: Control) -> None:
    principals = kept.context.principals
    for name in ("alice", "bob", "carl"):
        await kept.user(name)
        await principals.delete(ACME, UserId(name), at=kept.now)
    await kept.user("dora")
    await principals.mark_purging(ACME, RuntimeId("bob"), at=kept.now)
    first = await principals.kept_runtimes(ACME, after=None, limit=2)
    rest = await principals.kept_runtimes(ACME, after=first[-1].runtime, limit=2)
    assert [it.runtime for it in (*first, *rest)] == ["alice", "bob", "carl"]
    assert await principals.kept_runtimes(BETA, after=None, limit=2) == []
    assert [it.runtime for it in await principals.purging(limit=9)] == ["bob"]


async def test_a_runtime_is_served_while_its_user_is_there_and_enabled(kept: Control) -> None:
    principals, alices = kept.context.principals, RuntimeId("alice")
    assert not await principals.anybody()
    assert not await principals.is_served(ACME, alices)
    await kept.user()
    assert await principals.anybody()
    assert await principals.is_served(ACME, alices)
    assert not await principals.is_served(BETA, alices)
    for enabled in (False, True):
        await principals.change(ACME, ALICE, UserChange(enabled=enabled), at=kept.now)
        assert await principals.is_served(ACME, alices) is enabled
    await principals.delete(ACME, ALICE, at=kept.now)
    assert not await principals.is_served(ACME, alices)
