"""What comes together may come in any order: every order is tried, and all end alike."""

from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import pytest

from perdure.ids import RunId
from perdure.kernel.model import Decision, Hold, Ok, Release, Status
from perdure.kernel.values import Json
from tests.support.branches import Ask, Atom, Branches, Do, Listen, Race, Sleep
from tests.support.ledger import word_of
from tests.support.simulation import Simulation

INTERLEAVINGS = [
    "".join("0" if place in chosen else "1" for place in range(6))
    for chosen in combinations(range(6), 3)
]


class End(NamedTuple):
    """How a run ended, without the order of its records."""

    status: Status
    output: Json
    cells: dict[str, Json]
    records: list[str]


def end_of(world: Simulation, run_id: RunId) -> End:
    """The end of a run, for comparison with the end of another order."""
    run = world.run(run_id)
    records = sorted(word_of(step) for step in world.steps(run_id))
    return End(run.status, run.output, dict(world.cells(run_id)), records)


def interleaved(order: str) -> End:
    """The end of two branches of three effects each, whose outcomes come in this order."""
    world = Simulation()
    run_id = world.start(Branches((Do(), Do(), Do()), (Do(), Do(), Do())))
    places = {"0": 0, "1": 0}
    for branch in order:
        assert world.status(run_id) is Status.RUNNING
        tag = f"{branch}.{places[branch]}"
        world.arrive(run_id, tag, Ok(f"result of {tag}"))
        places[branch] += 1
    return end_of(world, run_id)


def test_there_are_twenty_interleavings() -> None:
    assert len(set(INTERLEAVINGS)) == 20


@pytest.mark.parametrize("order", INTERLEAVINGS)
def test_two_branches_of_three_effects_end_alike_in_every_order(order: str) -> None:
    end = interleaved(order)
    assert end == interleaved("000111")
    assert end.status is Status.COMPLETED
    assert end.output == {
        f"out/{branch}.{place}": f"result of {branch}.{place}"
        for branch in range(2)
        for place in range(3)
    }


# --- an event races a timer ------------------------------------------------------------------


@pytest.mark.parametrize("race", [Race(60), Listen(60)], ids=["two waits", "one wait"])
@pytest.mark.parametrize("winner", ["event", "timer"])
def test_an_event_or_its_timer_wins_and_never_both(race: Race | Listen, winner: str) -> None:
    world = Simulation()
    run_id = world.start(Branches((race, Do())))
    timer = "0.0~late" if isinstance(race, Race) else "0.0"
    first: Callable[[], Decision] = lambda: world.answer(run_id, "0.0", {"from": "outside"})  # noqa: E731
    second: Callable[[], Decision] = lambda: world.come_due(run_id, timer)  # noqa: E731
    if winner == "timer":
        first, second = second, first
    assert first().applied
    assert not world.waits(run_id), "who lost waits no more"
    for _ in range(2):
        assert not second().applied
        assert not first().applied
    assert world.cells(run_id)["out/0.0"] == ({"from": "outside"} if winner == "event" else "due")
    world.arrive(run_id, "0.1")
    assert not first().applied
    assert not second().applied
    assert world.status(run_id) is Status.COMPLETED


@pytest.mark.parametrize("winner", ["event", "timer"])
@pytest.mark.parametrize("race", [Race(60), Listen(60)], ids=["two waits", "one wait"])
def test_a_race_that_is_run_during_a_hold_has_one_winner(race: Race | Listen, winner: str) -> None:
    world = Simulation()
    run_id = world.start(Branches((race, Do())))
    world.deliver(run_id, Hold())
    if winner == "event":
        assert world.answer(run_id, "0.0", {"from": "outside"}).applied
    assert not world.come_due(run_id, "0.0~late" if isinstance(race, Race) else "0.0").applied
    assert world.deliver(run_id, Release()).applied
    assert world.cells(run_id)["out/0.0"] == ({"from": "outside"} if winner == "event" else "due")
    assert list(world.effects(run_id)) == ["0.1"]
    assert not world.waits(run_id)


def test_two_answers_of_one_race_during_a_hold_have_one_winner() -> None:
    world = Simulation()
    run_id = world.start(Branches((Race(60),), (Do(),)))
    world.deliver(run_id, Hold())
    assert world.answer(run_id, "0.0~late", {"woken": "early"}).applied
    assert world.answer(run_id, "0.0", {"from": "outside"}).applied
    world.deliver(run_id, Release())
    assert world.cells(run_id)["out/0.0"] == {"woken": "early"}
    world.arrive(run_id, "1.0")
    assert world.status(run_id) is Status.COMPLETED


# --- hold and release around everything ------------------------------------------------------

HAPPENINGS = ("hold", "release", "arrival", "answer", "due")
AROUND = [
    order for order in permutations(HAPPENINGS) if order.index("hold") < order.index("release")
]
THREE: tuple[tuple[Atom, ...], ...] = ((Do(), Do()), (Ask(), Do()), (Sleep(60), Do()))


def around(order: Sequence[str]) -> End:
    """The end of a run to which an arrival, an answer and a time came, with a hold about some of it."""
    world = Simulation()
    run_id = world.start(Branches(*THREE))
    for happening in order:
        held = world.run(run_id).held is not None
        asked = world.lives[run_id].program.asked
        happen(world, run_id, happening)
        assert not held or happening == "release" or world.lives[run_id].program.asked == asked
    assert sorted(world.effects(run_id)) == ["0.1", "1.1", "2.1"], "nothing is lost"
    for tag in ("0.1", "1.1", "2.1"):
        world.arrive(run_id, tag)
    return end_of(world, run_id)


def happen(world: Simulation, run_id: RunId, happening: str) -> None:
    """Let it happen."""
    match happening:
        case "hold":
            assert world.deliver(run_id, Hold("lunch")).applied
        case "release":
            assert world.deliver(run_id, Release()).applied
        case "arrival":
            assert world.arrive(run_id, "0.0").applied
        case "answer":
            assert world.answer(run_id, "1.0").applied
        case _:
            held = world.run(run_id).held is not None
            assert world.come_due(run_id, "2.0").applied is not held


@pytest.mark.parametrize("order", AROUND, ids="-".join)
def test_a_hold_loses_nothing_and_changes_no_end(order: tuple[str, ...]) -> None:
    assert around(order) == around([one for one in order if one not in ("hold", "release")])


@pytest.mark.parametrize("order", [order for order in AROUND if order[0] == "hold"], ids="-".join)
def test_a_release_asks_about_all_that_came_in_its_order(order: tuple[str, ...]) -> None:
    world = Simulation()
    run_id = world.start(Branches(*THREE))
    during = order[1 : order.index("release")]
    for happening in order[: order.index("release")]:
        happen(world, run_id, happening)
    opened = world.deliver(run_id, Release()).effects
    came = [one for one in during if one != "due"] + [one for one in during if one == "due"]
    tags = {"arrival": "0.1", "answer": "1.1", "due": "2.1"}
    assert [entry.what.tag for entry in opened] == [tags[one] for one in came]
