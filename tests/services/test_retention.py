"""An admin names exactly which runtime is handed on or purged, and is told what becomes of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perdure.errors import Invalid
from perdure.ids import RuntimeId, UserId
from perdure.services import retention
from tests.support.control import ACME
from tests.support.kept import Installation, an_installation
from tests.support.planes import DATABASES

pytestmark = pytest.mark.anyio
ALICES = RuntimeId("alice")


@pytest.fixture(params=DATABASES)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installation]:
    """Alice was deleted and left something; Bob is there, and has nothing."""
    async with an_installation(request.param, tmp_path) as made:
        await made.kept.user("alice")
        await made.kept.user("bob")
        await made.fill(ACME, ALICES)
        await made.kept.context.principals.delete(ACME, UserId("alice"), at=made.kept.now)
        yield made


@pytest.mark.parametrize(
    "near", ["", "Alice", "alice ", " alice", "alic\u0435", "alice\u200b", "ａlice", "alice/", "*"]
)
def test_promise_82_only_the_very_id_confirms(near: str) -> None:
    retention.check_confirmed(ALICES, "alice")
    with pytest.raises(Invalid):
        retention.check_confirmed(ALICES, near)


async def test_what_nobody_has_is_shown_with_what_is_left_of_it(place: Installation) -> None:
    context, keeper = place.kept.context, place.retention()
    [shown] = await retention.kept_runtimes(context, keeper, ACME, after=None, limit=9)
    assert (shown.entry.runtime, shown.data_exist, shown.place) == (
        ALICES, True, "planes/acme/alice",
    )  # fmt: skip


async def test_a_transfer_tells_the_user_and_what_they_left(place: Installation) -> None:
    context, keeper = place.kept.context, place.retention()
    user, left = await retention.transfer(context, keeper, ACME, ALICES, UserId("bob"))
    assert (user.id, user.runtime) == ("bob", ALICES)
    assert (left.entry.runtime, left.data_exist) == ("bob", False)


async def test_a_purge_tells_what_was_there(place: Installation) -> None:
    context, keeper = place.kept.context, place.retention()
    gone = await retention.purge(context, keeper, ACME, ALICES)
    assert (gone.entry.runtime, gone.data_exist) == (ALICES, True)
    assert await retention.kept_runtimes(context, keeper, ACME, after=None, limit=9) == []
