"""Who comes in: whoever shows what is theirs, at a cost that does not depend on what is shown."""

import pytest
from sqlalchemy import bindparam, select

from perdure.adapters.sql.control_tables import users
from perdure.adapters.sql.statements import Sql
from perdure.errors import Unauthenticated
from perdure.identity.credentials import SingleToken
from perdure.identity.users import UserChange
from perdure.ids import UserId, new_secret
from perdure.services import sessions, tokens
from perdure.services.credentials import StoredCredentials
from perdure.services.sessions import Browser
from perdure.services.uses import Uses
from tests.support.control import ACME, BETA, Control
from tests.support.plans import scans

pytestmark = pytest.mark.anyio

ALICE = UserId("alice")
OWN = "the installation's own token"


def credentials_of(kept: Control, *own: str) -> StoredCredentials:
    """Who may come in; with the installation's own tokens, if it has any."""
    uses = Uses(kept.context.tokens, kept.context.sessions, kept.clock)
    return StoredCredentials(kept.context, uses, SingleToken(own, b"key") if own else None)


async def test_promise_03_a_token_is_one_users_with_all_that_is_kept_of_them(kept: Control) -> None:
    user, text = await kept.user(scopes=("run:read",))
    await kept.user("alice", BETA)
    principal = await credentials_of(kept).principal_of(text)
    assert principal is not None
    assert (principal.tenant, principal.user, principal.runtime) == (ACME, ALICE, user.runtime)
    assert (principal.roles, principal.scopes) == (user.roles, ("run:read",))
    assert principal.runtime_tenant == ACME
    assert principal.source == "user-registry"
    assert len(principal.fingerprint) == 12


async def test_promise_08_a_disabled_or_deleted_users_token_stops_at_once(kept: Control) -> None:
    _, text = await kept.user()
    credentials = credentials_of(kept)
    for enabled in (False, True):
        change = UserChange(enabled=enabled)
        await kept.context.principals.change(ACME, ALICE, change, at=kept.now)
        assert (await credentials.principal_of(text) is not None) is enabled
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    assert await credentials.principal_of(text) is None
    await kept.user()
    assert await credentials.principal_of(text) is None


async def test_a_change_of_roles_counts_at_once(kept: Control) -> None:
    from perdure.identity.principal import Role

    _, text = await kept.user()
    change = UserChange(roles=frozenset({Role.ADMIN}))
    await kept.context.principals.change(ACME, ALICE, change, at=kept.now)
    principal = await credentials_of(kept).principal_of(text)
    assert principal is not None
    assert principal.admin


async def test_promise_10_where_there_are_users_nobody_is_let_in_without_a_credential_of_theirs(
    kept: Control,
) -> None:
    await kept.user()
    credentials = credentials_of(kept)
    assert credentials.mode == "users"
    for shown in ("", "agw_", OWN, new_secret(), "x" * 10_000):
        assert await credentials.principal_of(shown) is None


async def test_promise_11_with_no_user_and_no_token_nobody_comes_in(kept: Control) -> None:
    new = tokens.made(kept.context, ACME, ALICE)
    assert await credentials_of(kept).principal_of(new.text) is None
    assert await SingleToken([], b"key").principal_of("") is None


async def test_promise_09_the_installations_token_comes_in_and_signs_no_browser_in(
    kept: Control,
) -> None:
    await kept.user()
    credentials = credentials_of(kept, OWN)
    principal = await credentials.principal_of(OWN)
    assert principal is not None
    assert (principal.tenant, principal.user, principal.credential) == ("local", "local-admin", "legacy")  # fmt: skip
    for user in ("local-admin", "admin", "alice"):
        with pytest.raises(Unauthenticated):
            await sessions.open_session(kept.context, user, OWN, browser=Browser())


async def test_every_token_costs_the_same_statement(kept: Control) -> None:
    _, right = await kept.user()
    old = await tokens.issue(
        kept.context, ACME, ALICE, name="old", expires_at="2026-01-01T00:00:01Z"
    )
    revoked = await tokens.issue(kept.context, ACME, ALICE, name="gone")
    await tokens.revoke(kept.context, ACME, ALICE, revoked.token.id)
    kept.clock.advance(2)
    unknown = tokens.made(kept.context, ACME, ALICE).text
    wrong = right[:-43] + new_secret()
    credentials, costs = credentials_of(kept), []
    for shown in (right, unknown, wrong, old.text, revoked.text):
        kept.database.taken()
        assert (await credentials.principal_of(shown) is not None) is (shown == right)
        costs.append(kept.database.taken())
    assert len(costs[0]) == 1
    assert all(it == costs[0] for it in costs)


async def comes_in(kept: Control, text: str) -> list[list[str]]:
    """What a sign-in, a bearer check and a session check ask of the store."""
    credentials, costs = credentials_of(kept), []
    kept.database.taken()
    new = await sessions.open_session(kept.context, "alice", text, browser=Browser())
    costs.append(kept.database.taken())
    for check in (credentials.principal_of(text), credentials.principal_of_session(new.value)):
        assert await check is not None
        costs.append(kept.database.taken())
    return costs


async def test_who_comes_in_costs_the_same_however_many_users_there_are(kept: Control) -> None:
    _, text = await kept.user()
    among_few = await comes_in(kept, text)
    for number in range(30):
        await kept.user(f"user-{number}")
    among_many = await comes_in(kept, text)
    assert among_many == among_few
    assert [len(asked) for asked in among_many[1:]] == [1, 1], "a check is one statement"


async def test_who_comes_in_is_found_by_an_index(kept: Control) -> None:
    _, text = await kept.user()
    credentials = credentials_of(kept)
    kept.database.taken()
    new = await sessions.open_session(kept.context, "alice", text, browser=Browser())
    await credentials.principal_of(text)
    await credentials.principal_of_session(new.value)
    asked = {it.words("sqlite").text: it for it in kept.database.statements}
    found = {words: it for words, it in asked.items() if not words.startswith("INSERT")}
    assert len(found) >= 4, "a token, a session, and what a sign-in looks at and changes"
    assert {words: scans(kept.store.database, it) for words, it in found.items()} == {
        words: [] for words in found
    }


async def test_a_plan_that_reads_a_whole_table_is_seen(kept: Control) -> None:
    nowhere = Sql(select(users.c.user_id).where(users.c.email == bindparam("email")))
    assert scans(kept.store.database, nowhere) != []


async def test_uses_are_noted_of_what_was_good_alone(kept: Control) -> None:
    _, text = await kept.user()
    uses = Uses(kept.context.tokens, kept.context.sessions, kept.clock)
    credentials = StoredCredentials(kept.context, uses)
    await credentials.principal_of(text[:-43] + new_secret())
    await uses.flush()
    assert kept.rows("SELECT last_used_at FROM tokens") == [(None,)]
    await credentials.principal_of(text)
    new = await sessions.open_session(kept.context, "alice", text, browser=Browser())
    began = kept.now
    kept.clock.advance(5)
    await credentials.principal_of_session(new.value)
    await uses.flush()
    assert kept.rows("SELECT last_used_at FROM tokens") == [(kept.now,)]
    assert kept.rows("SELECT created_at, last_seen_at FROM sessions") == [(began, kept.now)]
