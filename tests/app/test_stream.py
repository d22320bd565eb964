"""The stream is the ledger: over any cut each step comes once, in order, and none is left out."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from perdure.app import stream as streams
from perdure.app.client import Gateway
from perdure.app.stream import Cut, Delta, Done, Frame, Step, Told, follow, frames
from perdure.errors import RunNotFound, Unavailable, Unreachable
from tests.support.loopback import unused_port
from tests.support.scripted_gateway import (
    CUT,
    ScriptedGateway,
    delta,
    done,
    problem,
    record,
    step,
    stream,
)

pytestmark = pytest.mark.anyio
PATH = "/runs/r1/ledger/stream"


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncGenerator[Gateway]:
    async with Gateway(gateway.url, "agw_test") as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(streams, "pause_s", lambda tried: 0.0)


async def all_of(client: Gateway, after: int = 0, *, deltas: bool = False) -> list[Told]:
    async with aclosing(follow(client, "r1", after=after, deltas=deltas)) as told:
        return [it async for it in told]


def cursors(told: list[Told]) -> list[int]:
    return [it.cursor for it in told if isinstance(it, Step)]


def kinds(told: list[Told]) -> list[type]:
    return [type(it) for it in told]


async def test_frames_are_read_as_the_standard_has_them() -> None:
    async def lines() -> AsyncIterator[str]:
        text = ": hello\n\nevent: step\nid: 1\ndata:{}\ndata: more\n\nretry: 20\n\ndata: plain\n\ndata: half"
        for line in text.split("\n"):
            yield line

    assert [it async for it in frames(lines())] == [
        Frame("step", "{}\nmore"),
        Frame("message", "plain"),
    ]


async def test_each_step_comes_once_and_done_is_the_last_word(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.ledger(
        "r1", [step(1, record()), ": keep-alive\n\n", step(2, record(node_id="end")), done(2)]
    )
    told = await all_of(client)
    assert cursors(told) == [1, 2]
    assert told[-1] == Done(2)


async def test_a_cut_stream_goes_on_after_the_last_step_that_came(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    first = [step(1, record()), step(2, record()), CUT]
    second = [step(2, record()), step(3, record()), "event: step\ndata: {", CUT]
    third = [step(4, record()), done(4)]
    gateway.ledger("r1", first, second, third)
    told = await all_of(client)
    assert cursors(told) == [1, 2, 3, 4]
    asked = [it.headers["last-event-id"] for it in gateway.asked("GET", PATH)]
    assert asked == ["0", "2", "3"]
    assert kinds(told).count(Cut) == 2


async def test_a_step_that_is_missing_is_asked_for(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.ledger(
        "r1",
        [step(1, record()), step(3, record())],
        [step(2, record()), step(3, record()), done(3)],
    )
    told = await all_of(client)
    assert cursors(told) == [1, 2, 3]


async def test_a_stream_that_ends_before_the_run_is_taken_up_again(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.ledger("r1", [step(1, record())], [step(2, record()), done(2)])
    assert cursors(await all_of(client)) == [1, 2]


async def test_a_gateway_that_says_later_is_asked_later(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    busy = problem(503, "unavailable", "It is stopping.", retry_after=None)
    gateway.on(
        "GET", PATH, stream(step(1, record()), CUT), busy, stream(step(2, record()), done(2))
    )
    told = await all_of(client)
    assert cursors(told) == [1, 2]
    assert Cut("It is stopping.", 0.0) in told


async def test_deltas_come_to_those_who_ask(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.ledger("r1", [step(1, record()), delta(0, "Par"), delta(3, "is"), done(1)])
    told = await all_of(client, deltas=True)
    assert [it.text for it in told if isinstance(it, Delta)] == ["Par", "is"]
    assert "deltas=1" in gateway.asked("GET", PATH)[0].path


async def test_text_may_hold_what_other_readers_take_for_a_line_end(
    client: Gateway, gateway: ScriptedGateway
) -> None:
    gateway.ledger("r1", [step(1, record(result={"content": "a\u2028b\x85c"})), done(1)])
    [first, _] = await all_of(client)
    assert isinstance(first, Step)
    assert first.record["result"]["content"] == "a\u2028b\x85c"


async def test_reading_can_begin_in_the_middle(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.ledger("r1", [step(8, record()), done(8)])
    assert cursors(await all_of(client, after=7)) == [8]
    assert "after=7" in gateway.asked("GET", PATH)[0].path


async def test_an_unknown_run_is_told_at_once(client: Gateway, gateway: ScriptedGateway) -> None:
    gateway.on("GET", PATH, problem(404, "run_not_found", "There is no such run."))
    with pytest.raises(RunNotFound):
        await all_of(client)


async def test_a_gateway_that_never_answered_is_not_waited_for() -> None:
    async with Gateway(f"http://127.0.0.1:{unused_port()}") as nobody:
        with pytest.raises(Unreachable):
            await all_of(nobody)


async def test_a_gateway_that_stays_away_is_given_up(
    client: Gateway, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", -1.0)
    gateway.ledger("r1", [step(1, record()), CUT])
    with pytest.raises(Unavailable):
        await all_of(client)
