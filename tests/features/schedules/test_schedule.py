"""Schedules at work on a plane: each planned time started once, whoever serves it, and told of in pages."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.sql.batches import SqlBatches
from perdure.adapters.sql.runs import SqlRuns
from perdure.adapters.sql.writer import Answer
from perdure.clock import text_of
from perdure.errors import RunNotFound
from perdure.features.schedules import schedule
from perdure.features.schedules.schedule import occurrences, preview, shown
from perdure.ids import RunId
from perdure.kernel.model import Status
from perdure.stores.runs import Commit, Loaded, RunQuery
from tests.support.clock import START, FakeClock
from tests.support.scheduling import every
from tests.support.timetable import Timetable, a_timetable

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)
MANY, FEW = (
    120,
    24,
)  # schedules; looks, and commits, that are a matter of batches and not of schedules
SOAK = int(os.environ.get("SOAK", "2000"))


async def tick_together(table: Timetable, schedules: int, ticks: int) -> None:
    """So many schedules of a minute, through so many minutes, and what the ledgers then say."""
    ids = [await table.plan(interval="1m", overlap="allow_all") for _ in range(schedules)]
    for tick in range(1, ticks + 1):
        for run_id in ids:
            await table.until(run_id, tick)
        table.clock.advance(60)
        table.look()
    for run_id in ids:
        await table.until(run_id, ticks + 1)
        assert await table.told(run_id) == every(START, MINUTE, ticks + 1)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_two_runners_start_no_occurrence_twice(database: str, tmp_path: Path) -> None:
    """On SQLite one process has the plane: there they share what is open of it."""
    async with a_timetable(database, tmp_path, runners=2) as table:
        await tick_together(table, schedules=10, ticks=8)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_two_runners_start_no_occurrence_twice_in_many_ticks(
    database: str, tmp_path: Path
) -> None:
    """As many ticks as five times SOAK: 10,000 of its default."""
    async with a_timetable(database, tmp_path, runners=2) as table:
        await tick_together(table, schedules=50, ticks=SOAK // 10)


async def test_many_that_are_due_at_once_cost_looks_and_commits_by_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when their occurrences end, and none of the schedules is in hand any more."""
    looks, commits = list[int](), list[int]()
    load, write = SqlRuns.load, SqlBatches.write

    async def looked(runs: SqlRuns, run_ids: Sequence[RunId]) -> Mapping[RunId, Loaded]:
        looks.append(len(run_ids))
        return await load(runs, run_ids)

    def wrote(batches: SqlBatches, batch: Sequence[Any]) -> list[Answer]:
        commits.append(sum(isinstance(what, Commit) for what in batch))
        return write(batches, batch)

    monkeypatch.setattr(SqlRuns, "load", looked)
    monkeypatch.setattr(SqlBatches, "write", wrote)
    async with a_timetable("sqlite", tmp_path, hot_idle_max=0) as table:
        start = text_of(table.clock.now() + MINUTE)
        ids = [await table.plan(start_at=start) for _ in range(MANY)]
        await table.rested(lambda: sum(commits) == 2 * MANY)  # each was born, and waits
        del looks[:], commits[:]
        table.clock.advance(60)
        table.look()
        await table.rested(
            lambda: sum(commits) == 3 * MANY
        )  # a start, its end, and what is made of it
        assert sum(looks) == 2 * MANY
        assert len(looks) <= FEW
        assert len(commits) <= FEW
        assert {await table.planned(run_id) for run_id in ids} == {1}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_three_hours_down_every_planned_time_is_on_record_once(
    database: str, tmp_path: Path
) -> None:
    async with a_timetable(database, tmp_path) as table:
        run_id = await table.plan(interval="1m", catchup_window="1h", overlap="buffer_all")
        await table.until(run_id, 1)
        table.clock.advance(3 * 3_600)
        await table.until(run_id, 181)
        told = await table.told(run_id)
        while len(told) < 181:  # the last of them wait for one another
            await table.until(run_id, 181)
            told = await table.told(run_id)
        assert sorted(told) == every(START, MINUTE, 181)


async def test_pages_of_occurrences_meet_and_a_long_ledger_is_read_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "READ_RECORDS", 7)
    monkeypatch.setattr(schedule, "READS_MAX", 2)
    async with a_timetable("sqlite", tmp_path) as table:
        run_id = await table.plan(interval="1m", repeat_count=20, overlap="allow_all")
        table.clock.advance(3_600)
        await table.until(run_id, 20)
        before, found = None, list[str]()
        while True:
            page = await occurrences(table.runtimes[0], run_id, 3, before)
            found += [it.told["planned_at"] for it in page.items]
            assert len(page.items) <= 3
            if page.before is None:
                break
            assert before is None or page.before < before
            before = page.before
        assert found[::-1] == every(START, MINUTE, 20)


async def test_a_schedule_that_has_ended_has_nothing_next(tmp_path: Path) -> None:
    async with a_timetable("sqlite", tmp_path) as table:
        run_id = await table.plan(interval="1m", repeat_count=2)
        await table.until(run_id, 1)
        runtime = table.runtimes[0]
        row = await shown(runtime, run_id)
        assert row.next_at == START + MINUTE
        assert [it.planned_at for it in await preview(runtime, run_id, 5, None)] == [row.next_at]
        table.clock.advance(60)
        await table.until(run_id, 2)
        while (row := await shown(runtime, run_id)).header.status is not Status.COMPLETED:
            table.look()
            await table.until(run_id, 2)
        assert row.next_at is None
        assert await preview(runtime, run_id, 5, None) == []


async def test_only_schedules_are_listed_and_found(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_timetable("sqlite", tmp_path, clock=clock) as table:
        run_id = await table.plan(interval="1m")
        await table.until(run_id, 1)
        runtime = table.runtimes[0]
        rows = (await schedule.listed(runtime, RunQuery())).items
        assert [it.header.birth.id for it in rows] == [run_id]
        assert rows[0].header.schedule["created_at"] == text_of(clock.now())
        (child,) = (await table.plane.runs.list(RunQuery(parent_id=run_id))).items
        for other in (child.birth.id, RunId("nothing")):
            with pytest.raises(RunNotFound):
                await shown(runtime, other)
            with pytest.raises(RunNotFound):
                await occurrences(runtime, other, 1, None)
