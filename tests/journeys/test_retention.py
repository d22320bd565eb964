"""Killed at any point of a purge, a transfer, a deletion or a rotation, a gateway has done it whole or not at all."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import httpx2
import pytest

from perdure.identity.tokens import read_token
from tests.journeys.estate import KEPT, USERS, Estate
from tests.journeys.gateway import Ended
from tests.journeys.journey import Journey

pytestmark = pytest.mark.anyio
log = logging.getLogger("journeys")

Act = Callable[[], Awaitable[httpx2.Response]]
Check = Callable[[], Awaitable[bool]]  # whether it was done; fails where it was done by half
Prepare = Callable[[Estate, str], Awaitable[tuple[Act, Check]]]

DEED: Final = ("written:1", "committed:1")
PURGE: Final = (
    "written:1", "purge_marked:1", "purge_closed:1", "dropped:1", "removed:1", "removed:4",
    "purge_erased:1", "written:2", "committed:2",
)  # fmt: skip
TWICE: Final = {"purge"}  # what the next life finishes, on the way of which it may die as well


@pytest.fixture
async def estate(journey: Journey) -> AsyncIterator[Estate]:
    """A gateway in user mode that has not been started."""
    yield Estate(journey)


async def purge(estate: Estate, name: str) -> tuple[Act, Check]:
    await estate.come(name)
    await estate.go(name)

    async def check() -> bool:
        kept = (await estate.kept()).get(name)
        stranger = {"user_id": f"heir-of-{name}", "runtime_id": name}
        taken = await estate.ask("POST", USERS, stranger)
        if kept is None:
            assert taken.status_code == 200, "it is free"
            assert (await estate.done("GET", f"{USERS}/heir-of-{name}"))["user"][
                "runtime_id"
            ] == name
            return True
        assert (kept["reason"], kept["data_exists"]) == ("deleted-user", True)
        assert taken.status_code >= 400, "it is not free"
        token = (await estate.done("POST", USERS, {"user_id": name, "runtime_id": name}))["token"]
        estate.tokens[name] = token
        assert await estate.sees(name, name), "whoever left it has it again, as it was"
        return False

    return lambda: estate.ask("POST", f"{KEPT}/{name}/purge", {"confirm_runtime_id": name}), check


async def transfer(estate: Estate, name: str) -> tuple[Act, Check]:
    heir = f"heir-of-{name}"
    for one in (name, heir):
        await estate.come(one)
    await estate.go(name)

    async def check() -> bool:
        user, kept = await estate.user(heir), await estate.kept()
        assert user is not None
        done: bool = user["runtime_id"] == name
        left, stays = (heir, name) if done else (name, heir)
        assert stays not in kept
        assert (kept[left]["reason"], kept[left]["data_exists"]) == (
            "runtime-transferred" if done else "deleted-user", True,
        )  # fmt: skip
        assert await estate.sees(heir, stays) and not await estate.sees(heir, left)
        return done

    body = {"target_user_id": heir, "confirm_runtime_id": name}
    return lambda: estate.ask("POST", f"{KEPT}/{name}/transfer", body), check


async def delete(estate: Estate, name: str) -> tuple[Act, Check]:
    await estate.come(name)

    async def check() -> bool:
        gone, kept = await estate.user(name) is None, await estate.kept()
        assert (name in kept) is gone and await estate.sees(name, name) is not gone
        if gone:
            assert (kept[name]["reason"], kept[name]["data_exists"]) == ("deleted-user", True)
        return gone

    return lambda: estate.ask("DELETE", f"{USERS}/{name}"), check


async def rotate(estate: Estate, name: str) -> tuple[Act, Check]:
    await estate.come(name)
    before = read_token(estate.tokens[name])
    assert before is not None

    async def check() -> bool:
        user = await estate.user(name)
        assert user is not None
        done = str(user["email"]) == "new@example.org"
        tokens = (await estate.done("GET", f"{USERS}/{name}/tokens"))["tokens"]
        assert len(tokens) == 1, "there is one token at any time"
        assert str(tokens[0]["id"] != before.id) == str(done)
        assert await estate.sees(name, name) is not done
        return done

    body = {"rotate_token": True, "email": "new@example.org"}
    return lambda: estate.ask("PATCH", f"{USERS}/{name}", body), check


ACTS: Final[Mapping[str, tuple[Prepare, str]]] = {
    "purge": (purge, "runtime:purge"), "transfer": (transfer, "runtime:transfer"),
    "delete": (delete, "user:write"), "rotate": (rotate, "user:write"),
}  # fmt: skip


@dataclass
class Deaths:
    """One act, done to one user after the other by a gateway that dies on the way each time."""

    estate: Estate
    act: str
    came_to: dict[str, bool] = field(
        default_factory=dict
    )  # whether it was done, by the point of the death
    lives: int = 0
    _left: tuple[str, str, Check] | None = None

    async def one(self, point: str) -> bool:
        """Begin a life, look at what the one before has left, and die at a point; whether it came to that."""
        self.lives += 1
        name = f"user-{self.lives}"
        await self.look(point)
        do, check = await ACTS[self.act][0](self.estate, name)
        died = await self.estate.die(do)
        self._left = (point, name, check)
        self._check_data(name)
        if self.act in TWICE:
            with suppress(Ended):
                await self.estate.live(
                    point
                )  # and dies at the same point of what it finds to be finished
                await self.estate.end()
            self._check_data(name)
        self.estate.armed.unlink()
        return died

    async def look(self, point: str = "none:0") -> None:
        """Begin a life, and see what came of the last act."""
        await self.estate.live(point)
        if self._left is not None:
            after, name, check = self._left
            self.came_to[after] = done = await check()
            recorded = await self.estate.told(ACTS[self.act][1], name)
            assert recorded or not done, "what was done is on the record"

    def _check_data(self, name: str) -> None:
        assert self.estate.reserved(name) or not self.estate.data_of(name), (
            "an id is free while there are data"
        )


@pytest.mark.parametrize("act", ACTS)
async def test_what_was_killed_on_the_way_is_done_whole_or_not_at_all(
    estate: Estate, act: str
) -> None:
    deaths, on_files = Deaths(estate, act), estate.journey.gateway.postgres is None
    for point in PURGE if act == "purge" else DEED:
        if not (on_files and point == "dropped:1"):
            assert await deaths.one(point), point
    await deaths.look()
    assert deaths.came_to == {point: point != "written:1" for point in deaths.came_to}


@pytest.mark.soak
@pytest.mark.parametrize("act", ACTS)
async def test_killed_at_every_point_there_is(estate: Estate, act: str) -> None:
    deaths = Deaths(estate, act)
    while await deaths.one(f"any:{deaths.lives + 1}"):
        pass
    await deaths.look()
    log.info("%s: killed at %d points", act, deaths.lives - 1)
    assert len(deaths.came_to) > len(DEED) and set(deaths.came_to.values()) == {True, False}
