"""What it costs to come in where there are many users, beside few; and what a wrong token costs beside a right one."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count as counted
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import SqlControl, open_postgres_control, open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.adapters.sql.postgres import postgres_engine
from perdure.clock import SystemClock
from perdure.ids import new_id, new_secret, new_token_id
from perdure.runtimes.control import ControlContext
from perdure.services import sessions
from perdure.services.credentials import StoredCredentials
from perdure.services.sessions import Browser
from perdure.services.uses import Uses
from tests.bench.crowd import crowd, name_of
from tests.bench.figures import Bench, Figure, Unavailable, not_measured
from tests.bench.plane import engine_address
from tests.bench.postgres import postgres
from tests.support.control import context_of

SECTION = "Who comes in, among many"
FEW, MANY, MANY_SMALL = 10, 10_000, 1_000
ROUNDS, ROUNDS_SMALL = 300, 60  # of each kind, in turns
WARM_UP = 10

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Door:
    """A control store with a crowd in it."""

    control: ControlContext
    credentials: StoredCredentials
    tokens: list[str]


@asynccontextmanager
async def door(store: SqlControl, pools: Pools, users: int) -> AsyncGenerator[Door]:
    """Fill a store with so many users."""
    audit = SqlAudit(store.database, pools.readers)
    control = context_of(store.database, audit, store, SystemClock(), pools.readers)
    tokens = crowd(store.database, control.pepper, users)
    uses = Uses(control.tokens, control.sessions, control.clock)
    try:
        yield Door(control, StoredCredentials(control, uses), tokens)
    finally:
        await audit.close()
        await store.close()


def calls_of(it: Door) -> dict[str, Call]:
    """What is measured at one door: each time another user."""
    numbers = counted()

    async def right() -> None:
        token = it.tokens[next(numbers) % len(it.tokens)]
        assert await it.credentials.principal_of(token) is not None

    async def wrong() -> None:
        token = it.tokens[next(numbers) % len(it.tokens)][:-43] + new_secret()
        assert await it.credentials.principal_of(token) is None

    async def unknown() -> None:
        token = f"agw_{new_token_id()}_{new_secret()}"
        assert await it.credentials.principal_of(token) is None

    async def sign_in() -> None:
        number = next(numbers) % len(it.tokens)
        await sessions.open_session(
            it.control, name_of(number), it.tokens[number], browser=Browser()
        )

    return {"bearer": right, "wrong": wrong, "unknown": unknown, "sign-in": sign_in}


async def timed(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """The median of each call in seconds; they take turns in any order, so that what slows one slows all."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    order, names = Random(1), list(calls)
    for number in range(WARM_UP + rounds):
        order.shuffle(names)
        for name in names:
            begin = perf_counter()
            await calls[name]()
            if number >= WARM_UP:
                took[name].append(perf_counter() - begin)
    return {name: median(times) for name, times in took.items()}


def figures_of(database: str, took: dict[str, float], many: int) -> list[Figure]:
    """Many beside few, and wrong beside right among many."""
    figures = []
    for name, what in (("bearer", "a bearer check"), ("sign-in", "a sign-in")):
        few, all_ = took[f"few {name}"], took[f"many {name}"]
        beside = f"{what}, {database}, {FEW} users"
        figures += [
            Figure(SECTION, beside, few * 1e3, "ms"),
            Figure(SECTION, f"{what}, {database}, {many:,} users", all_ * 1e3, "ms", beside, all_ / few),
        ]  # fmt: skip
    right, beside = took["many bearer"], f"a bearer check, {database}, {many:,} users"
    for name, what in (("wrong", "a wrong secret"), ("unknown", "an unknown token")):
        spent = took[f"many {name}"]
        figures.append(
            Figure(SECTION, f"{what}, {database}", spent * 1e3, "ms", beside, spent / right)
        )
    return figures


async def measured(stores: tuple[SqlControl, SqlControl], pools: Pools, bench: Bench) -> dict[str, float]:  # fmt: skip
    """Both crowds side by side in one process."""
    many = MANY_SMALL if bench.small else MANY
    async with door(stores[0], pools, FEW) as few, door(stores[1], pools, many) as all_:
        calls = {f"few {name}": call for name, call in calls_of(few).items()}
        calls |= {f"many {name}": call for name, call in calls_of(all_).items()}
        return await timed(calls, ROUNDS_SMALL if bench.small else ROUNDS)


async def in_files(bench: Bench, folder: Path) -> dict[str, float]:
    """On SQLite."""
    pools = Pools()
    try:
        few = await open_sqlite_control(folder / "few" / "control.db", pools.readers)
        many = await open_sqlite_control(folder / "many" / "control.db", pools.readers)
        return await measured((few, many), pools, bench)
    finally:
        pools.close()


async def in_postgres(bench: Bench, dsn: str) -> dict[str, float]:
    """On Postgres, in two schemas."""
    async with AsyncExitStack() as stack:
        pools, engine = Pools(), postgres_engine(engine_address(dsn))
        stack.callback(engine.dispose)
        stack.callback(pools.close)
        few = await open_postgres_control(engine, pools.readers, f"few {new_id()}")
        many = await open_postgres_control(engine, pools.readers, f"many {new_id()}")
        return await measured((few, many), pools, bench)


def measure(bench: Bench) -> list[Figure]:
    """Both databases."""
    many = MANY_SMALL if bench.small else MANY
    with TemporaryDirectory(dir=bench.scratch) as name:
        figures = figures_of("SQLite", asyncio.run(in_files(bench, Path(name))), many)
    try:
        with postgres() as dsn:
            return figures + figures_of("Postgres", asyncio.run(in_postgres(bench, dsn)), many)
    except Unavailable as why:
        return [*figures, not_measured(SECTION, "Postgres", why)]
