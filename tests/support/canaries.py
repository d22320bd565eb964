"""Canaries: secrets that tests know by their looks, and whatever a test leaves behind searched for them.

Every secret that the product makes in a test bears `MARK`. So one search for the mark, in each way in
which a text may be spelled, looks for all secrets of all tests at once.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql

MARK: Final = "cAnArYoFtEsT"  # a multiple of three letters, and nothing that anybody writes
SECRET_BYTES: Final = 32
# Where a secret lies on purpose, each a file for its owner alone.
KEPT: Final = frozenset({"bootstrap-admin-token", "pepper"})
_TABLES: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
_DATABASES: Final = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn"


def marked_urlsafe(size: int) -> str:
    """As `secrets.token_urlsafe`; what has the size of a secret begins with the mark."""
    text = token_urlsafe(size)
    return MARK + text[len(MARK) :] if size == SECRET_BYTES else text


def forms_of(secret: str) -> frozenset[bytes]:
    """The ways in which a secret may be spelled: as it is, in base64, in hex, in the form of a URL, in 16 bits."""
    plain = secret.encode()
    percented = "".join(f"%{byte:02x}" for byte in plain)
    return frozenset({
        plain, plain.hex().encode(), plain.hex().upper().encode(), percented.encode(),
        percented.upper().encode(), quote(secret, safe="").encode(), secret.encode("utf-16-le"), *_base64(plain),
    })  # fmt: skip


def _base64(plain: bytes) -> Iterator[bytes]:
    """What a text looks like in base64 wherever it stands in what was encoded; without its ragged ends."""
    for before in range(3):
        inside = b"\0" * before + plain
        whole = len(inside) // 3 * 3
        first = 4 if before else 0
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            yield encode(inside[:whole])[first:]


MARKS: Final[Mapping[str, frozenset[bytes]]] = {"a secret of a test": forms_of(MARK)}


def spelled_in(data: bytes, secrets: Mapping[str, frozenset[bytes]]) -> set[str]:
    """Which secrets, by their names, are in the data in whatever spelling."""
    return {name for name, forms in secrets.items() if any(form in data for form in forms)}


def left_in(
    folder: Path, secrets: Mapping[str, frozenset[bytes]] = MARKS, kept: Iterable[str] = KEPT
) -> list[str]:
    """What of the secrets is in the files below a folder, or in their names; the files of `kept` may have them."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes() if path.is_file() and path.name not in kept else b""
        found += [f"{it} in {name}" for it in spelled_in(name.encode() + b"\0" + data, secrets)]
    return found


def databases_of(conninfo: str) -> list[str]:
    """The databases of a server."""
    with psycopg.connect(conninfo) as connection:
        return [name for (name,) in connection.execute(_DATABASES)]


def left_in_database(conninfo: str, secrets: Mapping[str, frozenset[bytes]] = MARKS) -> list[str]:
    """What of the secrets is in the rows of any table of a database."""
    found: list[str] = []
    with psycopg.connect(conninfo) as connection:
        for schema, table in connection.execute(_TABLES).fetchall():
            whole = sql.SQL("COPY {} TO STDOUT (FORMAT binary)")
            with connection.cursor().copy(whole.format(sql.Identifier(schema, table))) as copied:
                data = b"".join(bytes(part) for part in copied)
            found += [f"{it} in {schema}.{table}" for it in spelled_in(data, secrets)]
    return found
