"""What is promised of tokens: found by their id, good until told otherwise, and never readable."""

import pytest

from perdure.errors import LimitReached, TokenNotFound, UserNotFound
from perdure.identity.tokens import Rotation, Token, is_good, read_token
from perdure.identity.users import UserChange
from perdure.ids import TokenId, UserId
from perdure.services import tokens
from perdure.services.tokens import NewToken
from tests.support.control import ACME, BETA, Control

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")


def a_token(kept: Control, name: str = "ci", user: UserId = ALICE) -> NewToken:
    """A token that nobody keeps yet."""
    return tokens.made(kept.context, ACME, user, name=name)


def id_in(text: str) -> TokenId:
    """The id of a token."""
    shown = read_token(text)
    assert shown is not None
    return shown.id


async def found(kept: Control, id: TokenId) -> Token:
    """A token as it is kept."""
    row = await kept.context.tokens.find(id)
    assert row is not None
    return row.token


async def names(kept: Control, user: UserId = ALICE) -> list[str]:
    """The names of a user's tokens."""
    return [it.name for it in await kept.context.tokens.of_user(ACME, user)]


async def test_a_token_is_found_with_its_user(kept: Control) -> None:
    user, text = await kept.user()
    row = await kept.context.tokens.find(id_in(text))
    assert row is not None
    assert row.user == user
    assert (row.token.user, row.token.tenant, row.token.name) == (ALICE, ACME, "default")
    assert await kept.context.tokens.find(TokenId("A" * 16)) is None


async def test_a_token_is_found_in_one_statement_by_its_key(kept: Control) -> None:
    _, text = await kept.user()
    kept.database.taken()
    await kept.context.tokens.find(id_in(text))
    (statement,) = kept.database.taken()
    assert "WHERE tokens.id = ?" in statement


async def test_promise_06_tokens_are_stored_only_as_hashes(kept: Control) -> None:
    _, text = await kept.user()
    shown = read_token(text)
    assert shown is not None
    for table in ("tokens", "users", "runtimes", "sessions"):
        for row in kept.rows(f"SELECT * FROM {table}"):
            assert shown.secret not in repr(row)
            assert shown.secret.encode() not in b"".join(it for it in row if isinstance(it, bytes))


async def test_a_user_has_several_tokens_and_no_more_than_the_bound(kept: Control) -> None:
    await kept.user()
    await kept.context.tokens.add(a_token(kept).token, most=3)
    await kept.context.tokens.add(a_token(kept, "laptop").token, most=3)
    with pytest.raises(LimitReached):
        await kept.context.tokens.add(a_token(kept, "phone").token, most=3)
    assert sorted(await names(kept)) == ["ci", "default", "laptop"]
    assert await names(kept, BOB) == []


async def test_nobody_has_no_token(kept: Control) -> None:
    with pytest.raises(UserNotFound):
        await kept.context.tokens.add(a_token(kept).token, most=3)
    with pytest.raises(UserNotFound):
        await kept.context.tokens.rotate(Rotation(a_token(kept).token))
    assert kept.rows("SELECT count(*) FROM tokens") == [(0,)]


async def test_a_new_token_takes_the_place_of_all_others_at_once(kept: Control) -> None:
    _, text = await kept.user()
    _, bobs = await kept.user("bob")
    await kept.context.tokens.add(a_token(kept).token, most=3)
    kept.clock.advance(1)
    await kept.context.tokens.rotate(Rotation(a_token(kept, "new").token))
    assert await names(kept) == ["new"]
    assert not is_good(await found(kept, id_in(text)), kept.now)
    assert is_good(await found(kept, id_in(bobs)), kept.now)


async def test_the_others_are_good_a_while_longer_where_that_is_asked(kept: Control) -> None:
    _, text = await kept.user()
    soon = "2026-01-01T00:01:00.000000+00:00"
    late = "2026-01-01T09:00:00.000000+00:00"
    await kept.context.tokens.rotate(Rotation(a_token(kept, "second").token, soon))
    await kept.context.tokens.rotate(Rotation(a_token(kept, "third").token, late))
    first = await found(kept, id_in(text))
    assert first.overlap_until == soon, "it is not made good for longer"
    assert is_good(first, kept.now)
    kept.clock.advance(60)
    assert not is_good(first, kept.now)


async def test_a_token_is_revoked_by_its_user_alone(kept: Control) -> None:
    _, text = await kept.user()
    await kept.user("bob")
    await kept.user("alice", BETA)
    for tenant, user in ((ACME, BOB), (BETA, ALICE)):
        with pytest.raises(TokenNotFound):
            await kept.context.tokens.revoke(tenant, user, id_in(text), at=kept.now)
    assert await names(kept) == ["default"]
    await kept.context.tokens.revoke(ACME, ALICE, id_in(text), at=kept.now)
    assert await names(kept) == []
    with pytest.raises(TokenNotFound):
        await kept.context.tokens.revoke(ACME, ALICE, id_in(text), at=kept.now)


async def test_what_was_revoked_is_forgotten_at_the_next_rotation(kept: Control) -> None:
    await kept.user()
    for _ in range(4):
        await kept.context.tokens.rotate(Rotation(a_token(kept).token))
    assert kept.rows("SELECT count(*) FROM tokens") == [(2,)]


async def test_uses_are_written_down(kept: Control) -> None:
    texts = [(await kept.user(name))[1] for name in ("alice", "bob", "carl", "dora")]
    used = [id_in(text) for text in texts]
    await kept.context.tokens.used(used, at=kept.now)
    assert [(await found(kept, it)).last_used_at for it in used] == [kept.now] * 4


async def test_a_change_of_its_user_is_seen_with_the_token(kept: Control) -> None:
    _, text = await kept.user()
    await kept.context.principals.change(ACME, ALICE, UserChange(enabled=False), at=kept.now)
    row = await kept.context.tokens.find(id_in(text))
    assert row is not None
    assert not row.user.enabled
    await kept.context.principals.delete(ACME, ALICE, at=kept.now)
    assert await kept.context.tokens.find(id_in(text)) is None
