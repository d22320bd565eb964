"""What is promised of what planes leave: found, taken away whole, and nothing beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perdure.adapters.sql.remains import PlaneRemains
from perdure.errors import StoreFailed
from perdure.ids import RuntimeId, TenantId
from perdure.runtimes.folders import plane_folder
from tests.support.kept import Installation, an_installation
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio

TENANT = TenantId("acme")
GONE, NEXT = RuntimeId("gone"), RuntimeId("gone-too")  # names of which one begins like the other


@pytest.fixture(params=DATABASES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installation]:
    """Two planes that are closed, with something in each."""
    async with an_installation(request.param, tmp_path) as made:
        for runtime in (GONE, NEXT):
            await made.fill(TENANT, runtime)
            await made.router.forget(TENANT, runtime)
        yield made


async def test_what_is_left_is_found_and_its_place_is_below_the_data(place: Installation) -> None:
    assert await place.remains.exist(TENANT, GONE)
    assert not await place.remains.exist(TENANT, RuntimeId("never"))
    assert (place.folder / place.remains.place(TENANT, GONE)).is_dir()


async def test_one_is_taken_away_whole_and_the_next_stays(place: Installation) -> None:
    await place.remains.erase(TENANT, GONE)
    assert not await place.remains.exist(TENANT, GONE)
    assert not (place.folder / place.remains.place(TENANT, GONE)).exists()
    assert await place.left_in(TENANT, NEXT) == 1


async def test_what_lies_in_a_bucket_goes_before_the_folder_and_keeps_it_where_it_cannot(
    place: Installation,
) -> None:
    erased: list[str] = []

    def erase(name: str) -> None:
        erased.append(name)
        if len(erased) == 1:
            raise StoreFailed("the bucket is away")

    remains = PlaneRemains(
        place.folder, lambda *it: plane_folder(place.folder, *it), place.pools.readers, None, erase
    )
    with pytest.raises(StoreFailed):
        await remains.erase(TENANT, GONE)
    assert (place.folder / remains.place(TENANT, GONE)).exists()
    await remains.erase(TENANT, GONE)
    assert not (place.folder / remains.place(TENANT, GONE)).exists()
    assert erased == [remains.place(TENANT, GONE)] * 2


async def test_twice_is_as_good_as_once(place: Installation) -> None:
    for _ in range(2):
        await place.remains.erase(TENANT, GONE)
    assert not await place.remains.exist(TENANT, GONE)
