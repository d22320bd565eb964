"""What is kept of browser sessions: hashes of what the browser has, and until when it is good."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.sessions import BrowserSession
from perdure.identity.users import User
from perdure.ids import TenantId, UserId


class SessionRow(NamedTuple):
    """A browser session, its user if they are there, and the fingerprint of the token that opened it."""

    session: BrowserSession
    user: User | None
    fingerprint: str


class SessionStore(Protocol):
    """Browser sessions of all users. Every method is one transaction."""

    async def add(self, session: BrowserSession, *, replaced: bytes | None, most: int) -> None:
        """Keep a new session. Ends the one it replaces, and the user's longest unseen beyond `most`.

        Sessions that expired more than a day before are forgotten. Raises `Unauthenticated` where
        the token that opens it is good no more.
        """
        ...

    async def find(self, digest: bytes) -> SessionRow | None:
        """The session of this digest, whatever has become of it: one indexed read."""
        ...

    async def of_user(
        self, tenant: TenantId, user: UserId, *, now: str
    ) -> Sequence[BrowserSession]:
        """A user's sessions that have neither ended nor expired, last seen first."""
        ...

    async def revoke(self, tenant: TenantId, user: UserId, handle: str, *, at: str) -> None:
        """End one session of a user. Raises `SessionNotFound`, also for one that has ended."""
        ...

    async def revoke_all(self, tenant: TenantId, user: UserId, *, at: str) -> int:
        """End all sessions of a user; how many there were."""
        ...

    async def seen(self, digests: Sequence[bytes], *, at: str) -> None:
        """Write down that these were used."""
        ...
