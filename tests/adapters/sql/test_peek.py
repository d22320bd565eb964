"""A look into a plane that nobody has open says what opening it would say, and changes nothing."""

from pathlib import Path

import pytest

from perdure.adapters.sql.peek import AT_ONCE, due_in_file, due_in_schema
from perdure.clock import text_of
from perdure.kernel.model import Advance
from tests.support.branches import Branches, Sleep
from tests.support.clock import START
from tests.support.driving import Driven
from tests.support.planes import (
    DATABASES,
    PLACES,
    Place,
    PostgresPlace,
    SqlitePlace,
    a_store,
    shared_engine,
)

pytestmark = pytest.mark.anyio


def due_in(place: Place) -> str | None:
    """Look."""
    if isinstance(place, SqlitePlace):
        return due_in_file(place.folder)
    assert isinstance(place, PostgresPlace)
    return due_in_schema(shared_engine(), place.schema)


def files_of(folder: Path) -> dict[str, bytes]:
    """What lies there."""
    return {it.name: it.read_bytes() for it in folder.iterdir() if it.is_file()}


@pytest.mark.parametrize("database", DATABASES)
async def test_a_look_tells_what_opening_would_tell(database: str, tmp_path: Path) -> None:
    """Never of an empty plane, at once of a birth, then the time of a wait; also beside one that has it open."""
    async with a_store(database, tmp_path) as store:
        driven = Driven(store.plane, Branches((Sleep(20),)))
        assert due_in(store.place) == await store.plane.next_due()
        await driven.bear()
        assert due_in(store.place) == AT_ONCE == await store.plane.next_due()
        await driven.deliver(Advance())
        due = await store.plane.next_due()
        assert due_in(store.place) == due
    assert due is not None
    assert due > text_of(START)
    assert due_in(store.place) == due


@pytest.mark.parametrize("database", DATABASES)
def test_of_a_plane_that_is_not_there_nothing_is_due_and_nothing_is_made(
    database: str, tmp_path: Path
) -> None:
    place = PLACES[database](tmp_path / "plane")
    for _ in range(2):
        assert due_in(place) is None
    assert not (tmp_path / "plane").exists()


async def test_a_look_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    async with a_store("sqlite", tmp_path) as store:
        await Driven(store.plane, Branches((Sleep(20),))).bear()
    before = files_of(tmp_path)
    assert due_in(store.place) == AT_ONCE
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("database", DATABASES)
async def test_a_plane_that_cannot_be_read_so_is_to_be_opened(
    database: str, tmp_path: Path
) -> None:
    """It is as an older release left it: whoever opens it brings it up to date."""
    async with a_store(database, tmp_path) as store:
        await store.plane.ready()
    store.tamper("ALTER TABLE waits RENAME TO waits_of_old")
    assert due_in(store.place) == AT_ONCE
