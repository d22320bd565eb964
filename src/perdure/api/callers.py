"""Who a request is from, by what it shows: a token, or a browser session in a header or a cookie."""

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from msgspec import Struct

from perdure.api.cookies import CookieNames, checked_value, value_in
from perdure.api.lockout import Lockout
from perdure.api.proxies import Seen
from perdure.errors import Forbidden, Unauthenticated
from perdure.identity.credentials import Credentials, bearer_of
from perdure.identity.principal import Principal
from perdure.identity.tokens import read_token

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1
UNAUTHENTICATED: Final = "unauthenticated"

# Where a browser says that a request comes from, in its own words (W3C Fetch Metadata §2.4).
FROM_HERE: Final = frozenset({b"same-origin", b"none"})

Sent = Mapping[bytes, bytes]


class Caller(Struct, frozen=True):
    """Who asks. `csrf_digest` is there where a browser session says so; `by_cookie` if unasked."""

    principal: Principal
    csrf_digest: bytes | None = None
    by_cookie: bool = False


class Callers:
    """Knows callers by what their requests show."""

    def __init__(self, credentials: Credentials, names: CookieNames, lockout: Lockout) -> None:
        """Ask `credentials`; sessions are looked for under `names`, and wrong tokens counted in `lockout`."""
        self._credentials, self.names, self.lockout = credentials, names, lockout
        self._session = names.session_header.lower().encode()
        self._csrf = names.csrf_header.lower().encode()
        self.shown_by: Final = (b"authorization", self._session)
        self.once: Final = frozenset({b"authorization", b"origin", b"host", self._session, self._csrf})  # fmt: skip

    def failed(self, headers: Sent, seen: Seen) -> None:
        """Count a token that was not good. Raises `TooMany` where there were too many such."""
        shown = shown_in(headers)
        if shown is not None:
            self.lockout.failed(seen.address, shown)

    async def find(self, headers: Sent, *, secure: bool) -> Caller:
        """Who a request is from. Beside a bearer token, right or wrong, no session is looked at.

        Raises `Unauthenticated`, with what is the matter in `reason_code`.
        """
        sent = headers.get(b"authorization")
        token = None if sent is None else bearer_of(sent.decode("latin-1"))
        if token is not None:
            principal = await self._credentials.principal_of(token)
            if principal is None:
                raise Unauthenticated(
                    "The credential is not a good one.", reason_code=UNAUTHENTICATED
                )
            return Caller(principal)
        value = self.session_in(headers, secure=secure)
        if value is None:
            raise Unauthenticated(
                "A credential is needed: Authorization: Bearer <token>.", reason_code=UNAUTHENTICATED
            )  # fmt: skip
        found = await self._credentials.principal_of_session(value)
        return Caller(found.principal, found.csrf_digest, self._session not in headers)

    def session_in(self, headers: Sent, *, secure: bool) -> str | None:
        """The value of the browser session that a request shows, if any.

        Raises `Unauthenticated` for what cannot be one.
        """
        shown = headers.get(self._session)
        if shown is not None:
            return checked_value(shown.decode("latin-1"))
        cookies = headers.get(b"cookie")
        return None if cookies is None else value_in(cookies, self.names.of_session(secure=secure))

    def check_intent(self, caller: Caller, method: str, headers: Sent) -> None:
        """Have a browser session's request prove that its page meant it. Raises `Forbidden`."""
        if caller.csrf_digest is None:
            return
        if caller.by_cookie:
            check_site(method, headers)
        if method in SAFE_METHODS:
            return
        shown = sha256(headers.get(self._csrf, b"")).digest()
        if not compare_digest(shown, caller.csrf_digest):
            raise Forbidden(
                f"The session's CSRF token is missing in {self.names.csrf_header}, or is another's.",
                reason_code="csrf_required",
            )


def shown_in(headers: Sent) -> str | None:
    """The name that failures of a token are counted under: of a user's token, the part that is no secret."""
    token = bearer_of(headers.get(b"authorization", b"").decode("latin-1"))
    read = None if token is None else read_token(token)
    return token if read is None else f"token:{read.id}"


def check_site(method: str, headers: Sent) -> None:
    """Raises `Forbidden` where the browser says that a page of another site asks.

    Pages of listed origins may: their requests say so in `Origin`, and that was looked at before.
    Who only follows a link to here may see what it leads to.
    """
    site = headers.get(b"sec-fetch-site")
    if site is None or site in FROM_HERE or b"origin" in headers:
        return
    follows = headers.get(b"sec-fetch-mode") == b"navigate"
    if follows and method == "GET" and headers.get(b"sec-fetch-dest") == b"document":
        return
    raise Forbidden("A page of another site may not ask.", reason_code="cross_site")
