"""Migrations: they run by themselves, end in the schema that the code uses, go back, and respect a newer release."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, inspect, text

from perdure.adapters.sql.control import open_postgres_control, open_sqlite_control
from perdure.adapters.sql.control_tables import users
from perdure.adapters.sql.migrate import CONTROL, NEWEST, RUNTIME, migrate, scripts, version_of
from perdure.adapters.sql.plane import Pools
from perdure.adapters.sql.statements import Sql
from perdure.adapters.sql.tables import PLANE as PLANE_TABLES
from perdure.errors import SchemaNewer
from perdure.ids import new_id
from tests.support.planes import DATABASES, PLACES, Store, a_store, shared_engine

TREES = {RUNTIME: PLANE_TABLES, CONTROL: users.metadata}


@pytest.fixture(params=DATABASES)
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty store, in a transaction that is never kept."""
    with empty(request.param, tmp_path) as opened:
        yield opened


@contextmanager
def empty(database: str, folder: Path) -> Iterator[Connection]:
    """An empty store."""
    if database == "sqlite":
        engine = create_engine(f"sqlite:///{folder / 'empty.db'}")
        with engine.connect() as connection:
            yield connection
        engine.dispose()
        return
    schema = f"empty {new_id()}"
    with shared_engine().connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
        yield connection
        connection.exec_driver_sql("ROLLBACK")


def config_of(connection: Connection, tree: str) -> Config:
    """Alembic's own view of a tree, on a connection."""
    config = Config()
    config.set_main_option("script_location", str(scripts(tree)))
    config.attributes["connection"] = connection
    return config


@pytest.mark.parametrize("tree", TREES)
def test_the_newest_revision_is_the_one_that_the_code_knows(tree: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts(tree)))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST[tree]]


@pytest.mark.parametrize("tree", TREES)
def test_migrations_end_in_the_tables_that_the_code_uses(connection: Connection, tree: str) -> None:
    assert migrate(connection, tree)
    assert differences(connection, TREES[tree]) == []


def differences(connection: Connection, tables: MetaData) -> list[object]:
    """What Alembic would change."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [it for it in compare_metadata(context, tables) if "alembic_version" not in str(it)]


@pytest.mark.parametrize("tree", TREES)
def test_migrations_go_up_down_and_up_again(connection: Connection, tree: str) -> None:
    migrate(connection, tree)
    before = sorted(inspect(connection).get_table_names())
    command.downgrade(config_of(connection, tree), "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    assert migrate(connection, tree)
    assert sorted(inspect(connection).get_table_names()) == before


@pytest.mark.parametrize("tree", TREES)
def test_a_store_that_is_up_to_date_is_left_alone(connection: Connection, tree: str) -> None:
    assert version_of(connection) is None
    migrate(connection, tree)
    assert version_of(connection) == NEWEST[tree]
    assert not migrate(connection, tree)


def test_a_newer_schema_is_refused_with_the_command_that_helps(connection: Connection) -> None:
    migrate(connection, RUNTIME)
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaNewer, match="pip install --upgrade perdure") as caught:
        migrate(connection, RUNTIME)
    assert caught.value.facts == {"present": "9999", "newest": NEWEST[RUNTIME]}


def test_a_probe_is_passed_between_the_statements(connection: Connection) -> None:
    passed: list[str] = []
    migrate(connection, RUNTIME, passed.append)
    assert set(passed) == {"migration"}
    assert len(passed) > len(PLANE_TABLES.tables)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.anyio
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("at", [1, 7, 20])
async def test_a_migration_that_was_cut_leaves_a_store_that_opens(
    database: str, at: int, tmp_path: Path
) -> None:
    pools = Pools()
    store = Store(PLACES[database](tmp_path), pools)
    passed = 0

    def probe(name: str) -> None:
        nonlocal passed
        passed += name == "migration"
        if passed == at:
            raise Killed

    with pytest.raises(Killed):
        plane = await store.place.open(store.config(probe=probe))
        await plane.ready()
    plane = await store.place.open(store.config())
    await plane.ready()
    await plane.close()
    pools.close()


@pytest.mark.anyio
@pytest.mark.parametrize("database", DATABASES)
async def test_a_plane_of_a_newer_release_is_not_opened_and_not_changed(
    database: str, tmp_path: Path
) -> None:
    async with a_store(database, tmp_path) as store:
        await store.plane.ready()
        store.tamper("UPDATE alembic_version SET version_num = '9999'")
        await store.plane.close()
        with pytest.raises(SchemaNewer):
            await store.place.open(store.config())
        assert store.tamper("SELECT version_num FROM alembic_version") == [("9999",)]
        store.tamper("UPDATE alembic_version SET version_num = ?", NEWEST[RUNTIME])
        store.plane = await store.place.open(store.config())


@pytest.mark.anyio
async def test_control_stores_of_a_newer_release_are_refused(tmp_path: Path) -> None:
    pools = Pools()
    schema = f"control {new_id()}"
    opened = await open_sqlite_control(tmp_path / "control.db", pools.readers)
    with opened.database.writing() as session:
        session.run(Sql(text("UPDATE alembic_version SET version_num = '9999'")))
    await opened.close()
    with pytest.raises(SchemaNewer):
        await open_sqlite_control(tmp_path / "control.db", pools.readers)
    await open_postgres_control(shared_engine(), pools.readers, schema)
    with shared_engine().connect() as connection:
        connection.exec_driver_sql(f"UPDATE \"{schema}\".alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaNewer):
        await open_postgres_control(shared_engine(), pools.readers, schema)
    pools.close()


def test_stores_that_are_opened_at_once_are_migrated_one_after_the_other(tmp_path: Path) -> None:
    """Alembic's globals would have one thread write into the store of another."""
    many, statements = 4, []
    together = Barrier(many)

    def opening(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with empty("sqlite", folder) as connection:
            together.wait()
            migrate(connection, RUNTIME, lambda _where: statements.append(number))

    with ThreadPoolExecutor(many) as threads:
        list(threads.map(opening, range(many)))
    assert len([number for number, _ in groupby(statements)]) == many
