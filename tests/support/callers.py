"""Credentials of a test: principals by their tokens, without a store."""

from collections.abc import Mapping
from typing import Final

from perdure.errors import Unauthenticated
from perdure.identity.credentials import SessionFound
from perdure.identity.principal import Principal, Role
from perdure.ids import RuntimeId, TenantId, UserId


def a_principal(user: str, *, tenant: str = "default", admin: bool = False) -> Principal:
    """A user with a runtime of their own name."""
    roles = frozenset({Role.USER, Role.ADMIN} if admin else {Role.USER})
    return Principal(
        TenantId(tenant),
        UserId(user),
        roles,
        RuntimeId(user),
        TenantId(tenant),
        "user-registry",
        user,
    )


class Known:
    """Lets in whoever shows the name of one of these as a token."""

    mode: Final = "users"

    def __init__(self, *principals: Principal) -> None:
        self._known: Mapping[str, Principal] = {it.user: it for it in principals}

    async def principal_of(self, token: str) -> Principal | None:
        return self._known.get(token)

    async def principal_of_session(self, value: str) -> SessionFound:
        raise Unauthenticated(reason_code="unauthenticated")

    async def sign_in(self, user: str, token: str) -> Principal:
        principal = self._known.get(user)
        if principal is None or token != user:
            raise Unauthenticated("This user and token do not sign in.")
        return principal
