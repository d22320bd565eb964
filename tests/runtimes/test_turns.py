"""One who has much code to run makes nobody else wait for all of it."""

import anyio
import pytest

from perdure.runtimes.turns import Turns

pytestmark = pytest.mark.anyio


class Ran:
    """Who had a turn, in order; a turn lasts until it is ended."""

    def __init__(self, at_once: int = 1) -> None:
        self.turns, self.order, self.ends = Turns(at_once), list[str](), list[anyio.Event]()

    async def run(self, who: str) -> None:
        """Have one turn."""
        async with self.turns.one(who):
            self.order.append(who)
            end = anyio.Event()
            self.ends.append(end)
            await end.wait()

    async def end_all(self) -> None:
        """End every turn as it comes, until nobody waits."""
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
            for end in self.ends:
                end.set()


async def test_those_who_wait_have_their_turns_one_after_the_other() -> None:
    ran = Ran()
    async with anyio.create_task_group() as group:
        for who in ["bob"] * 5 + ["alice", "carl", "alice"]:
            group.start_soon(ran.run, who)
        await anyio.wait_all_tasks_blocked()
        assert ran.order == ["bob"]
        await ran.end_all()
    assert ran.order == ["bob", "bob", "alice", "carl", "bob", "alice", "bob", "bob"]


async def test_there_are_so_many_at_once() -> None:
    ran = Ran(2)
    async with anyio.create_task_group() as group:
        for who in "abc":
            group.start_soon(ran.run, who)
        await anyio.wait_all_tasks_blocked()
        assert len(ran.order) == 2
        await ran.end_all()
    assert sorted(ran.order) == ["a", "b", "c"]


async def test_who_waits_no_more_takes_no_turn() -> None:
    ran = Ran()
    async with anyio.create_task_group() as group:
        group.start_soon(ran.run, "bob")
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0):
            await ran.run("alice")
        group.start_soon(ran.run, "carl")
        await anyio.wait_all_tasks_blocked()
        await ran.end_all()
    assert ran.order == ["bob", "carl"]


async def test_a_turn_that_was_given_to_who_left_is_given_on() -> None:
    ran = Ran()
    async with anyio.create_task_group() as group:
        group.start_soon(ran.run, "bob")
        await anyio.wait_all_tasks_blocked()
        leaving = anyio.CancelScope()

        async def leave() -> None:
            with leaving:
                await ran.run("alice")

        group.start_soon(leave)
        group.start_soon(ran.run, "carl")
        await anyio.wait_all_tasks_blocked()
        ran.turns._give()  # to Alice, who leaves before she hears of it
        leaving.cancel()
        await anyio.wait_all_tasks_blocked()
        assert ran.order[-1] == "carl"
        await ran.end_all()
