"""`SessionStore` in SQL: a browser session is found by what its id hashes to, with its user, in one read."""

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, delete, literal_column, select, update

from perdure.adapters.sql.control_tables import sessions, tokens, users
from perdure.adapters.sql.dialect import Database, Session, Write
from perdure.adapters.sql.statements import Row, Rows, Sql, inserting
from perdure.adapters.sql.transactions import Transactions
from perdure.adapters.sql.users import USER_COLUMNS, end_sessions, locked_user, user_of
from perdure.clock import text_of, time_of
from perdure.errors import SessionNotFound, Unauthenticated, UserNotFound
from perdure.identity.sessions import BrowserSession, Standing, standing_of
from perdure.ids import TenantId, TokenId, UserId
from perdure.stores.sessions import SessionRow

KEPT_S: Final = (
    86_400  # after its end, so that the browser is told of an end and not of a wrong value
)
_NAMES: Final = (
    "digest", "handle", "tenant", "user_id", "token_id", "csrf_digest", "remembered", "created_at",
    "last_seen_at", "expires_at", "idle_s", "address", "user_agent", "revoked_at",
)  # fmt: skip
_COLUMNS: Final = tuple(sessions.c[name] for name in _NAMES)
_ADD: Final = inserting(sessions, _NAMES)
_LIVE: Final = sessions.c.revoked_at.is_(None)
_OF_USER: Final = (
    sessions.c.tenant == bindparam("_tenant"),
    sessions.c.user_id == bindparam("_user"),
)
_FIND: Final = Sql(
    select(*_COLUMNS, tokens.c.fingerprint, *USER_COLUMNS)
    .select_from(sessions)
    .join(
        users,
        (users.c.tenant == sessions.c.tenant) & (users.c.user_id == sessions.c.user_id),
        isouter=True,
    )
    .join(tokens, tokens.c.id == sessions.c.token_id, isouter=True)
    .where(sessions.c.digest == bindparam("_digest"))
)
_LIST: Final = Sql(
    select(*_COLUMNS)
    .where(*_OF_USER, _LIVE, sessions.c.expires_at > bindparam("now"))
    .order_by(sessions.c.last_seen_at.desc(), sessions.c.handle)
)
_FORGET: Final = Sql(delete(sessions).where(sessions.c.expires_at < bindparam("before")))
_TOKEN: Final = Sql(
    select(literal_column("1")).where(
        tokens.c.id == bindparam("_id"),
        tokens.c.tenant == bindparam("_tenant"),
        tokens.c.user_id == bindparam("_user"),
        tokens.c.revoked_at.is_(None),
    )
)
_END: Final = Sql(
    update(sessions)
    .where(sessions.c.digest == bindparam("_digest"), _LIVE)
    .values(revoked_at=bindparam("at"))
)
_REVOKE: Final = Sql(
    update(sessions)
    .where(
        sessions.c.handle == bindparam("_handle"),
        *_OF_USER,
        _LIVE,
        sessions.c.expires_at > bindparam("now"),
    )
    .values(revoked_at=bindparam("at"))
)
_SEEN: Final = Rows(
    update(sessions)
    .where(sessions.c.digest == bindparam("_digest"))
    .values(last_seen_at=bindparam("last_seen_at")),
    ("last_seen_at", "_digest"),
)


class SqlSessions:
    """The browser sessions of one installation, in its control store."""

    def __init__(self, database: Database, threads: Executor) -> None:
        """Keep them in `database`, which is the control store's; wait for the disk on `threads`."""
        self._transactions = Transactions(database, threads)

    async def add(self, session: BrowserSession, *, replaced: bytes | None, most: int) -> None:
        """Keep a new session, and end what it takes the place of."""
        now = session.created_at
        before = text_of(time_of(now) - timedelta(seconds=KEPT_S))

        def work(transaction: Session) -> None:
            _check(transaction, session)
            transaction.run(_FORGET, before=before)
            if replaced is not None:
                transaction.run(_END, _digest=replaced, at=now)
            kept = transaction.all(_LIST, _tenant=session.tenant, _user=session.user, now=now)
            for digest, *_ in kept[most - 1 :]:
                transaction.run(_END, _digest=digest, at=now)
            transaction.write([Write(_ADD, [_row_of(session)])])

        await self._transactions.write(work)

    async def find(self, digest: bytes) -> SessionRow | None:
        """The session of this digest, whatever has become of it."""
        row = await self._transactions.read(lambda session: session.first(_FIND, _digest=digest))
        if row is None:
            return None
        own, fingerprint, user = row[: len(_NAMES)], row[len(_NAMES)], row[len(_NAMES) + 1 :]
        found = None if user[0] is None else user_of(user)
        return SessionRow(_session_of(own), found, fingerprint or "")

    async def of_user(
        self, tenant: TenantId, user: UserId, *, now: str
    ) -> Sequence[BrowserSession]:
        """A user's sessions that have neither ended nor expired, last seen first."""
        rows = await self._transactions.read(
            lambda session: session.all(_LIST, _tenant=tenant, _user=user, now=now)
        )
        every = (_session_of(row) for row in rows)
        return [it for it in every if standing_of(it, now) is Standing.GOOD]

    async def revoke(self, tenant: TenantId, user: UserId, handle: str, *, at: str) -> None:
        """End one session of a user."""
        ended = await self._transactions.write(
            lambda session: session.run(
                _REVOKE, _tenant=tenant, _user=user, _handle=handle, now=at, at=at
            )
        )
        if not ended:
            raise SessionNotFound

    async def revoke_all(self, tenant: TenantId, user: UserId, *, at: str) -> int:
        """End all sessions of a user; how many there were."""
        return await self._transactions.write(
            lambda session: end_sessions(session, tenant, user, at)
        )

    async def seen(self, digests: Sequence[bytes], *, at: str) -> None:
        """Write down that these were used."""
        rows = [(at, digest) for digest in sorted(digests)]
        await self._transactions.write(lambda session: session.write([Write(_SEEN, rows)]))


def _check(transaction: Session, session: BrowserSession) -> None:
    """See that who opens the session still may: a token that ends at the same time is seen or waits."""
    try:
        user = locked_user(transaction, session.tenant, session.user)
    except UserNotFound:
        raise Unauthenticated from None
    token = transaction.first(_TOKEN, _id=session.token, _tenant=session.tenant, _user=session.user)
    if not user.enabled or token is None:
        raise Unauthenticated


def _row_of(session: BrowserSession) -> Row:
    return (
        session.digest, session.handle, session.tenant, session.user, session.token,
        session.csrf_digest, int(session.remembered), session.created_at, session.last_seen_at,
        session.expires_at, session.idle_s, session.address, session.user_agent, session.revoked_at,
    )  # fmt: skip


def _session_of(row: Row) -> BrowserSession:
    digest, handle, tenant, user, token, csrf_digest, remembered, *more = row
    return BrowserSession(
        bytes(digest), handle, TenantId(tenant), UserId(user), TokenId(token), bytes(csrf_digest),
        bool(remembered), *more,
    )  # fmt: skip
