"""Work begun at once: run as far as it comes, and awaited for the rest as from its beginning."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import pytest

from perdure.runner.eager import Begun

pytestmark = pytest.mark.anyio


class Story:
    """What a piece of work did, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def at_once(self) -> str:
        """Wait for nothing."""
        self.told.append("did")
        return "done"

    async def twice(self) -> str:
        """Wait for two things."""
        self.told.append("began")
        await anyio.sleep(0)
        self.told.append("went on")
        await anyio.lowlevel.checkpoint()
        return "done"

    async def stubborn(self) -> str:
        """Come to something even where it is ended."""
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
            self.told.append("ended")
        return "done all the same"


async def test_what_waits_for_nothing_has_ended_when_it_has_begun() -> None:
    """Its value is there, without a turn of the loop."""
    story = Story()
    begun = Begun(story.at_once())
    assert begun.ended and begun.value == "done" and story.told == ["did"]


async def test_what_waits_goes_on_where_it_is_awaited() -> None:
    """It has run up to its first wait, and each wait after it is waited for."""
    story = Story()
    begun = Begun(story.twice())
    assert not begun.ended and story.told == ["began"]
    assert await begun == "done" and story.told == ["began", "went on"]


async def a_future() -> Awaitable[str]:
    """Something to wait for that is no coroutine."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "came")
    return future


async def test_anything_that_can_be_awaited_can_be_begun() -> None:
    """A future as well as a coroutine."""
    assert await Begun(await a_future()) == "came"


async def never_ends() -> str:
    """Ignore every wish that it end."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)


async def test_what_is_told_to_end_and_does_not_is_given_up_after_its_grace() -> None:
    """The wish comes through as if the work had obeyed it, and the task lives on."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Begun(never_ends(), grace_s=0.05)
    await asyncio.sleep(0)
    assert (task := asyncio.current_task()) is not None and not task.cancelling()


async def test_a_task_that_is_cancelled_itself_stays_cancelled() -> None:
    """The grace is for the work; who cancelled the task is not forgotten."""

    async def work() -> None:
        await Begun(never_ends(), grace_s=0.02)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_what_ends_within_its_grace_has_its_say() -> None:
    """And nothing of the grace is left that could end what comes after."""
    story = Story()

    async def work() -> str:
        begun = Begun(story.stubborn(), grace_s=3_600)
        value = await begun
        begun._end(asyncio.current_task())  # as when the grace runs out now
        await asyncio.sleep(0)
        return value

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "done all the same" and story.told == ["ended"]


async def its_own_deadline() -> None:
    """End a wait by a deadline."""
    with anyio.move_on_after(0):
        await anyio.sleep_forever()


async def its_own_timeout() -> None:
    """End a wait by a timeout of asyncio."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(3_600)


async def its_own_race() -> None:
    """End the others of a group, as connecting to several addresses does."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        await anyio.sleep(0)
        group.cancel_scope.cancel()


async def a_cancelled_future() -> None:
    """Wait for what somebody else cancels."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    with suppress(asyncio.CancelledError):
        await future


ENDS_WITHIN = [its_own_deadline, its_own_timeout, its_own_race, a_cancelled_future]


@pytest.mark.parametrize("ends", ENDS_WITHIN)
async def test_what_it_ends_within_itself_begins_no_grace(
    ends: Callable[[], Awaitable[None]],
) -> None:
    """It was not told to end, however often it ends a part of itself, and goes on longer than a grace."""

    async def streams() -> str:
        await anyio.sleep(0)
        for _ in range(3):
            await ends()
            await anyio.sleep(0.03)
        return "done"

    async with asyncio.timeout(30):
        assert await Begun(streams(), grace_s=0.02) == "done"
    assert (task := asyncio.current_task()) is not None and not task.cancelling()


@pytest.mark.parametrize("ends", ENDS_WITHIN)
async def test_what_ends_a_part_of_itself_is_still_given_up_after_its_grace(
    ends: Callable[[], Awaitable[None]],
) -> None:
    """Neither before it is told to end nor afterwards does that spare it."""

    async def never() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await ends()
                await anyio.sleep(0.002)

    async with asyncio.timeout(30):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await Begun(never(), grace_s=0.05)


async def test_who_takes_the_cancelling_back_was_told_all_the_same() -> None:
    """Who told it knows."""

    async def never() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)
            asyncio.current_task().uncancel()  # type: ignore[union-attr]  # a test runs in one

    begun = Begun(never(), grace_s=0.02)
    begun.told = lambda: True
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]  # as above
    with pytest.raises(asyncio.CancelledError):
        await begun


async def fails_at_once() -> str:
    """Raise before the first wait."""
    raise LookupError


async def fails_later() -> str:
    """Raise after the first wait."""
    await anyio.sleep(0)
    raise LookupError


@pytest.mark.parametrize("fails", [fails_at_once, fails_later])
async def test_what_it_raises_is_raised(fails: Callable[[], Awaitable[str]]) -> None:
    """At its beginning or at its end."""
    with pytest.raises(LookupError):
        await Begun(fails())


async def test_a_timeout_ends_it_where_it_waits() -> None:
    """Its `finally` has its time, and what it comes to is what is raised."""
    left: list[str] = []

    async def waits() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            left.append("left")

    begun = Begun(waits())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await begun
    assert left == ["left"]


async def test_it_may_outlive_its_end() -> None:
    """What catches the end and goes on is waited for."""
    story = Story()
    begun = Begun(story.stubborn())
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]  # a test runs in one
    assert await begun == "done all the same" and story.told == ["ended"]
    asyncio.current_task().uncancel()  # type: ignore[union-attr]  # as above
