"""What is particular to SQLite: the settings that durability rests on, the lock, and a disk that fails."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql import sqlite as adapter
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.errors import StoreFailed, Unavailable
from perdure.kernel.draft import born
from perdure.stores.runs import Commit
from tests.support.builders import a_birth, a_run_id
from tests.support.planes import a_store

HOLD = """
import sys
from pathlib import Path
from perdure.adapters.sql.sqlite import SqliteDatabase
database = SqliteDatabase(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def pragma(database: SqliteDatabase, name: str, *, reader: bool = False) -> Any:
    """A setting as a connection has it."""
    connection = (database.readers if reader else database.writer).raw_connection()
    try:
        cursor: Any = connection.cursor()
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]
    finally:
        connection.close()


def test_every_connection_has_what_durability_rests_on(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "plane.db")
    for reader in (False, True):
        assert pragma(database, "journal_mode", reader=reader) == "wal"
        assert pragma(database, "synchronous", reader=reader) == 2
        assert pragma(database, "foreign_keys", reader=reader) == 1
        assert pragma(database, "busy_timeout", reader=reader) > 0
        assert pragma(database, "query_only", reader=reader) == int(reader)
        assert pragma(database, "mmap_size", reader=reader) == 0
    database.close()


def test_less_durability_is_there_for_who_asks_for_it(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "plane.db", synchronous="NORMAL")
    assert pragma(database, "synchronous") == 1
    database.close()


def test_a_setting_that_does_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PRAGMAS", {"journal_mode": "nonsense"})
    database = SqliteDatabase(tmp_path / "plane.db")
    with pytest.raises(StoreFailed, match="journal_mode"), database.writing():
        pass
    database.close()


def test_a_second_process_is_refused_and_the_first_one_s_death_frees_the_plane(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plane.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ},
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Unavailable, match="another process holds this plane"):
            SqliteDatabase(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        SqliteDatabase(path).close()
    finally:
        holder.kill()
        holder.communicate()


def test_an_sqlite_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(Unavailable, match=r"3\.35\.0 is needed"):
        SqliteDatabase(tmp_path / "plane.db")


@pytest.mark.anyio
async def test_after_an_error_of_the_disk_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store("sqlite", tmp_path) as store:
        await store.plane.runs.commit(Commit(born(a_birth("before"), {})))
        database: Any = store.plane.database
        with monkeypatch.context() as patched:
            patched.setattr(type(database), "writing", _failing(sqlite3.SQLITE_IOERR))
            with pytest.raises(StoreFailed):
                await store.plane.runs.commit(Commit(born(a_birth("during"), {})))
        for asked in (
            store.plane.runs.commit(Commit(born(a_birth("after"), {}))),
            store.plane.ready(),
        ):
            with pytest.raises(StoreFailed, match="takes no more writes"):
                await asked
        names = ("before", "during", "after")
        loaded = await store.plane.runs.load([a_run_id(name) for name in names])
        assert list(loaded) == [a_run_id("before")], "reading goes on"


@pytest.mark.anyio
async def test_a_full_disk_fails_what_it_cannot_take_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store("sqlite", tmp_path) as store:
        database: Any = store.plane.database
        with monkeypatch.context() as patched:
            patched.setattr(type(database), "writing", _failing(sqlite3.SQLITE_FULL))
            with pytest.raises(StoreFailed):
                await store.plane.runs.commit(Commit(born(a_birth(), {})))
        await store.plane.runs.commit(Commit(born(a_birth(), {})))
        await store.plane.ready()


def _failing(code: int) -> Any:
    def writing(_self: object) -> None:
        error = sqlite3.OperationalError("the disk said no")
        error.sqlite_errorcode = code
        raise error

    return writing
