"""The two cookies of a browser session and the two headers that say the same, by their names.

The session's cookie is for the server alone; the CSRF cookie is there to be read by the pages that
send it back in its header. Neither names a domain, so that neighbours of the host get none.
"""

import re
from typing import Final, NamedTuple

from perdure.errors import Invalid, Unauthenticated

VALUE_LETTERS_MAX: Final = 1_024  # of what is shown; more is no session
HOST_PREFIX: Final = (
    "__Host-"  # RFC 6265bis §4.1.3.2: the browser itself holds such a cookie to its host
)

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110 §5.6.2
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,1024}")  # RFC 6265 §4.1.1


class CookieNames(NamedTuple):
    """What the cookies and headers are called. `held_to_host` prefixes the cookies where there is TLS."""

    session: str = "abstractgateway_session"
    csrf: str = "abstractgateway_csrf"
    session_header: str = "X-AbstractGateway-Session"
    csrf_header: str = "X-AbstractGateway-CSRF"
    held_to_host: bool = False

    def of_session(self, *, secure: bool) -> str:
        """The name of the session's cookie."""
        return self._prefixed(self.session, secure)

    def of_csrf(self, *, secure: bool) -> str:
        """The name of the CSRF cookie."""
        return self._prefixed(self.csrf, secure)

    def _prefixed(self, name: str, secure: bool) -> str:
        return HOST_PREFIX + name if self.held_to_host and secure else name


def checked_name(text: str) -> str:
    """A name for a cookie or a header. Raises `Invalid` for text that cannot be one."""
    if not _TOKEN.fullmatch(text):
        raise Invalid(f"{text!r} cannot be the name of a cookie or a header")
    return text


def value_in(cookies: bytes, name: str) -> str | None:
    """The value of a cookie, or `None` where it is not there.

    Raises `Unauthenticated` for several of one name, of which somebody else may have set one, and
    for what no cookie of ours can hold.
    """
    found = [
        value.strip()
        for pair in cookies.decode("latin-1").split(";")
        for key, is_one, value in [pair.partition("=")]
        if is_one and key.strip() == name
    ]
    if not found:
        return None
    if len(found) > 1 or not _VALUE.fullmatch(found[0]):
        raise Unauthenticated("The session's cookie is not one that was set here.")
    return found[0]


def checked_value(value: str) -> str:
    """What a header holds for a session. Raises `Unauthenticated` where no session can be meant."""
    if not _VALUE.fullmatch(value):
        raise Unauthenticated("The session is not one that was opened here.")
    return value


def cookie(
    name: str, value: str, *, secure: bool, readable: bool = False, max_age_s: int | None = None
) -> tuple[bytes, bytes]:
    """The header that sets a cookie; without `max_age_s` it ends with the browser."""
    parts = [f"{name}={value}", "Path=/", "SameSite=lax"]
    if not readable:
        parts.append("HttpOnly")
    if secure:
        parts.append("Secure")
    if max_age_s is not None:
        parts.append(f"Max-Age={max_age_s}")
    return (b"set-cookie", "; ".join(parts).encode("ascii"))


def cookies_of_session(
    names: CookieNames, session: str, csrf: str, *, secure: bool, max_age_s: int | None
) -> list[tuple[bytes, bytes]]:
    """Set both cookies of a session. `max_age_s` is for one that outlives the browser."""
    return [
        cookie(names.of_session(secure=secure), session, secure=secure, max_age_s=max_age_s),
        cookie(names.of_csrf(secure=secure), csrf, secure=secure, readable=True, max_age_s=max_age_s),
    ]  # fmt: skip


def cookies_gone(names: CookieNames, *, secure: bool) -> list[tuple[bytes, bytes]]:
    """Have the browser forget both."""
    return cookies_of_session(names, "", "", secure=secure, max_age_s=0)
