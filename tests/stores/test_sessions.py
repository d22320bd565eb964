"""What is promised of browser sessions: found by a hash, ended with what they were opened for."""

from datetime import timedelta

import pytest

from perdure.clock import text_of
from perdure.errors import SessionNotFound, Unauthenticated
from perdure.identity.principal import Role
from perdure.identity.sessions import BrowserSession, Standing, digest_of, standing_of
from perdure.identity.tokens import Rotation, read_token
from perdure.identity.users import UserChange
from perdure.ids import RuntimeId, TenantId, UserId
from perdure.services import tokens
from tests.support.control import ACME, BETA, Control

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")
HOUR = 3_600


def a_session(kept: Control, token: str, name: str = "one", **changes: object) -> BrowserSession:
    """A session of alice's that begins now."""
    shown = read_token(token)
    assert shown is not None
    given: dict[str, object] = {
        "digest": digest_of(name), "handle": name, "tenant": ACME, "user": ALICE, "token": shown.id,
        "csrf_digest": digest_of(f"csrf {name}"), "remembered": False, "created_at": kept.now,
        "last_seen_at": kept.now, "expires_at": after(kept, 8 * HOUR), "idle_s": HOUR,
        "address": "192.0.2.7", "user_agent": "a browser",
    }  # fmt: skip
    return BrowserSession(**{**given, **changes})  # type: ignore[arg-type]  # the fields of a session


def after(kept: Control, seconds: float) -> str:
    """The time so long from now."""
    return text_of(kept.clock.now() + timedelta(seconds=seconds))


async def opened(kept: Control, *names: str) -> str:
    """Alice, signed in; her token."""
    _, token = await kept.user()
    for name in names:
        await kept.context.sessions.add(a_session(kept, token, name), replaced=None, most=9)
        kept.clock.advance(1)
    return token


async def standing(kept: Control, name: str) -> Standing:
    """How a session stands."""
    row = await kept.context.sessions.find(digest_of(name))
    assert row is not None
    return standing_of(row.session, kept.now)


async def handles(kept: Control, tenant: TenantId = ACME, user: UserId = ALICE) -> list[str]:
    """The sessions of a user that are good."""
    found = await kept.context.sessions.of_user(tenant, user, now=kept.now)
    return [it.handle for it in found]


async def test_a_session_is_found_with_its_user_in_one_statement(kept: Control) -> None:
    user, token = await kept.user()
    session = a_session(kept, token)
    await kept.context.sessions.add(session, replaced=None, most=9)
    kept.database.taken()
    row = await kept.context.sessions.find(session.digest)
    assert len(kept.database.taken()) == 1
    assert row is not None
    assert (row.session, row.user) == (session, user)
    assert len(row.fingerprint) == 12
    assert await kept.context.sessions.find(digest_of("another")) is None


async def test_a_session_of_one_who_is_gone_has_no_user(kept: Control) -> None:
    await opened(kept, "one")
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    row = await kept.context.sessions.find(digest_of("one"))
    assert row is not None
    assert row.user is None
    assert await standing(kept, "one") is Standing.REVOKED


@pytest.mark.parametrize(
    "change",
    [
        UserChange(enabled=False), UserChange(roles=frozenset({Role.ADMIN})),
        UserChange(scopes=("run:read",)), UserChange(runtime=RuntimeId("other")),
    ],
)  # fmt: skip
async def test_promise_26_sessions_end_when_their_user_changes(
    kept: Control, change: UserChange
) -> None:
    await opened(kept, "one", "two")
    _, bobs = await kept.user("bob")
    others = a_session(kept, bobs, "bobs", user=BOB)
    await kept.context.sessions.add(others, replaced=None, most=9)
    await kept.context.principals.change(ACME, ALICE, change, at=kept.now)
    assert [await standing(kept, it) for it in ("one", "two")] == [Standing.REVOKED] * 2
    assert await standing(kept, "bobs") is Standing.GOOD


async def test_promise_26_sessions_end_when_the_token_of_their_user_is_rotated(
    kept: Control,
) -> None:
    await opened(kept, "one", "two")
    new = tokens.made(kept.context, ACME, ALICE)
    await kept.context.tokens.rotate(Rotation(new.token, after(kept, 60)))
    assert [await standing(kept, it) for it in ("one", "two")] == [Standing.REVOKED] * 2


async def test_promise_26_sessions_end_when_their_user_is_deleted(kept: Control) -> None:
    await opened(kept, "one")
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    await kept.user()
    assert await standing(kept, "one") is Standing.REVOKED
    assert await handles(kept) == []


async def test_sessions_end_with_the_token_that_opened_them(kept: Control) -> None:
    token = await opened(kept, "one")
    other = tokens.made(kept.context, ACME, ALICE, name="other")
    await kept.context.tokens.add(other.token, most=9)
    await kept.context.sessions.add(a_session(kept, other.text, "two"), replaced=None, most=9)
    shown = read_token(token)
    assert shown is not None
    await kept.context.tokens.revoke(ACME, ALICE, shown.id, at=kept.now)
    assert await handles(kept) == ["two"]


async def test_a_change_of_address_ends_no_session(kept: Control) -> None:
    await opened(kept, "one")
    await kept.context.principals.change(ACME, ALICE, UserChange(email="a@b.example"), at=kept.now)
    assert await standing(kept, "one") is Standing.GOOD


async def test_nobody_signs_in_with_what_ended_meanwhile(kept: Control) -> None:
    token = await opened(kept)
    session = a_session(kept, token)
    await kept.context.principals.change(ACME, ALICE, UserChange(enabled=False), at=kept.now)
    with pytest.raises(Unauthenticated):
        await kept.context.sessions.add(session, replaced=None, most=9)
    await kept.context.principals.change(ACME, ALICE, UserChange(enabled=True), at=kept.now)
    await kept.context.tokens.rotate(Rotation(tokens.made(kept.context, ACME, ALICE).token))
    with pytest.raises(Unauthenticated):
        await kept.context.sessions.add(session, replaced=None, most=9)
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    with pytest.raises(Unauthenticated):
        await kept.context.sessions.add(session, replaced=None, most=9)


async def test_a_new_session_ends_the_one_that_it_replaces(kept: Control) -> None:
    token = await opened(kept, "one", "two")
    new = a_session(kept, token, "new")
    await kept.context.sessions.add(new, replaced=digest_of("one"), most=9)
    assert await handles(kept) == ["new", "two"]


async def test_a_user_has_so_many_sessions_and_the_longest_unseen_makes_room(kept: Control) -> None:
    token = await opened(kept, "one", "two", "three")
    await kept.context.sessions.seen([digest_of("one")], at=kept.now)
    await kept.context.sessions.add(a_session(kept, token, "new"), replaced=None, most=3)
    assert sorted(await handles(kept)) == ["new", "one", "three"]


async def test_sessions_expire_by_themselves(kept: Control) -> None:
    await opened(kept, "one", "two")
    kept.clock.advance(HOUR - 10)
    await kept.context.sessions.seen([digest_of("two")], at=kept.now)
    kept.clock.advance(20)
    assert await handles(kept) == ["two"]
    for _ in range(8):
        await kept.context.sessions.seen([digest_of("two")], at=kept.now)
        kept.clock.advance(HOUR - 10)
    assert await handles(kept) == []
    assert await standing(kept, "two") is Standing.EXPIRED


async def test_what_expired_long_ago_is_forgotten(kept: Control) -> None:
    token = await opened(kept, "one")
    kept.clock.advance(33 * HOUR)
    await kept.context.sessions.add(a_session(kept, token, "new"), replaced=None, most=9)
    assert kept.rows("SELECT handle FROM sessions") == [("new",)]


async def test_a_session_is_ended_by_its_user_alone(kept: Control) -> None:
    await opened(kept, "one", "two")
    await kept.user("bob")
    await kept.user("alice", BETA)
    for tenant, user, handle in ((ACME, BOB, "one"), (BETA, ALICE, "one"), (ACME, ALICE, "none")):
        with pytest.raises(SessionNotFound):
            await kept.context.sessions.revoke(tenant, user, handle, at=kept.now)
    assert sorted(await handles(kept)) == ["one", "two"]
    await kept.context.sessions.revoke(ACME, ALICE, "one", at=kept.now)
    assert await handles(kept) == ["two"]
    with pytest.raises(SessionNotFound):
        await kept.context.sessions.revoke(ACME, ALICE, "one", at=kept.now)


async def test_all_sessions_of_a_user_are_ended(kept: Control) -> None:
    await opened(kept, "one", "two")
    assert await kept.context.sessions.revoke_all(ACME, BOB, at=kept.now) == 0
    assert await kept.context.sessions.revoke_all(ACME, ALICE, at=kept.now) == 2
    assert await handles(kept) == []
