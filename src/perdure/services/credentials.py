"""Who comes in where there are users: whoever shows a user's token or browser session, or the installation's token."""

from typing import Final

from perdure.identity.credentials import SessionFound, SingleToken
from perdure.identity.principal import Principal
from perdure.identity.tokens import read_token
from perdure.identity.users import principal_of
from perdure.runtimes.control import ControlContext
from perdure.services import sessions
from perdure.services.uses import Uses
from perdure.stores.tokens import TokenFound


class StoredCredentials:
    """`Credentials` over the control store: one indexed read for each, however many users there are.

    `installation` is there where a token of the installation was set on purpose. It is tried last,
    and lets in its local admin alone.
    """

    mode: Final = "users"

    def __init__(
        self, control: ControlContext, uses: Uses, installation: SingleToken | None = None
    ) -> None:
        """Ask the stores of `control`, and note in `uses` what was shown."""
        self._control, self._uses, self._installation = control, uses, installation

    async def principal_of(self, token: str) -> Principal | None:
        """The user whose token this is, or the local admin, or `None`."""
        shown = read_token(token)
        if shown is not None:
            found = await sessions.find_token(self._control, shown)
            if found is not None:
                self._uses.token(shown.id)
                return _principal_of(found)
        if self._installation is None:
            return None
        return await self._installation.principal_of(token)

    async def principal_of_session(self, value: str) -> SessionFound:
        """Whose browser session has this value. Raises `Unauthenticated`, with a `reason_code`."""
        return await sessions.session_of(self._control, value, self._uses)


def _principal_of(found: TokenFound) -> Principal:
    token = found.token
    return principal_of(found.user, fingerprint=token.fingerprint, credential=f"token:{token.id}")
