"""Effects in doubt: nobody knows whether they happened, so a person says it; nothing is done twice."""

from typing import Any

import pytest
from msgspec.structs import replace

from perdure.ids import Key, RunId
from perdure.kernel.decide import misfit
from perdure.kernel.draft import review_key
from perdure.kernel.model import (
    Answered,
    Arrived,
    Cancel,
    Due,
    EffectClass,
    Failed,
    Hold,
    Ok,
    Release,
    Status,
    Unknown,
    Wait,
)
from perdure.kernel.program import Done, Move
from tests.support.branches import Branches, Do
from tests.support.builders import a_question, an_effect
from tests.support.ledger import assert_ledger
from tests.support.scripted import ScriptedProgram
from tests.support.simulation import Simulation

HAPPENED = {"resolution": "happened", "result": {"sent": 1}}
RETRY = {"resolution": "did_not_happen", "then": "retry"}
FAIL = {"resolution": "did_not_happen", "then": "fail"}
DOUBT = Unknown("cut after sending")
HARMFUL = [EffectClass.ONCE, EffectClass.COMPENSABLE]


def in_doubt(effect_class: EffectClass = EffectClass.ONCE) -> tuple[Simulation, RunId, Key]:
    """A world with one run whose one effect may have happened, and the key of that effect."""
    world = Simulation()
    run_id = world.start(Branches((Do(effect_class),)))
    key = world.lives[run_id].open_as("0.0").key
    world.deliver(run_id, Arrived(key, DOUBT, ({"cut": True},), "2026-01-01T00:00:00Z"))
    return world, run_id, key


def review(world: Simulation, run_id: RunId, key: Key, payload: Any) -> bool:
    """Somebody says what became of the effect; whether it was taken."""
    return world.deliver(run_id, Answered(review_key(key), payload, "ann")).applied


@pytest.mark.parametrize("effect_class", EffectClass)
def test_only_what_must_not_be_repeated_is_reviewed(effect_class: EffectClass) -> None:
    world, run_id, _ = in_doubt(effect_class)
    reviewed = effect_class in HARMFUL
    assert (world.status(run_id) is Status.WAITING) is reviewed
    if not reviewed:
        assert world.run(run_id).output == {"out/0.0": "failed: unknown_outcome"}


@pytest.mark.parametrize("effect_class", HARMFUL)
def test_a_review_asks_a_person_and_shows_what_is_in_doubt(effect_class: EffectClass) -> None:
    world, run_id, key = in_doubt(effect_class)
    (entry,) = world.waits(run_id).values()
    assert entry.key == f"review:{key}"
    assert isinstance(entry.what, Wait)
    assert (entry.what.review_of, entry.what.tag) == (key, "0.0")
    assert entry.what.details == {
        "kind": "needs_review", "effect_key": key, "dispatched_at": "2026-01-01T00:00:00Z",
        "effect": {"type": "echo", "payload": {"say": "0.0"}, "result_key": "0.0"},
        "detail": "cut after sending",
    }  # fmt: skip
    waiting = world.steps(run_id)[-1]
    assert (waiting.status, waiting.attempts) == ("waiting", ({"cut": True},))
    assert waiting.step_id == world.steps(run_id)[0].step_id


def test_an_outcome_that_comes_during_a_review_changes_nothing() -> None:
    world, run_id, key = in_doubt()
    assert world.arrive(run_id, "0.0").disposition == "ignored: its key is a wait"
    assert world.deliver(run_id, Arrived(key, Ok(1))).disposition == (
        "ignored: the effect is in review"
    )
    assert not world.deliver(run_id, Due(review_key(key))).applied


def test_what_happened_is_taken_as_the_outcome() -> None:
    world, run_id, key = in_doubt()
    assert review(world, run_id, key, HAPPENED)
    assert world.run(run_id).output == {"out/0.0": {"sent": 1}}
    assert world.steps(run_id)[-3].by is None
    assert_ledger(
        world.steps(run_id),
        "started echo", "waiting echo", "resume", "completed echo", "end", "ended completed",
    )  # fmt: skip
    assert world.steps(run_id)[2].by == "ann"


def test_what_did_not_happen_is_a_failure_where_a_person_says_so() -> None:
    world, run_id, key = in_doubt()
    assert review(world, run_id, key, FAIL)
    assert world.run(run_id).output == {"out/0.0": "failed: did_not_happen"}


def test_what_did_not_happen_is_done_again_under_the_same_key() -> None:
    world, run_id, key = in_doubt()
    decision = world.deliver(run_id, Answered(review_key(key), RETRY, "ann"))
    assert (decision.redo, decision.effects, decision.decided_by) == ((key,), (), "ann")
    assert world.status(run_id) is Status.RUNNING
    assert list(world.effects(run_id)) == ["0.0"]
    assert world.deliver(run_id, Arrived(key, Ok("now"))).applied
    assert world.run(run_id).output == {"out/0.0": "now"}


def test_a_second_doubt_opens_a_second_review_and_the_first_answer_does_not_fit_it() -> None:
    world, run_id, key = in_doubt()
    first = world.run(run_id).open[review_key(key)].seq
    answer = Answered(review_key(key), RETRY, opened_seq=first)
    assert world.deliver(run_id, answer).applied
    world.deliver(run_id, Arrived(key, DOUBT))
    second = world.run(run_id).open[review_key(key)].seq
    assert second > first
    assert world.deliver(run_id, answer).disposition == "ignored: the wait was answered before"
    assert world.status(run_id) is Status.WAITING
    assert world.deliver(run_id, replace(answer, payload=HAPPENED, opened_seq=second)).applied
    assert world.status(run_id) is Status.COMPLETED


RESOLUTION = "`resolution` is `happened` or `did_not_happen`"
THEN = "`then` is `retry` or `fail`"


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"response": "it happened"}, RESOLUTION),
        ({"resolution": True}, RESOLUTION),
        ({"resolution": ["happened"]}, RESOLUTION),
        ({"resolution": "did_not_happen"}, THEN),
        ({"resolution": "did_not_happen", "then": "maybe"}, THEN),
        ("happened", "an answer is an object"),
        (HAPPENED, None),
        ({"resolution": "happened"}, None),
        (RETRY, None),
        (FAIL, None),
    ],
)
def test_a_review_takes_the_answers_that_it_names(payload: Any, fault: str | None) -> None:
    assert misfit(a_question(review_of=Key("k")), payload) == fault
    world, run_id, key = in_doubt()
    assert review(world, run_id, key, payload) is (fault is None)


@pytest.mark.parametrize(
    ("payload", "ends"), [(HAPPENED, {"sent": 1}), (FAIL, "failed: did_not_happen")]
)
def test_a_review_during_a_hold_is_taken_and_asked_about_at_the_release(
    payload: Any, ends: Any
) -> None:
    world = Simulation()
    run_id = world.start(Branches((Do(EffectClass.ONCE),)))
    key = world.lives[run_id].open_as("0.0").key
    world.deliver(run_id, Hold())
    world.deliver(run_id, Arrived(key, DOUBT))
    assert review(world, run_id, key, payload)
    assert world.status(run_id) is Status.RUNNING
    world.deliver(run_id, Release())
    assert world.run(run_id).output == {"out/0.0": ends}


def test_a_withdrawn_effect_takes_its_review_with_it() -> None:
    world = Simulation()
    once = an_effect("a", EffectClass.ONCE)
    script = {
        "begin": Move(effects=(once, an_effect("b"))),
        "b": Move(withdraw=("a",), end=Done(1)),
    }
    run_id = world.start(ScriptedProgram(script))
    world.arrive(run_id, "a", DOUBT)
    assert world.status(run_id) is Status.RUNNING, "the other effect is under way"
    decision = world.arrive(run_id, "b")
    assert len(decision.dropped) == len(decision.closed) == 1
    assert world.status(run_id) is Status.COMPLETED


def test_a_cancel_closes_the_review_and_gives_the_effect_up() -> None:
    world, run_id, key = in_doubt()
    decision = world.deliver(run_id, Cancel())
    assert decision.dropped == (key,)
    assert [entry.key for entry in decision.closed] == [review_key(key)]
    assert not review(world, run_id, key, RETRY)


def test_a_program_is_told_a_review_as_an_outcome_of_its_effect() -> None:
    world = Simulation()
    script = {
        "begin": Move(effects=(an_effect("a", EffectClass.ONCE),)),
        "a ok": Move(end=Done("ok")),
        "a failed": Move(end=Done("failed")),
    }
    run_id = world.start(ScriptedProgram(script))
    key = world.lives[run_id].open_as("a").key
    world.deliver(run_id, Arrived(key, DOUBT))
    review(world, run_id, key, FAIL)
    assert world.run(run_id).output == "failed"
    assert world.steps(run_id)[-3].error == (
        Failed("did_not_happen").code + ": a person said that it did not happen"
    )
