"""Browser sessions: opened for a token, under an id of our own, and told apart when they are over."""

import pytest

from perdure.errors import SessionNotFound, Unauthenticated
from perdure.identity.sessions import SessionLife, digest_of
from perdure.identity.users import UserChange
from perdure.ids import UserId
from perdure.services import sessions, tokens
from perdure.services.sessions import REFUSED, Browser, NewSession
from tests.support.control import ACME, BETA, Control

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")
HOUR = 3_600
HERE = Browser("192.0.2.7", "a browser")


async def signed_in(
    kept: Control, token: str, *, remember: bool = False, replaced: str | None = None
) -> NewSession:
    """Alice, signed in."""
    browser = HERE._replace(replaced=replaced)
    return await sessions.open_session(
        kept.context, "alice", token, remember=remember, browser=browser
    )


async def why_not(kept: Control, value: str) -> object:
    """Why a session does not let in."""
    with pytest.raises(Unauthenticated) as caught:
        await sessions.session_of(kept.context, value)
    return caught.value.facts["reason_code"]


async def test_a_session_is_its_users_principal_under_a_credential_of_its_own(
    kept: Control,
) -> None:
    user, token = await kept.user(scopes=("run:read",))
    new = await signed_in(kept, token)
    found = await sessions.session_of(kept.context, new.value)
    assert found.principal == new.principal
    assert (found.principal.user, found.principal.runtime) == (ALICE, user.runtime)
    assert found.principal.scopes == ("run:read",)
    assert found.csrf_digest == digest_of(new.csrf)
    (listed,) = await sessions.sessions_of(kept.context, ACME, ALICE)
    assert found.principal.credential == f"session:{listed.handle}"
    assert (listed.address, listed.user_agent) == ("192.0.2.7", "a browser")


async def test_promise_18_the_refusal_of_a_sign_in_is_one_whatever_the_cause(kept: Control) -> None:
    _, token = await kept.user()
    _, bobs = await kept.user("bob")
    _, idle = await kept.user("idle", enabled=False)
    over = await tokens.issue(
        kept.context, ACME, ALICE, name="x", expires_at="2026-01-01T00:00:01Z"
    )
    unknown = tokens.made(kept.context, ACME, ALICE).text
    kept.clock.advance(1)
    tried = [
        ("alice", bobs), ("bob", token), ("nobody", token), ("alice", unknown), ("alice", over.text),
        ("idle", idle), ("alice", "no token"), ("alice", token + "x"), ("Alice", token), ("", token),
    ]  # fmt: skip
    told, work = [], []
    for user, shown in tried:
        kept.database.taken()
        with pytest.raises(Unauthenticated) as caught:
            await sessions.open_session(kept.context, user, shown, browser=HERE)
        told.append((caught.value.detail, caught.value.facts))
        work.append(kept.database.taken())
    assert told == [(REFUSED, {"reason_code": "unauthenticated"})] * len(tried)
    assert all(it == work[0] for it in work)
    assert kept.rows("SELECT count(*) FROM sessions") == [(0,)]


async def test_promise_33_the_id_of_a_session_is_new_at_every_sign_in(kept: Control) -> None:
    _, token = await kept.user()
    first = await signed_in(kept, token)
    second = await signed_in(kept, token, replaced=first.value)
    assert first.value != second.value
    assert first.csrf != second.csrf
    assert await why_not(kept, first.value) == "session_revoked"
    await sessions.session_of(kept.context, second.value)


async def test_promise_33_a_session_that_a_client_made_up_is_not_taken(kept: Control) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token, replaced="agws_chosen.by-somebody")
    secret = new.value.rpartition(".")[0]
    for value in (
        "agws_chosen.by-somebody",
        secret,
        f"{secret}.x",
        new.value[:-1],
        new.value + "x",
    ):
        assert await why_not(kept, value) == "unauthenticated"


async def test_what_is_kept_of_a_session_opens_nothing(kept: Control) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token)
    secret = new.value.rpartition(".")[0]
    ((digest, handle, csrf),) = kept.rows("SELECT digest, handle, csrf_digest FROM sessions")
    assert {bytes(digest), bytes(csrf)} == {digest_of(secret), digest_of(new.csrf)}
    for shown in (handle, bytes(digest).hex(), kept.context.signer.sign(handle)):
        with pytest.raises(Unauthenticated):
            await sessions.session_of(kept.context, shown)


@pytest.mark.parametrize(("remember", "lasts_h"), [(False, 8), (True, 30 * 24)])
async def test_promise_24_a_session_expires_whatever_the_browser_says(
    kept: Control, remember: bool, lasts_h: int
) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token, remember=remember)
    digest = digest_of(new.value.rpartition(".")[0])
    for _ in range(lasts_h // 4):
        await sessions.session_of(kept.context, new.value)
        kept.clock.advance(4 * HOUR)
        await kept.context.sessions.seen([digest], at=kept.now)
    assert await why_not(kept, new.value) == "session_expired"


async def test_a_remembered_session_that_nobody_uses_expires(kept: Control) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token, remember=True)
    kept.clock.advance(SessionLife().idle_s - 1)
    await sessions.session_of(kept.context, new.value)
    kept.clock.advance(1)
    assert await why_not(kept, new.value) == "session_expired"


async def test_promise_27_how_a_session_ended_is_told_by_a_code(kept: Control) -> None:
    _, token = await kept.user()
    expired = await signed_in(kept, token)
    kept.clock.advance(9 * HOUR)
    revoked = await signed_in(kept, token)
    assert await sessions.end_session(kept.context, revoked.principal)
    assert await why_not(kept, expired.value) == "session_expired"
    assert await why_not(kept, revoked.value) == "session_revoked"
    assert await why_not(kept, "something else") == "unauthenticated"
    kept.clock.advance(40 * HOUR)
    await signed_in(kept, token)
    assert await why_not(kept, expired.value) == "session_expired", "though its row is gone"


async def test_a_session_is_gone_at_once_with_its_users_right(kept: Control) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token)
    await kept.context.principals.change(ACME, ALICE, UserChange(enabled=False), at=kept.now)
    assert await why_not(kept, new.value) == "session_revoked"
    await kept.context.principals.change(ACME, ALICE, UserChange(enabled=True), at=kept.now)
    assert await why_not(kept, new.value) == "session_revoked", "it does not come back"


async def test_every_session_costs_the_same_statement(kept: Control) -> None:
    _, token = await kept.user()
    good, ended = await signed_in(kept, token), await signed_in(kept, token)
    await sessions.end_session(kept.context, ended.principal)
    unknown = kept.context.signer.sign("agws_unknown")
    costs = []
    for value in (good.value, ended.value, unknown):
        kept.database.taken()
        try:
            await sessions.session_of(kept.context, value)
        except Unauthenticated:
            assert value != good.value
        costs.append(kept.database.taken())
    assert len(costs[0]) == 1
    assert costs[0] == costs[1] == costs[2]


async def test_one_ends_ones_own_sessions_and_no_others(kept: Control) -> None:
    _, token = await kept.user()
    await kept.user("bob")
    one, other = await signed_in(kept, token), await signed_in(kept, token)
    (first, second) = await sessions.sessions_of(kept.context, ACME, ALICE)
    for tenant, user in ((ACME, BOB), (BETA, ALICE)):
        with pytest.raises(SessionNotFound):
            await sessions.revoke(kept.context, tenant, user, first.handle)
    await sessions.revoke(kept.context, ACME, ALICE, first.handle)
    left = await sessions.sessions_of(kept.context, ACME, ALICE)
    assert [it.handle for it in left] == [second.handle]
    assert await sessions.end_all(kept.context, ACME, ALICE) == 1
    assert {await why_not(kept, it.value) for it in (one, other)} == {"session_revoked"}


async def test_signing_out_twice_is_as_good_as_once(kept: Control) -> None:
    _, token = await kept.user()
    new = await signed_in(kept, token)
    assert await sessions.end_session(kept.context, new.principal)
    assert not await sessions.end_session(kept.context, new.principal)


async def test_a_token_signs_nobody_out(kept: Control) -> None:
    from perdure.identity.credentials import local_admin

    assert not await sessions.end_session(kept.context, local_admin("f"))
