"""How what a client shows becomes a principal."""

from collections.abc import Iterable
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import Final, NamedTuple, Protocol

from perdure.errors import Unauthenticated
from perdure.identity.principal import Principal, Role
from perdure.ids import RuntimeId, TenantId, UserId

TOKEN_BYTES_MAX: Final = 4_096  # of what is shown; more is no token
FINGERPRINT_LETTERS: Final = 12


class SessionFound(NamedTuple):
    """Whose browser session it is, and what its CSRF token must hash to."""

    principal: Principal
    csrf_digest: bytes


class Credentials(Protocol):
    """Who may come in. Asked once a request, and again while a stream is open."""

    @property
    def mode(self) -> str:
        """How principals are told apart, in the word of the wire: `legacy-token` or `users`."""
        ...

    async def principal_of(self, token: str) -> Principal | None:
        """The principal whose token this is, or `None`."""
        ...

    async def principal_of_session(self, value: str) -> SessionFound:
        """Whose browser session has this value. Raises `Unauthenticated`, with a `reason_code`."""
        ...


class SingleToken:
    """Whoever has the token is the local admin, and there is nobody else.

    Several tokens may be good at the same time, so that one can be changed for another. None of
    them is kept: only what `key`, which is the installation's own, makes of them.
    """

    mode: Final = "legacy-token"

    def __init__(self, tokens: Iterable[str], key: bytes) -> None:
        """Let in whoever shows one of `tokens`; nobody, where there is none."""
        self._key = sha256(key).digest()
        self._known = {
            self._digest(token): local_admin(self._fingerprint(token)) for token in tokens if token
        }

    async def principal_of(self, token: str) -> Principal | None:
        """The local admin, if the token is one of ours. Takes the same time wherever it differs."""
        if len(token) > TOKEN_BYTES_MAX:
            return None
        shown, found = self._digest(token), None
        for digest, principal in self._known.items():
            if compare_digest(digest, shown):
                found = principal
        return found

    async def principal_of_session(self, value: str) -> SessionFound:
        """Refuse: there are no browser sessions here."""
        raise Unauthenticated(reason_code="unauthenticated")

    def _digest(self, token: str) -> bytes:
        # A keyed hash, and one that is made without letting other threads in between.
        return blake2b(token.encode(errors="replace"), key=self._key, person=b"token").digest()

    def _fingerprint(self, token: str) -> str:
        # Keyed as well, so that nobody who reads it can try tokens against it.
        made = blake2b(token.encode(), key=self._key, person=b"fingerprint").hexdigest()
        return made[:FINGERPRINT_LETTERS]


def local_admin(fingerprint: str) -> Principal:
    """The one principal of an installation without users; its plane is that of the first admin."""
    return Principal(
        tenant=TenantId("local"),
        user=UserId("local-admin"),
        roles=frozenset({Role.ADMIN, Role.USER}),
        runtime=RuntimeId("admin"),
        runtime_tenant=TenantId("default"),
        source="legacy-token",
        fingerprint=fingerprint,
        scopes=("*",),
        credential="legacy",
    )


def bearer_of(authorization: str | None) -> str | None:
    """The token of an `Authorization` header, or `None` where it holds none (RFC 6750 §2.1)."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
