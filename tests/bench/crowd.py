"""Many users in a control store, put there in one transaction: the bench measures reading, not making."""

from collections.abc import Iterator

from perdure.adapters.sql.control_tables import runtimes, users
from perdure.adapters.sql.dialect import Database, Write
from perdure.adapters.sql.statements import inserting
from perdure.adapters.sql.tokens import ADD_TOKEN, row_of_token
from perdure.adapters.sql.users import values_of
from perdure.clock import SystemClock, text_of
from perdure.identity.principal import Role
from perdure.identity.tokens import Token, digest_of, fingerprint_of, text_of_token
from perdure.identity.users import User
from perdure.ids import RuntimeId, TenantId, TokenId, UserId, new_secret, new_token_id

TENANT = TenantId("default")
_USERS = inserting(users, [column.name for column in users.c])
_RUNTIME = ("tenant", "runtime", "likeness", "owner_user", "state", "created_at", "updated_at")
_RUNTIMES = inserting(runtimes, _RUNTIME)


def name_of(number: int) -> str:
    """What a user and their runtime are called; names sort by number."""
    return f"u{number:06}"


def crowd(database: Database, pepper: bytes, count: int) -> list[str]:
    """Make so many users, each with a runtime and a token; their tokens, in the order of their names."""
    texts: list[str] = []
    tokens: list[Token] = []
    made = list(_users(count))
    for user in made:
        token_id, secret = TokenId(new_token_id()), new_secret()
        texts.append(text_of_token(token_id, secret))
        tokens.append(
            Token(
                token_id, TENANT, user.id, "first", digest_of(pepper, secret), fingerprint_of(pepper, secret),
                user.created_at,
            )
        )  # fmt: skip
    rows = [values_of(user) for user in made]
    theirs = [
        (TENANT, it.runtime, it.runtime, it.id, "assigned", it.created_at, it.created_at)
        for it in made
    ]
    with database.writing() as session:
        session.write([
            Write(_USERS, [tuple(row[name] for name in _USERS.columns) for row in rows]),
            Write(_RUNTIMES, theirs),
            Write(ADD_TOKEN, [row_of_token(token) for token in tokens]),
        ])  # fmt: skip
    return texts


def _users(count: int) -> Iterator[User]:
    at = text_of(SystemClock().now())
    for number in range(count):
        name = name_of(number)
        yield User(
            TENANT, UserId(name), "", frozenset({Role.USER}), (), enabled=True, runtime=RuntimeId(name),
            created_at=at, updated_at=at,
        )  # fmt: skip
