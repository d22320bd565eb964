"""Keys that are gone while the stores hold what only they open. The stores are read and not opened."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from perdure.adapters.sealer import ring_of
from perdure.adapters.sql.control import SCHEMA
from perdure.app.findings import Finding, Level
from perdure.app.settings import Settings
from perdure.errors import Invalid

if TYPE_CHECKING:
    import psycopg

STORES_LOOKED: Final = 256  # planes into which it goes for sealed secrets; it is a look, no audit
CONNECT_S: Final = 5
TOKENS: Final = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL"
SEALED: Final = "SELECT DISTINCT key_id FROM profiles WHERE sealed IS NOT NULL"
SCHEMAS: Final = "SELECT schemaname FROM pg_tables WHERE tablename = 'profiles' AND schemaname LIKE 'plane%%' LIMIT %s"

Kept = tuple[int, set[str]]  # how many tokens are known, and the keys by which secrets are sealed


def lost_keys(settings: Settings) -> Iterator[Finding]:
    """The tokens that the stores know are good, and their secrets can be opened."""
    url = settings.database_url
    tokens, sealed = (
        _in_files(settings.data_dir) if url is None else _in_postgres(url.get_secret_value())
    )
    pepper = settings.pepper_file or settings.data_dir / "keys" / "pepper"
    ring = settings.secrets_key_file or settings.data_dir / "keys" / "secrets"
    known = _known(settings, ring)
    missing = [] if known is None else sorted(sealed - known)
    if tokens and not pepper.exists():
        detail = f"{pepper} is gone, and without it none of {tokens} tokens is good"
        mend = f"restore {pepper} from a backup, or `perdure users bootstrap` lets the first admin in anew"
        yield Finding(Level.WRONG, "keys", detail, mend)
    if missing:
        detail = f"stored secrets are sealed with the key {', '.join(missing)}, which is not here"
        mend = f"restore {ring} from a backup, or give the key in PERDURE_SECRETS_KEY"
        yield Finding(Level.WRONG, "keys", detail, mend)
    if not missing and (pepper.exists() or not tokens):
        yield Finding(Level.OK, "keys", "nothing is kept that they do not open")


def _known(settings: Settings, ring: Path) -> set[str] | None:
    """The names of the keys that are here; `None` where a command prints them, which is not run."""
    try:
        if settings.secrets_key is not None:
            return set(ring_of(settings.secrets_key.get_secret_value()))
        if settings.secrets_key_command is not None:
            return None
        return set(ring_of(ring.read_text()))
    except (OSError, UnicodeDecodeError, Invalid):
        return set()


def _in_files(folder: Path) -> Kept:
    control = folder / "control.db"
    stores = (control, *sorted(folder.glob("planes/*/*/plane.db"))[:STORES_LOOKED])
    tokens = sum(int(count) for (count,) in _rows(control, TOKENS))
    return tokens, {str(key) for path in stores for (key,) in _rows(path, SEALED)}


def _rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a file answers; nothing where it is not there, or knows nothing of what is asked."""
    if not path.exists():
        return []
    # A file that nobody has open is read as it lies, so that the look leaves nothing beside it.
    way = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{way}", uri=True)) as connection:
            return connection.execute(statement).fetchall()
    except sqlite3.Error:
        return []


def _in_postgres(url: str) -> Kept:
    import psycopg

    address = url.replace("postgresql+psycopg://", "postgresql://")
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_S, autocommit=True) as connection:
            schemas = [row[0] for row in connection.execute(SCHEMAS, (STORES_LOOKED,))]
            tokens = sum(int(count) for (count,) in _in_schema(connection, SCHEMA, TOKENS))
            sealed = (
                row for it in (SCHEMA, *schemas) for row in _in_schema(connection, it, SEALED)
            )
            return tokens, {str(key) for (key,) in sealed}
    except psycopg.OperationalError:
        return 0, set()  # the check of the database says so


def _in_schema(
    connection: "psycopg.Connection[Any]", schema: str, statement: str
) -> list[tuple[Any, ...]]:
    """What a schema answers; nothing where it is not there, or knows nothing of what is asked."""
    import psycopg

    try:
        connection.execute("SELECT set_config('search_path', %s, false)", (f'"{schema}"',))
        return connection.execute(statement.encode()).fetchall()
    except psycopg.ProgrammingError:
        return []
