"""What a server holds and spends while thousands of runtimes rest, beside the same server with a few."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from urllib.request import Request, urlopen

import psycopg

from perdure.adapters.keyfiles import key_in
from perdure.adapters.sql.control import (
    SqlControl,
    open_postgres_control,
    open_sqlite_control,
    schema_of,
)
from perdure.adapters.sql.dialect import Write
from perdure.adapters.sql.migrate import NEWEST, RUNTIME
from perdure.adapters.sql.plane import (
    PlaneConfig,
    Pools,
    open_postgres_plane,
    open_sqlite_plane,
)
from perdure.adapters.sql.postgres import postgres_engine
from perdure.adapters.sql.statements import inserting
from perdure.adapters.sql.tables import planes
from perdure.clock import SystemClock, text_of
from perdure.ids import RuntimeId
from perdure.runtimes.folders import plane_folder
from tests.bench.crowd import TENANT, crowd, name_of
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.gateway import API, Gateway, gateway
from tests.bench.idle import Usage, idle_share, usage_of
from tests.bench.plane import engine_address
from tests.bench.postgres import postgres

SECTION = "Runtimes at rest"
IN_FILES, IN_POSTGRES, SMALL = 10_000, 1_000, 200
COPIES = (
    200  # whose planes are files of their own: more than come by; the others are links to the first
)
MADE_AT_ONCE = 4  # schemas
ALLOWED = 50 * 2**20  # bytes that all of them may add
SETTLE_S = 5.0
IDLE_S = 60.0  # in which the slow sweep looks into a few of them, three times
VISITED, VISITED_SMALL = 100, 20
CLOSING_S = 12.0  # until what was visited is closed: longer than it may stay open without use
USERS: Mapping[str, str] = {"PERDURE_USER_AUTH": "1", "PERDURE_PLANE_IDLE_S": "3"}
_PLANES = inserting(
    planes, ("tenant", "runtime", "schema_name", "schema_version", "due_at", "noted_at")
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a server had at rest, and after some of its users had come by."""

    at_rest: Usage
    share: float  # of a core, in percent
    after: Usage


def known(control: SqlControl, pepper: bytes, count: int) -> list[str]:
    """Make users whose runtimes were opened once and have nothing to do; their tokens."""
    tokens = crowd(control.database, pepper, count)
    at = text_of(SystemClock().now())
    names = [RuntimeId(name_of(number)) for number in range(count)]
    rows = [(TENANT, it, schema_of(TENANT, it), NEWEST[RUNTIME], None, at) for it in names]
    with control.database.writing() as session:
        session.write([Write(_PLANES, rows)])
    return tokens


async def in_files(data: Path, count: int) -> list[str]:
    """Lay runtimes out below a data directory; the tokens of their users."""
    pools = Pools()
    control = await open_sqlite_control(data / "control.db", pools.readers)
    tokens = known(control, key_in(data / "keys" / "pepper", "tokens"), count)
    await control.close()
    first, *others = [plane_folder(data, TENANT, RuntimeId(name_of(it))) for it in range(count)]
    plane = await open_sqlite_plane(first, PlaneConfig(lambda _batch: None, pools))
    await plane.close()
    for folder in others[:COPIES]:
        shutil.copytree(first, folder)
    for folder in others[COPIES:]:
        shutil.copytree(others[0], folder, copy_function=os.link)
    pools.close()
    return tokens


async def in_postgres(data: Path, url: str, count: int) -> list[str]:
    """The same in a database, with the schema of each."""
    pools, engine = Pools(), postgres_engine(url)
    control = await open_postgres_control(engine, pools.readers)
    tokens = known(control, key_in(data / "keys" / "pepper", "tokens"), count)
    left = iter([RuntimeId(name_of(it)) for it in range(count)])

    async def make() -> None:
        for runtime in left:
            folder = plane_folder(data, TENANT, runtime) / "artifacts"
            plane = await open_postgres_plane(engine, schema_of(TENANT, runtime), folder, config)
            await plane.ready()
            await plane.close()

    config = PlaneConfig(lambda _batch: None, pools)
    await asyncio.gather(*(make() for _ in range(MADE_AT_ONCE)))
    engine.dispose()
    pools.close()
    return tokens


def visited(server: Gateway, tokens: list[str]) -> None:
    """Have users ask for their runs, so that each one's plane is opened."""
    for token in tokens:
        url = f"http://127.0.0.1:{server.port}{API}/runs"
        with urlopen(
            Request(url, headers={"authorization": f"Bearer {token}"}), timeout=30
        ) as answer:
            assert answer.status == 200  # loopback


def held(bench: Bench, home: Path, more: Mapping[str, str], tokens: list[str]) -> Held:
    """What a server on this home holds at rest, and when these users came by and went."""
    with gateway(bench, home, {**USERS, **more}) as server:
        sleep(SETTLE_S)
        share = idle_share(server.pid, 3.0 if bench.small else IDLE_S)
        at_rest = usage_of(server.pid)
        visited(server, tokens)
        sleep(CLOSING_S)
        return Held(at_rest, share, usage_of(server.pid))


def figures_of(database: str, count: int, many: Held, none: Held, visits: int) -> list[Figure]:
    """Many beside few."""
    added, kept = (
        many.at_rest.resident - none.at_rest.resident,
        many.after.resident - none.after.resident,
    )
    name, mib = f"{count:,} at rest, {database}", 2**20
    came = f"{visits} of them came by and are closed again; beside the same with no others"
    return [
        Figure(SECTION, f"{name}: added memory", added / mib, "MiB", "50 MiB", added / ALLOWED,
               note=f"{many.at_rest.resident / mib:.0f} MiB, and {none.at_rest.resident / mib:.0f} with {visits}"),
        Figure(SECTION, f"{name}: added memory after visits", kept / mib, "MiB", "50 MiB", kept / ALLOWED,
               note=came),
        Figure(SECTION, f"{name}: CPU", many.share, "% of a core", note=f"with {visits} {none.share:.3g} %"),
    ]  # fmt: skip


@contextmanager
def homes(bench: Bench) -> Iterator[tuple[Path, Path]]:
    """Two places for servers, gone afterwards."""
    with TemporaryDirectory(dir=bench.scratch) as name:
        full, empty = Path(name) / "full", Path(name) / "empty"
        for home in (full, empty):
            (home / "data").mkdir(parents=True, mode=0o700)
        yield full, empty


def on_sqlite(bench: Bench) -> list[Figure]:
    """Files."""
    count, visits = (SMALL, VISITED_SMALL) if bench.small else (IN_FILES, VISITED)
    with homes(bench) as (full, empty):
        tokens = asyncio.run(in_files(full / "data", count))
        few = asyncio.run(in_files(empty / "data", visits))
        many = held(bench, full, {}, tokens[:visits])
        none = held(bench, empty, {}, few)
    return figures_of("SQLite", count, many, none, visits)


def on_postgres(bench: Bench) -> list[Figure]:
    """Schemas."""
    count, visits = (SMALL, VISITED_SMALL) if bench.small else (IN_POSTGRES, VISITED)
    with postgres() as dsn, homes(bench) as (full, empty):
        with psycopg.connect(dsn, autocommit=True) as connection:
            for name in (b"few", b"many"):
                connection.execute(b"CREATE DATABASE " + name)
        few_url, many_url = (
            engine_address(dsn.replace("dbname=postgres", f"dbname={name}"))
            for name in ("few", "many")
        )
        tokens = asyncio.run(in_postgres(full / "data", many_url, count))
        few = asyncio.run(in_postgres(empty / "data", few_url, visits))
        many = held(bench, full, {"PERDURE_DATABASE_URL": many_url}, tokens[:visits])
        none = held(bench, empty, {"PERDURE_DATABASE_URL": few_url}, few)
    return figures_of("Postgres", count, many, none, visits)


def measure(bench: Bench) -> list[Figure]:
    """Both databases."""
    figures = []
    for name, way in (("SQLite", on_sqlite), ("Postgres", on_postgres)):
        try:
            figures += way(bench)
        except Unavailable as why:
            figures.append(not_measured(SECTION, name, why))
    return figures
