"""Brings a store to the schema of this release when it is opened, and leaves a newer one alone."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, event, inspect, text

import perdure
from perdure.errors import SchemaNewer

# The last revision of each tree; a test holds them to the files.
RUNTIME: Final = "runtime"
CONTROL: Final = "control"
NEWEST: Final = {RUNTIME: "0005", CONTROL: "0002"}
VERSION_TABLE: Final = "alembic_version"

_PACKAGE: Final = Path(perdure.__file__).parent
_ONE_AT_A_TIME: Final = Lock()  # alembic keeps its connection in a global


def scripts(tree: str) -> Path:
    """Where the revisions of a tree lie: in the installed package, or in the checkout."""
    shipped = _PACKAGE / "_data" / "migrations"
    return (shipped if shipped.exists() else _PACKAGE.parents[1] / "migrations") / tree


def migrate(connection: Connection, tree: str, probe: Callable[[str], None] | None = None) -> bool:
    """Bring a store to this release's schema, in the caller's transaction; whether anything was done.

    Raises `SchemaNewer` where a newer release has written it.
    """
    present = version_of(connection)
    if present == NEWEST[tree]:
        return False
    if present is not None and present > NEWEST[tree]:
        raise SchemaNewer(
            f"The store has schema {present}; this release knows schemas up to {NEWEST[tree]}. "
            "Install the newer release that wrote it: `pip install --upgrade perdure`.",
            present=present, newest=NEWEST[tree],
        )  # fmt: skip
    _upgrade(connection, tree, probe)
    return True


def version_of(connection: Connection) -> str | None:
    """The schema that a store has, or `None` for one that is empty."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return version


def _upgrade(connection: Connection, tree: str, probe: Callable[[str], None] | None) -> None:
    # Most starts have nothing to do, and this import takes as long as the rest of the opening.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts(tree)))
    config.attributes["connection"] = connection
    if probe is not None:
        event.listen(connection, "after_cursor_execute", _probing(probe))
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def _probing(probe: Callable[[str], None]) -> Callable[..., None]:
    def between_statements(*_args: Any) -> None:
        probe("migration")

    return between_statements
