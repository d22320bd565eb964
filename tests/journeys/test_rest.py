"""A gateway at rest: a quarter of an hour in which nobody asks for anything, and what it does meanwhile."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from pydantic import SecretStr

from perdure.adapters.sql.control import SqlControl
from perdure.adapters.sql.dialect import Session
from perdure.adapters.sql.postgres import PostgresDatabase
from perdure.adapters.sql.sqlite import SqliteDatabase
from perdure.app.build import build
from perdure.app.planes import TENANT
from perdure.app.settings import read_settings
from perdure.clock import text_of
from perdure.ids import RuntimeId
from perdure.runner.config import RunnerConfig
from perdure.runtimes.router import RouterConfig
from perdure.runtimes.waker import WakerConfig
from tests.bench.crowd import crowd, name_of
from tests.support.hasty import HastyClock, HastyLoop, minding
from tests.support.planes import DATABASES
from tests.support.postgres import new_database

REST_S, SETTLE_S = 900.0, 300.0
MANY = 40
WAKES = 7  # of the loop for a transaction on another thread, at most
POLLS = REST_S / RunnerConfig("").poll_s
CHECKS = REST_S / RouterConfig().check_s


class Rest(NamedTuple):
    """What there was meanwhile."""

    transactions: int
    wakes: int
    opened: int  # planes that are open at its end


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Each transaction of any store, by what it begins with."""
    begun: list[str] = []
    for database, to in ((SqliteDatabase, 1), (PostgresDatabase, 0)):
        monkeypatch.setattr(database, "_session", noting(database, to, begun))
    yield begun


def noting(database: Any, at: int, begun: list[str]) -> Any:
    """Write down with what a session of a database begins, which is given at this place."""
    session = database._session

    def noted(it: Any, *given: Any) -> AbstractContextManager[Session]:
        begun.append(str(given[at]))
        of: AbstractContextManager[Session] = session(it, *given)
        return of

    return noted


async def rests(folder: Path, given: Mapping[str, Any], runtimes: int, begun: list[str]) -> Rest:
    """Open the program over so many runtimes, let it settle, and then rest."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HastyLoop)
    clock = HastyClock(loop)
    settings = read_settings(data_dir=folder, embedded_model=False, user_auth=True, **given)
    async with build(settings, clock=clock) as app, anyio.create_task_group() as group:
        assert app.runner is not None
        group.start_soon(app.runner.serve)
        control = app.control.planes
        assert isinstance(control, SqlControl)
        crowd(control.database, b"pepper", runtimes)
        for number in range(runtimes):
            await control.enter(TENANT, RuntimeId(name_of(number)), at=text_of(clock.now()))
        await anyio.sleep(SETTLE_S)
        transactions, wakes = len(begun), loop.hasty.woken
        await anyio.sleep(REST_S)
        rest = Rest(len(begun) - transactions, loop.hasty.woken - wakes, app.router.open_count)
        app.runner.stop()
    return rest


@pytest.mark.parametrize("database", DATABASES)
def test_rest_costs_the_safety_nets_and_nothing_for_each_runtime(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look into the plane that stays open, and a few into the control store and the planes that are closed."""
    found = []
    for runtimes in (0, MANY):
        given = {} if database == "sqlite" else {"database_url": SecretStr(new_database())}
        with counted(monkeypatch) as begun, asyncio.Runner(loop_factory=HastyLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, HastyLoop)
            minding(loop, monkeypatch)
            found.append(runner.run(rests(tmp_path / str(runtimes), given, runtimes, begun)))
        monkeypatch.undo()
    (alone, many), checks = found, CHECKS if database == "postgresql" else 0
    assert alone.opened == many.opened == 1
    assert alone.transactions <= 5 * POLLS + checks
    assert many.transactions <= alone.transactions + (WakerConfig().sweep_page + 1) * POLLS
    for rest in found:  # a driver or a server that polls by itself would wake ten times a second
        assert rest.wakes <= WAKES * rest.transactions
