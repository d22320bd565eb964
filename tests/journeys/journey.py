"""A journey: a gateway under load that dies again and again, and is held to its word at the end."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy.exc import OperationalError

from perdure.clock import SystemClock, text_of
from tests.journeys.disk import Disk
from tests.journeys.gateway import Ended, Gateway, Nursery, free_port
from tests.journeys.load import Load
from tests.journeys.promises import books, check, check_counts, until_quiet
from tests.journeys.wire import Wire
from tests.journeys.witness import Witness
from tests.support.counter import Counter

STARTERS: Final = 4
WHOLE: Final = 5  # lives to one that lasts until it has brought a run to its end
SEED: Final = 1
TELL: Final = 100  # lives to a line in the log
log: Final = logging.getLogger("journeys")


@dataclass
class Journey:
    """Everything that takes part."""

    gateway: Gateway
    disk: Disk
    counter: Counter
    wire: Wire
    witness: Witness
    load: Load

    async def mourn(self) -> None:
        """A life has ended: note what may have happened, and nobody knows."""
        assert await self.gateway.ended() == -signal.SIGKILL
        await asyncio.to_thread(self.disk.settle)
        self.witness.doubted |= await asyncio.to_thread(self.disk.dispatched)

    async def kill(self) -> None:
        """End this life now."""
        await self.gateway.kill()
        await self.mourn()

    async def die_at(self, probe: str) -> None:
        """Live until a probe ends it, which may be before anybody was answered."""
        try:
            await self.gateway.start(probe=probe)
        except Ended:
            return
        await self.mourn()


@asynccontextmanager
async def a_journey(
    folder: Path, counter: Counter, born: Nursery, postgres: str | None
) -> AsyncIterator[Journey]:
    """A journey that has not begun, on data that are not there yet."""
    data_dir = folder / "data"
    gateway = Gateway(born, data_dir, counter.url, postgres)
    async with Wire(gateway) as wire:
        witness = Witness()
        load = Load(wire, witness, counter, SEED)
        yield Journey(gateway, Disk(data_dir, postgres), counter, wire, witness, load)


async def travel(
    journey: Journey, keys: Sequence[str], dying: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Start a run for each key while the gateway dies as `dying` says; then let it live, until all is quiet."""
    load = journey.load
    background = [
        asyncio.ensure_future(one)
        for one in (load.answer(), load.read(), load.follow(), load.look())
    ]
    starting = [
        asyncio.ensure_future(load.start(keys[first::STARTERS])) for first in range(STARTERS)
    ]
    try:
        await unless_failing(dying(), *background, *starting)
        journey.witness.dying_over_at = text_of(SystemClock().now())
        await journey.gateway.start()
        load.allow(len(keys))
        await unless_failing(asyncio.gather(*starting), *background)
        load.settling = 0.0
        await unless_failing(
            until_quiet(journey.wire, "review", "child", disk=journey.disk), *background
        )
    finally:
        load.over = True
        await asyncio.gather(*background, return_exceptions=True)
        for task in starting:
            task.cancel()


async def unless_failing(work: Any, *beside: "asyncio.Future[Any]") -> None:
    """Do some work; raise at once what goes wrong beside it."""
    task = asyncio.ensure_future(work)
    left = {task, *beside}
    try:
        while not task.done():
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
    finally:
        task.cancel()


async def arrive(journey: Journey) -> None:
    """Hold the gateway to its word; then settle what is in review, and hold it to its word again."""
    read = await books(journey.wire, journey.counter, journey.witness)
    await check(journey.wire, journey.witness, read, journey.disk)
    journey.load.settling, journey.load.over = 1.0, False
    settling = asyncio.ensure_future(journey.load.answer())
    await unless_failing(until_quiet(journey.wire, disk=journey.disk), settling)
    journey.load.over = True
    await settling
    read = await books(journey.wire, journey.counter, journey.witness)
    check_counts(journey.witness, read)
    assert read.in_review() == set()
    assert all(
        row.disposition not in ("pending", "review") for row in journey.disk.outbox().values()
    )


def random_kills(
    journey: Journey, kills: int, runs_a_life: int, seed: int
) -> Callable[[], Coroutine[Any, Any, None]]:
    """So many lives, each ended at a random time after it began to answer.

    Every other life takes a start in first, and every `WHOLE`th brings a run to its end.
    """
    chance = Random(seed)

    async def dying() -> None:
        for life in range(kills):
            await journey.gateway.start()
            known = len(journey.witness.runs)
            journey.load.allow(runs_a_life)
            while life % 2 and len(journey.witness.runs) == known:
                await asyncio.sleep(0.002)
            if life % WHOLE == 0:
                await journey.load.finish(f"whole{life}")
            await asyncio.sleep(chance.uniform(0.02, 0.5))
            await journey.kill()
            if (life + 1) % TELL == 0:
                log.info("%d of %d kills, %d runs", life + 1, kills, len(journey.witness.runs))

    return dying


def hang_ups(journey: Journey, times: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """One life, in which the database cuts every connection so often; then a death."""
    chance = Random(times)

    async def dying() -> None:
        await journey.gateway.start()
        suspecting = asyncio.ensure_future(_suspect(journey))
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.1, 0.3))
            await asyncio.to_thread(journey.disk.hang_up)
        suspecting.cancel()
        await journey.kill()

    return dying


def two_at_once(journey: Journey, deaths: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """One process dies and comes back so often, while another one serves and runs the same data."""
    chance = Random(deaths)
    other = replace(journey.gateway, port=free_port())

    async def dying() -> None:
        await other.start()
        suspecting = asyncio.ensure_future(_suspect(journey))
        for _ in range(deaths):
            await journey.gateway.start()
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            await journey.gateway.kill()
        suspecting.cancel()
        journey.witness.suspected |= await asyncio.to_thread(journey.disk.dispatched)

    return dying


async def _suspect(journey: Journey) -> None:
    """Note what may have happened, all the time: its outcome may be on a connection that is cut."""
    while True:
        await asyncio.sleep(0.01)
        try:
            journey.witness.suspected |= await asyncio.to_thread(journey.disk.dispatched)
        except OperationalError:  # this connection was cut as well
            continue
