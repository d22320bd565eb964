"""Where the tokens of this installation are kept on disk, and how its own is made at the first start."""

import contextlib
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from perdure.app.settings import Settings
from perdure.errors import Invalid


def token_path(settings: Settings) -> Path:
    """Where the token is kept that opens this installation from this machine: its own, or its first admin's."""
    if settings.auth_token_file is not None:
        return settings.auth_token_file
    return bootstrap_path(settings) if settings.user_auth else settings.data_dir / "token"


def bootstrap_path(settings: Settings) -> Path:
    """Where the first admin's first token is kept, until they take it away."""
    return settings.data_dir / "auth" / "bootstrap-admin-token"


def installation_token_of(settings: Settings) -> SecretStr | None:
    """The installation's own token in user mode: there where one was set on purpose. Raises `Invalid`."""
    if settings.auth_token is None and settings.auth_token_file is None:
        return None
    return token_of(settings)


def token_of(settings: Settings) -> SecretStr:
    """The token of single-token mode: as set, as in its file, or made once and kept 0600."""
    if settings.auth_token is not None:
        return settings.auth_token
    path = token_path(settings)
    if not path.exists():
        _make_token(path)
    text = path.read_text().strip()
    if not text:
        raise Invalid(f"the token file {path} is empty", setting="auth_token_file")
    return SecretStr(text)


def _make_token(path: Path) -> None:
    """Put a new token in place whole; where two processes begin at once, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("agw_" + secrets.token_urlsafe(32) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()
