"""What a fork does instead of harm, effect by effect."""

import pytest

from perdure.kernel.guard import (
    CameTo,
    asks,
    kept_outcome,
    outcome_of,
    recorded_cells,
    simulated,
    stub_of,
)
from perdure.kernel.model import GONE, EffectClass, Failed, Guard, Ok
from perdure.kernel.program import View
from tests.support.builders import an_effect

TWICE = [
    CameTo("send", "n", {"to": "ann"}, Ok("first")),
    CameTo("send", "n", {"to": "ann"}, Failed("refused", "no", usage={"cost": 1.0})),
]


@pytest.mark.parametrize("outcome", [Ok({"a": 1}, {"cost": 2.0}), Failed("no", "why", True, 3.0)])
def test_an_outcome_is_kept_whole(outcome: Ok | Failed) -> None:
    assert outcome_of(kept_outcome(outcome)) == outcome


def test_recorded_outcomes_are_taken_once_each_and_in_their_order() -> None:
    cells = View(dict(recorded_cells(Guard.REUSE, TWICE)))
    taken = [stub_of(Guard.REUSE, cells, "send", "n", {"to": "ann"}) for _ in range(3)]
    assert [kept and outcome_of(kept) for kept in taken] == [
        TWICE[0].outcome,
        TWICE[1].outcome,
        None,
    ]
    assert [value for value in cells.pending.values() if value is GONE] == [GONE, GONE]


@pytest.mark.parametrize(("guard", "found"), [(Guard.REUSE, False), (Guard.SIMULATE, True)])
def test_what_is_asked_differently_is_another_effect_but_for_a_simulation(
    guard: Guard, found: bool
) -> None:
    cells = View(dict(recorded_cells(guard, TWICE)))
    assert (stub_of(guard, cells, "send", "n", {"to": "bob"}) is not None) is found
    assert stub_of(guard, cells, "send", "other", {"to": "ann"}) is None


@pytest.mark.parametrize("guard", [Guard.ASK, Guard.RERUN])
def test_who_asks_or_runs_again_takes_nothing_that_was_recorded(guard: Guard) -> None:
    cells = View(dict(recorded_cells(guard, TWICE)))
    assert stub_of(guard, cells, "send", "n", {"to": "ann"}) is None


def test_a_simulation_takes_what_is_declared_for_a_node_and_else_fails() -> None:
    cells = View({"rt/declared/n": {"sent": True}})
    assert outcome_of(simulated(cells, "n")) == Ok({"sent": True})
    failed = outcome_of(simulated(cells, "m"))
    assert isinstance(failed, Failed)
    assert failed.code == "not_simulated"


@pytest.mark.parametrize("effect_class", EffectClass)
@pytest.mark.parametrize("guard", [Guard.REUSE, Guard.ASK, Guard.RERUN])
def test_what_must_not_happen_twice_is_asked_about_unless_it_is_to_be_run_again(
    guard: Guard, effect_class: EffectClass
) -> None:
    harmful = effect_class in (EffectClass.ONCE, EffectClass.COMPENSABLE)
    effect = an_effect(effect_class=effect_class)
    assert asks(guard, effect) is (harmful and guard is not Guard.RERUN)
