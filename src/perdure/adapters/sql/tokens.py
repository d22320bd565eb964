"""`TokenStore` in SQL: a token is found by its id with its user, in one read of two primary keys."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from sqlalchemy import bindparam, case, delete, select, update

from perdure.adapters.sql.control_tables import sessions, tokens, users
from perdure.adapters.sql.dialect import Database, Session, Write
from perdure.adapters.sql.statements import Row, Rows, Sql, inserting
from perdure.adapters.sql.transactions import Transactions
from perdure.adapters.sql.users import USER_COLUMNS, end_sessions, locked_user, user_of
from perdure.errors import LimitReached, TokenNotFound
from perdure.identity.tokens import Rotation, Token
from perdure.ids import TenantId, TokenId, UserId
from perdure.stores.tokens import TokenFound

_NAMES: Final = (
    "id", "tenant", "user_id", "name", "digest", "fingerprint", "created_at", "expires_at",
    "overlap_until", "last_used_at", "revoked_at",
)  # fmt: skip
TOKEN_COLUMNS: Final = tuple(tokens.c[name] for name in _NAMES)
ADD_TOKEN: Final = inserting(tokens, _NAMES)
_OF_USER: Final = (
    tokens.c.tenant == bindparam("_tenant"),
    tokens.c.user_id == bindparam("_user"),
)
_LIVE: Final = tokens.c.revoked_at.is_(None)
_FIND: Final = Sql(
    select(*TOKEN_COLUMNS, *USER_COLUMNS)
    .join_from(
        tokens, users, (users.c.tenant == tokens.c.tenant) & (users.c.user_id == tokens.c.user_id)
    )
    .where(tokens.c.id == bindparam("_id"))
)
_LIST: Final = Sql(
    select(*TOKEN_COLUMNS).where(*_OF_USER, _LIVE).order_by(tokens.c.created_at, tokens.c.id)
)
_REVOKE: Final = Sql(
    update(tokens)
    .where(tokens.c.id == bindparam("_id"), *_OF_USER, _LIVE)
    .values(revoked_at=bindparam("at"))
)
_END_OPENED: Final = Sql(
    update(sessions)
    .where(
        sessions.c.tenant == bindparam("_tenant"),
        sessions.c.user_id == bindparam("_user"),
        sessions.c.token_id == bindparam("_id"),
        sessions.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("at"))
)
_FORGET_REVOKED: Final = Sql(delete(tokens).where(*_OF_USER, tokens.c.revoked_at.is_not(None)))
_REVOKE_ALL: Final = Sql(update(tokens).where(*_OF_USER, _LIVE).values(revoked_at=bindparam("at")))
_LET_OVERLAP: Final = Sql(
    update(tokens)
    .where(*_OF_USER, _LIVE)
    .values(
        overlap_until=case(
            (tokens.c.overlap_until <= bindparam("until"), tokens.c.overlap_until),
            else_=bindparam("until_too"),
        )
    )
)
_USED: Final = Rows(
    update(tokens)
    .where(tokens.c.id == bindparam("_id"))
    .values(last_used_at=bindparam("last_used_at")),
    ("last_used_at", "_id"),
)


def put_in_place(session: Session, rotation: Rotation) -> None:
    """Put a token in the place of all others of its user, who is locked, and end the user's sessions."""
    token, until = rotation
    tenant, user, at = token.tenant, token.user, token.created_at
    session.run(_FORGET_REVOKED, _tenant=tenant, _user=user)
    if until is None:
        session.run(_REVOKE_ALL, _tenant=tenant, _user=user, at=at)
    else:
        session.run(_LET_OVERLAP, _tenant=tenant, _user=user, until=until, until_too=until)
    end_sessions(session, tenant, user, at)
    session.write([Write(ADD_TOKEN, [row_of_token(token)])])


def row_of_token(token: Token) -> Row:
    """The row of a token, in the order of `ADD_TOKEN`."""
    return (
        token.id, token.tenant, token.user, token.name, token.digest, token.fingerprint, token.created_at,
        token.expires_at, token.overlap_until, token.last_used_at, token.revoked_at,
    )  # fmt: skip


def token_of(row: Row) -> Token:
    """The token of a row."""
    id, tenant, user, name, digest, *more = row
    return Token(TokenId(id), TenantId(tenant), UserId(user), name, bytes(digest), *more)


class SqlTokens:
    """The tokens of one installation, in its control store."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`, which is the control store's; wait for the disk on `threads`."""
        self._transactions = Transactions(database, threads)

    async def find(self, id: TokenId) -> TokenFound | None:
        """The token of this id, whatever has become of it, and its user."""
        row = await self._transactions.read(lambda session: session.first(_FIND, _id=id))
        if row is None:
            return None
        return TokenFound(token_of(row[: len(_NAMES)]), user_of(row[len(_NAMES) :]))

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Token]:
        """A user's tokens that were not revoked, oldest first."""
        rows = await self._transactions.read(
            lambda session: session.all(_LIST, _tenant=tenant, _user=user)
        )
        return [token_of(row) for row in rows]

    async def add(self, token: Token, *, most: int) -> None:
        """Keep another token, up to `most`."""

        def work(session: Session) -> None:
            locked_user(session, token.tenant, token.user)
            kept = session.all(_LIST, _tenant=token.tenant, _user=token.user)
            if len(kept) >= most:
                raise LimitReached(f"A user has at most {most} tokens.", tokens_max=most)
            session.write([Write(ADD_TOKEN, [row_of_token(token)])])

        await self._transactions.write(work)

    async def rotate(self, rotation: Rotation) -> None:
        """Put a token in the place of all others of its user, and end the user's sessions."""

        def work(session: Session) -> None:
            locked_user(session, rotation.token.tenant, rotation.token.user)
            put_in_place(session, rotation)

        await self._transactions.write(work)

    async def revoke(self, tenant: TenantId, user: UserId, id: TokenId, *, at: str) -> None:
        """End a token and the sessions that were opened with it."""

        def work(session: Session) -> None:
            if not session.run(_REVOKE, _id=id, _tenant=tenant, _user=user, at=at):
                raise TokenNotFound
            session.run(_END_OPENED, _id=id, _tenant=tenant, _user=user, at=at)

        await self._transactions.write(work)

    async def used(self, ids: Sequence[TokenId], *, at: str) -> None:
        """Write down that these were used."""
        rows = [(at, id) for id in sorted(ids)]
        await self._transactions.write(lambda session: session.write([Write(_USED, rows)]))
