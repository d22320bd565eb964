"""What nobody has is handed on or purged whole: a process that ends on the way leaves before or after."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perdure.errors import Conflict, RuntimeNotFound, RuntimeTaken, StoreFailed, UserNotFound
from perdure.ids import RuntimeId, UserId
from perdure.stores.principals import RuntimeState
from tests.support.control import ACME, BETA
from tests.support.kept import Installation, Stopped, an_installation
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio

ALICE, BOB = UserId("alice"), UserId("bob")
ALICES, BOBS = RuntimeId("alice"), RuntimeId("bob")
POINTS = ("purge_marked", "purge_closed", "purge_erased")


@pytest.fixture(params=DATABASES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installation]:
    """Alice was deleted and left something; Bob is there, and has something."""
    async with an_installation(request.param, tmp_path) as made:
        for user, runtime in ((ALICE, ALICES), (BOB, BOBS)):
            await made.kept.user(user)
            await made.fill(ACME, runtime)
        await made.kept.context.principals.delete(ACME, ALICE, at=made.kept.now)
        yield made


async def test_a_purge_takes_everything_and_frees_the_id(place: Installation) -> None:
    await place.retention().purge(ACME, ALICES)
    assert not await place.remains.exist(ACME, ALICES)
    assert await place.kept.store.entry(ACME, ALICES) is None
    assert await place.left_in(ACME, BOBS) == 1
    await place.kept.user("carl", runtime=ALICES)
    assert await place.left_in(ACME, ALICES) == 0
    with pytest.raises(RuntimeNotFound):
        await place.retention().purge(BETA, ALICES)


async def test_what_somebody_has_is_not_purged(place: Installation) -> None:
    with pytest.raises(Conflict):
        await place.retention().purge(ACME, BOBS)
    assert await place.left_in(ACME, BOBS) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_promise_83_the_id_is_never_free_while_data_are_there(
    place: Installation, point: str
) -> None:
    principals = place.kept.context.principals
    with pytest.raises(Stopped):
        await place.retention(point).purge(ACME, ALICES)
    assert (await principals.runtime(ACME, ALICES)).state is RuntimeState.PURGING
    with pytest.raises(RuntimeNotFound):
        await principals.transfer(ACME, ALICES, BOB, at=place.kept.now)
    for name in (ALICE, "carl"):
        with pytest.raises(RuntimeTaken):
            await place.kept.user(name, runtime=ALICES)
    await place.router.close_all()
    after = place.again()
    await after.retention().resume()
    assert not await after.remains.exist(ACME, ALICES)
    with pytest.raises(RuntimeNotFound):
        await principals.runtime(ACME, ALICES)
    assert await after.left_in(ACME, BOBS) == 1
    await after.router.close_all()


async def test_promise_83_a_deletion_that_fails_keeps_the_reservation(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erase(*_name: object) -> None:
        raise StoreFailed("the disk says no")

    monkeypatch.setattr(place.remains, "erase", erase)
    with pytest.raises(StoreFailed):
        await place.retention().purge(ACME, ALICES)
    await place.retention().resume()  # at the next start it fails again, and the start goes on
    assert (await place.kept.context.principals.purging(limit=9))[0].runtime == ALICES
    monkeypatch.undo()
    await place.retention().purge(ACME, ALICES)
    assert await place.kept.context.principals.purging(limit=9) == []


async def test_promise_80_a_transfer_keeps_the_data_in_place_and_drops_what_is_open(
    place: Installation,
) -> None:
    async with place.router.using(ACME, BOBS):
        pass
    before = await place.retention().transfer(ACME, ALICES, BOB)
    assert before.runtime == BOBS
    assert not place.router.is_open(ACME, ALICES)
    assert not place.router.is_open(ACME, BOBS)
    user = await place.kept.context.principals.user(ACME, BOB)
    assert user.runtime == ALICES
    assert await place.left_in(ACME, ALICES) == 1
    left = await place.kept.context.principals.runtime(ACME, BOBS)
    assert (left.state, left.owner) == (RuntimeState.RETAINED, BOB)


async def test_promise_81_nobody_of_another_tenant_gets_it(place: Installation) -> None:
    await place.kept.user("mallory", BETA)
    with pytest.raises(UserNotFound):
        await place.retention().transfer(ACME, ALICES, UserId("mallory"))
    with pytest.raises(RuntimeNotFound):
        await place.retention().transfer(BETA, ALICES, UserId("mallory"))


async def test_a_transfer_that_is_cut_off_is_done_or_not(place: Installation) -> None:
    with pytest.raises(Stopped):
        await place.retention("transfer_written").transfer(ACME, ALICES, BOB)
    assert (await place.kept.context.principals.user(ACME, BOB)).runtime == ALICES
    kept = await place.kept.context.principals.kept_runtimes(ACME, after=None, limit=9)
    assert [it.runtime for it in kept] == [BOBS]
