"""What is kept of tokens: enough to know one when it is shown, and not enough to show one."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.identity.tokens import Rotation, Token
from perdure.identity.users import User
from perdure.ids import TenantId, TokenId, UserId


class TokenFound(NamedTuple):
    """A token, and whose it is."""

    token: Token
    user: User


class TokenStore(Protocol):
    """Tokens of all users. Every method is one transaction."""

    async def find(self, id: TokenId) -> TokenFound | None:
        """The token of this id, whatever has become of it, and its user: one indexed read."""
        ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Token]:
        """A user's tokens that were not revoked, oldest first."""
        ...

    async def add(self, token: Token, *, most: int) -> None:
        """Keep another token. Raises `UserNotFound`, and `LimitReached` where the user has `most` already."""
        ...

    async def rotate(self, rotation: Rotation) -> None:
        """Put a token in the place of all others of its user, and end the user's sessions.

        The others are good until the end of their overlap, and no longer than they were; without
        one they are good no more. Raises `UserNotFound`.
        """
        ...

    async def revoke(self, tenant: TenantId, user: UserId, id: TokenId, *, at: str) -> None:
        """End a token and the sessions that were opened with it. Raises `TokenNotFound`."""
        ...

    async def used(self, ids: Sequence[TokenId], *, at: str) -> None:
        """Write down that these were used."""
        ...
