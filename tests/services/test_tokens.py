"""Tokens are made here, shown once, and end when they are told to."""

from datetime import timedelta

import pytest

from perdure.clock import text_of
from perdure.errors import LimitReached, TokenNotFound, Unfit, UserNotFound
from perdure.identity.principal import Principal
from perdure.ids import UserId
from perdure.services import tokens
from perdure.services.credentials import StoredCredentials
from perdure.services.uses import Uses
from tests.support.control import ACME, BETA, Control

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")


async def who(kept: Control, token: str) -> Principal | None:
    """Who comes in with a token."""
    uses = Uses(kept.context.tokens, kept.context.sessions, kept.clock)
    return await StoredCredentials(kept.context, uses).principal_of(token)


def in_a_minute(kept: Control, minutes: float = 1) -> str:
    """The time then."""
    return text_of(kept.clock.now() + timedelta(minutes=minutes))


async def test_a_user_has_several_tokens_each_with_a_name_and_an_end(kept: Control) -> None:
    _, first = await kept.user()
    new = await tokens.issue(kept.context, ACME, ALICE, name="ci", expires_at=in_a_minute(kept))
    assert await who(kept, first) is not None
    found = await who(kept, new.text)
    assert found is not None
    assert found.fingerprint == new.token.fingerprint
    assert found.credential == f"token:{new.token.id}"
    kept.clock.advance(60)
    assert await who(kept, new.text) is None
    assert await who(kept, first) is not None


async def test_a_token_that_is_over_before_it_begins_is_refused(kept: Control) -> None:
    await kept.user()
    for ends in (kept.now, in_a_minute(kept, -1)):
        with pytest.raises(Unfit):
            await tokens.issue(kept.context, ACME, ALICE, name="ci", expires_at=ends)


async def test_a_user_has_no_more_tokens_than_the_bound(
    kept: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 2)
    await kept.user()
    await tokens.issue(kept.context, ACME, ALICE, name="second")
    with pytest.raises(LimitReached):
        await tokens.issue(kept.context, ACME, ALICE, name="third")


async def test_promise_08_a_rotated_token_stops_at_once(kept: Control) -> None:
    _, first = await kept.user()
    other = await tokens.issue(kept.context, ACME, ALICE, name="ci")
    new = await tokens.rotate(kept.context, ACME, ALICE)
    assert await who(kept, first) is None
    assert await who(kept, other.text) is None
    assert await who(kept, new.text) is not None


async def test_a_rotated_token_overlaps_where_that_is_asked(kept: Control) -> None:
    _, first = await kept.user()
    new = await tokens.rotate(kept.context, ACME, ALICE, overlap_s=60)
    assert [it.name for it in await tokens.tokens_of(kept.context, ACME, ALICE)] == ["default"] * 2
    assert await who(kept, first) is not None
    kept.clock.advance(60)
    assert await who(kept, first) is None
    assert await who(kept, new.text) is not None
    (left,) = await tokens.tokens_of(kept.context, ACME, ALICE)
    assert left.id == new.token.id


async def test_an_overlap_has_a_bound(kept: Control) -> None:
    _, first = await kept.user()
    await tokens.rotate(kept.context, ACME, ALICE, overlap_s=10**9)
    kept.clock.advance(tokens.OVERLAP_S_MAX)
    assert await who(kept, first) is None


async def test_promise_08_a_revoked_token_stops_at_once_and_no_other(kept: Control) -> None:
    _, first = await kept.user()
    other = await tokens.issue(kept.context, ACME, ALICE, name="ci")
    await tokens.revoke(kept.context, ACME, ALICE, other.token.id)
    assert await who(kept, other.text) is None
    assert await who(kept, first) is not None


async def test_another_users_token_is_not_there(kept: Control) -> None:
    _, first = await kept.user()
    await kept.user("bob")
    (token,) = await tokens.tokens_of(kept.context, ACME, ALICE)
    with pytest.raises(TokenNotFound):
        await tokens.revoke(kept.context, ACME, BOB, token.id)
    assert await who(kept, first) is not None
    for call in (tokens.tokens_of, tokens.rotate):
        with pytest.raises(UserNotFound):
            await call(kept.context, BETA, ALICE)
