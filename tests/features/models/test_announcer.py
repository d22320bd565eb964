"""What is said reaches the readers whole, in order, and not one letter at a time."""

import anyio
import pytest

from perdure.features.models.announcer import GAP_S, HELD_MAX, Announcer
from perdure.registry.effects import Delta

pytestmark = pytest.mark.anyio


async def test_the_first_piece_goes_at_once_and_what_follows_is_gathered() -> None:
    told: list[Delta] = []
    with Announcer(told.append) as announcer:
        announcer.say("text", "a")
        assert told == [Delta(0, "text", "a")]
        for letter in "bcd":
            announcer.say("text", letter)
        assert len(told) == 1
    assert told[1:] == [Delta(1, "text", "bcd")]


async def test_what_is_gathered_does_not_wait_for_more() -> None:
    told: list[Delta] = []
    came = anyio.Event()

    def publish(delta: Delta) -> None:
        told.append(delta)
        if delta.text == "b":
            came.set()

    with Announcer(publish) as announcer, anyio.fail_after(30):
        announcer.say("text", "a")
        announcer.say("text", "b")
        await came.wait()
        await anyio.sleep(3 * GAP_S)  # the timer has nothing to do and stops
        announcer.say("text", "c")
        assert told[-1] == Delta(2, "text", "c")


async def test_kinds_have_offsets_of_their_own_and_keep_their_order() -> None:
    told: list[Delta] = []
    with Announcer(told.append) as announcer:
        announcer.say("reasoning", "hm")
        announcer.say("reasoning", "!")
        announcer.say("text", "so")
        announcer.say("reasoning", "?")
    assert told == [
        Delta(0, "reasoning", "hm"), Delta(2, "reasoning", "!"), Delta(0, "text", "so"), Delta(3, "reasoning", "?"),
    ]  # fmt: skip


async def test_much_does_not_wait_at_all() -> None:
    told: list[Delta] = []
    with Announcer(told.append) as announcer:
        announcer.say("text", "a")
        announcer.say("text", "b" * (HELD_MAX + 1))
        assert len(told) == 2


async def test_an_error_on_the_way_loses_nothing_that_was_said() -> None:
    told: list[Delta] = []
    with pytest.raises(RuntimeError), Announcer(told.append) as announcer:
        announcer.say("text", "a")
        announcer.say("text", "b")
        raise RuntimeError
    assert [it.text for it in told] == ["a", "b"]
