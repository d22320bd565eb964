"""How fast a long audit chain is checked, how fast a change in it is found, and what an entry costs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.identity.audit import Verdict, verify
from perdure.runner.carry import CARRIED_MAX
from perdure.stores.audit import Carried, body_of
from tests.bench.figures import Bench, Figure
from tests.support.chains import HARMS, KEYS, TENANT, an_entry, an_export

SECTION = "The audit chain"
ENTRIES, FEW = 100_000, 2_000
CHECKPOINT_EVERY = 1_000
SIDE_BY_SIDE = 100


def checked(lines: list[bytes]) -> tuple[Verdict, float]:
    """What is found of an export, and in how many seconds."""
    begin = perf_counter()
    verdict = verify(lines, KEYS.signed)
    return verdict, perf_counter() - begin


def checks(count: int) -> list[Figure]:
    """The whole chain, and each kind of harm close to its end."""
    lines = an_export([an_entry(n) for n in range(count)], every=CHECKPOINT_EVERY)
    verdict, whole = checked(lines)
    assert verdict.ok, verdict
    name = f"{count:,} entries, with a checkpoint every {CHECKPOINT_EVERY:,}, are as written"
    figures = [Figure(SECTION, name, whole, "s")]
    place = len(lines) - 20
    for harm, change in HARMS.items():
        verdict, took = checked(change(lines, place))
        assert not verdict.ok, harm
        note = f"entry {verdict.bad_seq:,} of {count:,}"
        figures.append(Figure(SECTION, f"{harm}: found", took, "s", name, took / whole, note=note))
    return figures


async def written(folder: Path, count: int) -> list[Figure]:
    """Entries appended alone, side by side, and carried from a plane; SQLite."""
    pools = Pools()
    control = await open_sqlite_control(folder / "audit" / "control.db", pools.readers)
    audit = SqlAudit(control.database, pools.readers)
    entries = iter(an_entry(n) for n in range(100 * count))

    async def alone(times: int) -> None:
        for _ in range(times):
            await audit.append(next(entries))

    async def beside(times: int) -> None:
        await asyncio.gather(*(alone(times // SIDE_BY_SIDE) for _ in range(SIDE_BY_SIDE)))

    async def carried(times: int) -> None:
        for begin in range(0, times, CARRIED_MAX):
            rows = [
                Carried(f"p:{n}", body_of(next(entries))) for n in range(begin, begin + CARRIED_MAX)
            ]
            await audit.carry(TENANT, rows)

    ways: list[tuple[str, Callable[[int], Awaitable[None]], int]] = [
        ("one after the other", alone, count // 10), (f"{SIDE_BY_SIDE} side by side", beside, count),
        (f"carried, {CARRIED_MAX} at once", carried, 5 * count),
    ]  # fmt: skip
    figures = []
    for name, way, times in ways:
        begin = perf_counter()
        await way(times)
        figures.append(
            Figure(SECTION, f"entries kept, {name}", times / (perf_counter() - begin), "/s")
        )
    await audit.close()
    await control.close()
    pools.close()
    return figures


def measure(bench: Bench) -> list[Figure]:
    """Both."""
    count = FEW if bench.small else ENTRIES
    return [*checks(count), *asyncio.run(written(bench.scratch, FEW))]
