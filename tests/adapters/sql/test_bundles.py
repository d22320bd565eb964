"""Versions of a bundle are remembered where nobody else can change them, and never past a change."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from perdure.adapters.sql.bundles import REMEMBERED_MAX, SqlBundles

pytestmark = pytest.mark.anyio


class Rows:
    """A database of one table: it reads what stands there, when `open` is set."""

    def __init__(self) -> None:
        """Begin with one version of every bundle."""
        self.versions, self.reads = ["1"], 0
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, _read: Callable[[Any], Any]) -> list[tuple[Any, ...]]:
        """What stands there as the look begins, told when it may be."""
        self.reads += 1
        rows = [("b", it, "0" * 64, 1, "", "", b"{}", b"{}", 0) for it in self.versions]
        await self.open.wait()
        return rows

    async def work(
        self, _work: Callable[[Any], Any], *, then: Callable[[], None], **_due: str | None
    ) -> int:
        """Take every version away."""
        self.versions = []
        then()
        return 1

    def kept(self, _entry: None) -> None:
        """Hear of no entry."""


def bundles_of(rows: Rows, *, alone: bool = True) -> SqlBundles:
    """The bundles of a plane on these rows."""
    it = cast(Any, rows)
    return SqlBundles(it, it, cast(Any, None), it, alone=alone)


async def seen(bundles: SqlBundles, bundle_id: str = "b") -> list[str]:
    """The versions that a start would see."""
    return [it.bundle_version for it in await bundles.list(bundle_id)]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_plane_that_is_held_alone_reads_the_versions_of_a_bundle_once(alone: bool) -> None:
    rows = Rows()
    bundles = bundles_of(rows, alone=alone)
    assert [await seen(bundles) for _ in range(3)] == [["1"]] * 3
    assert rows.reads == (1 if alone else 3)


async def test_what_was_remembered_is_forgotten_by_a_change() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    assert await seen(bundles) == ["1"]
    assert await bundles.remove("b", None) == 1
    assert await seen(bundles) == []


async def test_a_look_that_began_before_a_change_is_not_remembered() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    rows.open.clear()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(seen(bundles))
        await asyncio.sleep(0)
        assert await bundles.remove("b", None) == 1
        rows.open.set()
    assert early.result() == ["1"]
    assert await seen(bundles) == []


async def test_so_many_are_remembered_and_no_more() -> None:
    rows = Rows()
    bundles = bundles_of(rows)
    for number in range(REMEMBERED_MAX):
        await seen(bundles, str(number))
    await seen(bundles, "0")
    assert rows.reads == REMEMBERED_MAX
    await seen(bundles, "one more")
    await seen(bundles, "0")
    assert rows.reads == REMEMBERED_MAX + 2
