"""What proves who asks: the token, the modes, browser sessions, the keys behind them."""

from typing import Any

from pydantic import BaseModel, SecretStr, field_validator

from perdure.app.sections.setting import WholePath, setting


class CredentialSettings(BaseModel):
    """Tokens and browser sessions."""

    auth_token: SecretStr | None = setting(
        None,
        "the one token of single-token mode; made at the first start where there is none",
        "AUTH_TOKEN",
    )
    auth_token_file: WholePath | None = setting(
        None, "a file that holds the token", shown="`token` in the data directory"
    )
    user_auth: bool = setting(
        False,
        "user mode: every user has a token and a runtime of their own",
        "USER_AUTH",
        "MULTI_USER",
        "AUTH_MODE",
    )
    session_ttl_s: int = setting(
        28_800, "how long a browser session lasts, in seconds", "SESSION_TTL_S", ge=60, le=604_800
    )
    remember_session_ttl_s: int = setting(
        2_592_000,
        "how long one lasts that the browser remembers, in seconds",
        "REMEMBER_SESSION_TTL_S",
        ge=60,
        le=7_776_000,
    )
    session_idle_s: int = setting(
        43_200, "how long a browser session lasts that nobody uses, in seconds", ge=60, le=7_776_000
    )
    session_secret: SecretStr | None = setting(
        None, "what signs browser sessions; a key file serves where it is not set", "SESSION_SECRET"
    )
    session_secret_file: WholePath | None = setting(
        None,
        "the key file that signs browser sessions: 32 bytes; made at the first start",
        shown="`keys/session` in the data directory",
    )
    pepper_file: WholePath | None = setting(
        None,
        "the key file that hashes tokens: 32 bytes; made at the first start, the same for every process",
        shown="`keys/pepper` in the data directory",
    )

    @field_validator("user_auth", mode="before")
    @classmethod
    def _mode(cls, value: Any) -> Any:
        """The gateway that this one replaces names its modes."""
        named = str(value).strip().lower()
        return {"users": True, "legacy": False, "legacy-token": False, "token": False}.get(
            named, value
        )
