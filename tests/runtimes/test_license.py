"""A license holds for a moment after the control store was asked, and not for one that it took to answer."""

import anyio
import pytest

from perdure.runtimes.license import LICENSE_S, License
from tests.support.clock import FakeClock

pytestmark = pytest.mark.anyio


class Word:
    """What the control store says, how often it was asked, and how long an answer takes."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.says, self.asked = True, 0
        self.slow: list[float] = []

    async def __call__(self) -> bool:
        self.asked += 1
        said = self.says
        await anyio.lowlevel.checkpoint()
        self.clock.advance(self.slow.pop() if self.slow else 0)
        return said


@pytest.fixture
def clock() -> FakeClock:
    """A time that stands still until it is told."""
    return FakeClock()


@pytest.fixture
def word(clock: FakeClock) -> Word:
    """Yes, at once, until it is told otherwise."""
    return Word(clock)


async def test_a_word_is_believed_for_a_moment(word: Word, clock: FakeClock) -> None:
    license = License(word, clock)
    assert not license.is_fresh
    assert await license.renewed() and license.is_fresh
    clock.advance(LICENSE_S * 0.9)
    word.says = False
    assert await license.renewed() and word.asked == 1
    clock.advance(LICENSE_S * 0.2)
    assert not license.is_fresh and not await license.renewed()
    word.says = True
    assert await license.renewed() and word.asked == 3


async def test_the_moment_begins_when_it_is_asked(word: Word, clock: FakeClock) -> None:
    license = License(word, clock)
    word.slow = [LICENSE_S * 0.6]
    assert await license.renewed()
    clock.advance(LICENSE_S * 0.5)
    assert not license.is_fresh


async def test_an_answer_that_came_too_late_is_none(word: Word, clock: FakeClock) -> None:
    license = License(word, clock)
    word.slow = [LICENSE_S]
    assert await license.renewed() and word.asked == 2 and license.is_fresh


async def test_those_who_wait_ask_once(word: Word, clock: FakeClock) -> None:
    license, found = License(word, clock), list[bool]()

    async def ask() -> None:
        found.append(await license.renewed())

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask)
    assert (found, word.asked) == ([True] * 5, 1)
