"""What is believed of a request before anybody is known: its origin, its proxies, its cookies; and lockout."""

from typing import Any

from pydantic import BaseModel, field_validator

from perdure.api.cookies import CookieNames
from perdure.app.sections.setting import NO, YES, Listed, setting


class FrontDoorSettings(BaseModel):
    """What middleware asks of every request."""

    allowed_origins: Listed[str] = setting(
        ("http://localhost:*", "http://127.0.0.1:*"),
        "browser origins that may ask, separated by commas; `*` stands for a port or a label",
        "ALLOWED_ORIGINS",
    )
    trusted_proxies: int = setting(
        0, "proxies before this server whose X-Forwarded-* is believed, counted from the right", "TRUST_PROXY",
        ge=0, le=32,
    )  # fmt: skip
    trusted_proxy_addresses: Listed[str] = setting(
        (), "addresses and networks of those proxies, separated by commas", shown="any"
    )
    hsts_s: int = setting(0, "how long browsers that came by TLS come by nothing else, in seconds; 0 for as they like", ge=0)  # fmt: skip
    session_cookie: str = setting(CookieNames().session, "the name of the session's cookie", "SESSION_COOKIE")  # fmt: skip
    csrf_cookie: str = setting(CookieNames().csrf, "the name of the CSRF cookie", "CSRF_COOKIE")
    session_header: str = setting(CookieNames().session_header, "the header that shows a session", "SESSION_HEADER")  # fmt: skip
    csrf_header: str = setting(CookieNames().csrf_header, "the header that shows its CSRF token", "CSRF_HEADER")  # fmt: skip
    host_cookies: bool = setting(
        False,
        "under TLS, `__Host-` before the cookies' names: no neighbour of the host can set them",
    )
    lockout_after: int = setting(5, "failures until a credential is locked at an address", "LOCKOUT_AFTER", ge=1)  # fmt: skip
    lockout_base_s: float = setting(1.0, "how long the first time, in seconds; then twice as long", "LOCKOUT_BASE_S", gt=0)  # fmt: skip
    lockout_max_s: float = setting(60.0, "how long at most, in seconds", "LOCKOUT_MAX_S", gt=0)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """The gateway that this one replaces has one proxy or none."""
        said = str(value).strip().lower()
        return 1 if said in YES else 0 if said in NO else value
