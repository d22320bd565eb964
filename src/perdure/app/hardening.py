"""What stands open on a machine and should be closed. Each check looks, changes nothing, and says what closes it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from perdure.app.findings import Check, Finding, Level
from perdure.app.settings import (
    CONFIG,
    LOCAL_HOSTS,
    PROVIDER_NAME,
    Settings,
    config_path,
    variables,
)
from perdure.app.token_files import bootstrap_path, token_path

TOKEN_LETTERS_MIN: Final = 32  # with fewer, or with few different ones, a token can be guessed
TOKEN_DIFFERENT_MIN: Final = 10
NETWORK_FILES: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"})  # fmt: skip
MOUNTS: Final = Path("/proc/self/mounts")
OTHERS: Final = 0o077  # what group and everybody else may do
LIKE_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})


def weak_token(settings: Settings) -> Iterator[Finding]:
    """Nobody guesses the token."""
    token = _token(settings)
    if token is None:
        return
    if len(token) < TOKEN_LETTERS_MIN or len(set(token)) < TOKEN_DIFFERENT_MIN:
        mend = f"openssl rand -hex 32, and set it as PERDURE_AUTH_TOKEN or write it to {token_path(settings)}"
        yield Finding(Level.WRONG, "token strength", "the token is short enough to be guessed", mend)  # fmt: skip
    else:
        yield Finding(Level.OK, "token strength", f"{len(token)} letters")


def _token(settings: Settings) -> str | None:
    """The token as it is set; `None` where there is none to look at yet."""
    if settings.auth_token is not None:
        return settings.auth_token.get_secret_value()
    try:
        return token_path(settings).read_text().strip() or None
    except OSError:
        return None  # the check of the file says so


def open_origins(settings: Settings) -> Iterator[Finding]:
    """Only pages that are known may ask in a browser's name."""
    for origin in settings.allowed_origins:
        scheme, _, rest = origin.partition("://")
        host = rest.removesuffix(":*").partition(":")[0]
        if "*" in scheme or host in ("", "*") or (host.startswith("*") and host.count(".") < 2):
            yield Finding(Level.WRONG, "origins", f"{origin} lets pages of strangers ask", "name each origin in PERDURE_ALLOWED_ORIGINS")  # fmt: skip
        elif scheme == "http" and host not in LOCAL_HOSTS:
            yield Finding(Level.WARNING, "origins", f"{origin} can be faked by whoever is on its way", f"https://{rest} in PERDURE_ALLOWED_ORIGINS")  # fmt: skip
    yield Finding(Level.OK, "origins", f"{len(settings.allowed_origins)} in the list")


def plain_http(settings: Settings) -> Iterator[Finding]:
    """What other machines can reach is encrypted on its way."""
    if settings.host in LOCAL_HOSTS:
        yield Finding(Level.OK, "address", f"only this machine reaches {settings.host}")
    else:
        detail = f"{settings.host} is reached from other machines, and what is spoken there is plain HTTP"
        yield Finding(Level.WARNING, "address", detail, "PERDURE_HOST=127.0.0.1 behind a proxy that ends TLS; see deploy/")  # fmt: skip


def superuser(settings: Settings) -> Iterator[Finding]:
    """The gateway runs under an account that can do little else."""
    if os.geteuid() == 0:
        yield Finding(Level.WARNING, "account", "this is root, which the gateway has no need to be", "run it under an account of its own, as deploy/systemd does")  # fmt: skip
    else:
        yield Finding(Level.OK, "account", f"number {os.geteuid()}")


def open_files_of_ours(settings: Settings) -> Iterator[Finding]:
    """Databases, keys and tokens are for this account alone."""
    folder = settings.data_dir
    if stat_of(folder) is None or not stat.S_IMODE(folder.stat().st_mode) & OTHERS:
        yield Finding(Level.OK, "files", "nobody else gets to what is in the data directory")
        return
    ours = [*folder.glob("*.db*"), *folder.glob("keys/*"), *folder.glob("auth/*"), token_path(settings)]  # fmt: skip
    for path in sorted(set(ours)):
        found = stat_of(path)
        if found is not None and stat.S_IMODE(found.st_mode) & OTHERS:
            yield Finding(Level.WRONG, "files", f"other accounts can get at {path}", f"chmod 600 {path}")  # fmt: skip


def stat_of(path: Path) -> os.stat_result | None:
    """What the system says of a file; `None` where there is none."""
    try:
        return path.stat()
    except OSError:
        return None


def network_files(settings: Settings) -> Iterator[Finding]:
    """SQLite's locks and syncs are kept by the file system under it."""
    if settings.database_url is not None:
        return
    kind = file_system_of(settings.data_dir)
    if kind in NETWORK_FILES:
        mend = "a local disk for PERDURE_DATA_DIR, or Postgres (PERDURE_DATABASE_URL)"
        yield Finding(Level.WRONG, "file system", f"{settings.data_dir} lies on {kind}, where SQLite can lose data", mend)  # fmt: skip
    else:
        yield Finding(Level.OK, "file system", kind or "unknown")


def file_system_of(folder: Path) -> str:
    """The kind of file system that a folder lies on, or will; empty where the system does not tell."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    known = {place: kind for _, place, kind, *_ in map(str.split, lines)}
    places = [str(it) for it in (folder, *folder.parents)]
    return next((known[it] for it in places if it in known), "")


def settings_file(settings: Settings) -> Iterator[Finding]:
    """A settings file that holds secrets is for this account alone."""
    path = config_path()
    found = path and stat_of(path)
    if path is None or not found:
        return
    if stat.S_IMODE(found.st_mode) & OTHERS and stat.S_IMODE(path.parent.stat().st_mode) & OTHERS:
        yield Finding(Level.WARNING, "settings file", f"other accounts can read {path}", f"chmod 600 {path}")  # fmt: skip
    else:
        yield Finding(Level.OK, "settings file", f"{CONFIG} is for this account alone")


def durable_sqlite(settings: Settings) -> Iterator[Finding]:
    """What is acknowledged is on disk."""
    if settings.database_url is None and settings.sqlite_synchronous != "FULL":
        detail = "when the power fails, what was acknowledged last may be lost"
        yield Finding(Level.WARNING, "durability", detail, "unset PERDURE_SQLITE_SYNCHRONOUS")


def plain_postgres(settings: Settings) -> Iterator[Finding]:
    """The way to the database is encrypted, where it leaves this machine."""
    if settings.database_url is None:
        return
    url = urlsplit(settings.database_url.get_secret_value())
    query = parse_qs(url.query)
    host = query.get("host", [url.hostname or ""])[0]
    local = host in LOCAL_HOSTS or host == "" or host.startswith("/")
    if local or query.get("sslmode", [""])[0] in LIKE_ENCRYPTED:
        yield Finding(Level.OK, "way to Postgres", "stays here" if local else "encrypted")
    else:
        yield Finding(Level.WARNING, "way to Postgres", "may be plain text", "add ?sslmode=verify-full to PERDURE_DATABASE_URL")  # fmt: skip


def plain_providers(settings: Settings) -> Iterator[Finding]:
    """A provider's key is not sent in plain text over a network."""
    known = variables()
    for name, value in sorted(known.items()):
        match = PROVIDER_NAME.match(name)
        if match is None or match[2] != "BASE_URL" or f"PERDURE_PROVIDER_{match[1]}_API_KEY" not in known:  # fmt: skip
            continue
        url = urlsplit(value)
        if url.scheme == "http" and url.hostname not in LOCAL_HOSTS:
            yield Finding(Level.WARNING, "providers", f"the key of {match[1].lower()} goes over plain HTTP", f"an https address in {name}")  # fmt: skip


def forgotten_token(settings: Settings) -> Iterator[Finding]:
    """The first admin's token does not lie about."""
    path = bootstrap_path(settings)
    if path.exists():
        yield Finding(Level.WARNING, "first token", f"{path} still holds the first admin's token", f"keep it elsewhere, then rm {path}")  # fmt: skip


CHECKS: Final[tuple[Check, ...]] = (
    weak_token, open_origins, plain_http, superuser, open_files_of_ours, network_files, settings_file,
    durable_sqlite, plain_postgres, plain_providers, forgotten_token,
)  # fmt: skip
