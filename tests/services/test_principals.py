"""Users are made and changed by who may give that much, and nobody's word goes in another tenant."""

import pytest

from perdure.errors import Forbidden, Invalid, LastAdmin, RuntimeTaken, Unfit, UserNotFound
from perdure.identity.credentials import local_admin
from perdure.identity.principal import Principal, Role
from perdure.identity.tokens import Shown
from perdure.identity.users import OVER_ALL, User, UserChange
from perdure.ids import RuntimeId, UserId, new_secret, new_token_id
from perdure.services import principals
from perdure.services.credentials import StoredCredentials
from perdure.services.principals import HOME, NOWHERE, NewUser, tenant_of
from perdure.services.uses import Uses
from tests.support.control import ACME, BETA, Control, an_admin

pytestmark = pytest.mark.anyio

ALICE = UserId("alice")


async def made(kept: Control, *, actor: Principal | None = None, named: str | None = None, **more: object) -> User:  # fmt: skip
    """Have an admin make alice, or another."""
    new = NewUser(**{"user_id": "alice", **more})  # type: ignore[arg-type]  # the fields of a user
    user, _ = await principals.create(kept.context, actor or an_admin(), named, new)
    return user


async def comes_in(kept: Control, text: str) -> bool:
    """Whether a token lets in."""
    uses = Uses(kept.context.tokens, kept.context.sessions, kept.clock)
    return await StoredCredentials(kept.context, uses).principal_of(text) is not None


@pytest.mark.parametrize(
    ("actor", "named", "meant"),
    [
        (an_admin(), None, ACME), (an_admin(), "acme", ACME), (an_admin(), "beta", NOWHERE),
        (an_admin(ACME, "*"), "beta", NOWHERE), (an_admin(ACME, OVER_ALL), "beta", BETA),
        (an_admin(ACME, OVER_ALL), None, ACME), (local_admin("f"), None, HOME),
        (local_admin("f"), "beta", BETA),
    ],
)  # fmt: skip
def test_an_admin_means_their_own_tenant_unless_they_are_over_another(
    actor: Principal, named: str | None, meant: str
) -> None:
    assert tenant_of(actor, named) == meant


async def test_a_user_is_made_with_a_token_that_lets_them_in(kept: Control) -> None:
    new = NewUser("al ice", email=" a@example.org ", scopes=("run:read",))
    user, token = await principals.create(kept.context, an_admin(), None, new)
    assert (user.tenant, user.id, user.runtime, user.email) == (ACME, "al_ice", "al_ice", "a@example.org")  # fmt: skip
    assert await kept.context.principals.user(ACME, user.id) == user
    assert await comes_in(kept, token.text)


async def test_a_user_gets_the_runtime_again_that_was_kept_for_them(kept: Control) -> None:
    user = await made(kept, runtime_id="special")
    await principals.delete(kept.context, an_admin(), user)
    assert (await made(kept)).runtime == "special"


async def test_promise_79_a_kept_runtime_goes_to_nobody_else(kept: Control) -> None:
    await principals.delete(kept.context, an_admin(), await made(kept))
    with pytest.raises(RuntimeTaken):
        await made(kept, user_id="bob", runtime_id="alice")
    bob = await made(kept, user_id="bob")
    with pytest.raises(RuntimeTaken):
        await principals.change(kept.context, an_admin(), bob, UserChange(runtime=RuntimeId("alice")))  # fmt: skip


@pytest.mark.parametrize("email", ["nobody", "a@", "@b", "a b@c", "a@b\n@c", "x" * 300 + "@y"])
async def test_an_address_is_one_or_none(kept: Control, email: str) -> None:
    with pytest.raises(Invalid):
        await made(kept, email=email)
    user = await made(kept)
    with pytest.raises(Invalid):
        await principals.change(kept.context, an_admin(), user, UserChange(email=email))


async def test_nobody_makes_users_in_a_tenant_that_they_are_not_over(kept: Control) -> None:
    with pytest.raises(Forbidden):
        await made(kept, named="beta")
    assert (await made(kept, actor=an_admin(ACME, OVER_ALL), named="beta")).tenant == BETA


@pytest.mark.parametrize("named", ["local", "Acme", "a/b", ".."])
async def test_what_is_no_tenant_is_not_made_one(kept: Control, named: str) -> None:
    with pytest.raises(Unfit):
        await made(kept, actor=an_admin(ACME, OVER_ALL), named=named)


async def test_another_tenants_user_is_looked_for_and_not_there(kept: Control) -> None:
    await kept.user("alice", BETA)
    work = []
    for named, user in (("beta", "alice"), ("beta", "nobody"), (None, "nobody")):
        kept.database.taken()
        with pytest.raises(UserNotFound):
            await principals.meant(kept.context, an_admin(), named, user)
        work.append(kept.database.taken())
    assert work[0] == work[1] == work[2]
    assert len(work[0]) == 1


async def test_nobody_gives_more_than_they_have(kept: Control) -> None:
    scoped = an_admin(ACME, "user:*")
    for scopes in ((), ("*",), ("run:read",), (OVER_ALL,)):
        with pytest.raises(Forbidden):
            await made(kept, actor=scoped, scopes=scopes)
    with pytest.raises(Forbidden):
        await made(kept, scopes=(OVER_ALL,))
    user = await made(kept, actor=scoped, scopes=("user:read",))
    with pytest.raises(Forbidden):
        await principals.change(kept.context, scoped, user, UserChange(scopes=()))


async def test_nobody_reaches_further_by_anothers_token(kept: Control) -> None:
    scoped, user = an_admin(ACME, "user:*"), await made(kept)
    with pytest.raises(Forbidden):
        await principals.rotate(kept.context, scoped, user)
    with pytest.raises(Forbidden):
        await principals.issue(kept.context, scoped, user, name="x", expires_at=None)
    with pytest.raises(Forbidden):
        await principals.change(kept.context, scoped, user, UserChange(enabled=False))
    with pytest.raises(Forbidden):
        await principals.delete(kept.context, scoped, user)


async def test_a_runtime_is_named_as_a_person_writes_it(kept: Control) -> None:
    user = await made(kept)
    change = UserChange(runtime=RuntimeId("a new/one"))
    assert (await principals.change(kept.context, an_admin(), user, change)).runtime == "a_new_one"
    assert (await made(kept, user_id="bob", runtime_id="b b")).runtime == "b_b"


async def test_the_last_admin_of_a_tenant_goes_by_a_word_from_outside_alone(kept: Control) -> None:
    roles = frozenset({Role.USER, Role.ADMIN})
    last = await made(kept, roles=roles)
    for inside in (an_admin(), an_admin(ACME, OVER_ALL)):
        with pytest.raises(LastAdmin):
            await principals.delete(kept.context, inside, last)
    await principals.delete(kept.context, an_admin(BETA, OVER_ALL), last)
    home = await made(kept, actor=local_admin("f"), user_id="root", roles=roles)
    with pytest.raises(LastAdmin):
        await principals.delete(kept.context, local_admin("f"), home)


async def test_the_first_admin_is_made_once_and_let_in_again(kept: Control) -> None:
    shown, again = Shown(new_token_id(), new_secret()), Shown(new_token_id(), new_secret())
    assert not await principals.is_anybody(kept.context)
    first = await principals.create_first(kept.context, shown)
    assert await principals.is_anybody(kept.context)
    assert (first.tenant, first.id, first.runtime, first.scopes) == ("default", "admin", "admin", (OVER_ALL,))  # fmt: skip
    admin = await principals.reinstate_first(kept.context, again)
    assert admin.enabled
    assert not await comes_in(kept, f"agw_{shown.id}_{shown.secret}")
    assert await comes_in(kept, f"agw_{again.id}_{again.secret}")


async def test_the_first_admin_is_let_in_again_whatever_had_become_of_them(kept: Control) -> None:
    await principals.create_first(kept.context, Shown(new_token_id(), new_secret()))
    await kept.user("second", HOME, roles=frozenset({Role.ADMIN}))
    fallen = UserChange(roles=frozenset({Role.USER}), scopes=("me:read",), enabled=False)
    await kept.context.principals.change(HOME, UserId("admin"), fallen, at=kept.now)
    for _ in range(2):
        shown = Shown(new_token_id(), new_secret())
        admin = await principals.reinstate_first(kept.context, shown)
        assert (admin.admin, admin.enabled, admin.scopes) == (True, True, (OVER_ALL,))
        assert await comes_in(kept, f"agw_{shown.id}_{shown.secret}")
        await kept.context.principals.delete(HOME, UserId("admin"), at=kept.now)
