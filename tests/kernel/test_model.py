"""The values that the kernel speaks in: compared by value, never changed, safe to copy."""

import copy
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.ids import Key
from perdure.kernel.limits import INTEGER_MAX
from perdure.kernel.model import GONE, TERMINAL, Arrived, Decision, Ok, Status, Usage
from tests.support.builders import a_birth, a_run

COUNTERS = ("llm_calls", "tool_calls", "tokens_in", "tokens_out", "cost")


def test_values_are_compared_by_what_they_hold() -> None:
    assert a_run(waiting="k") == a_run(waiting="k")
    assert a_run(waiting="k") != a_run(waiting="other")
    assert Arrived(Key("k"), Ok(1)) == Arrived(Key("k"), Ok(1)) != Arrived(Key("k"), Ok(2))


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        a_run().status = Status.FAILED  # type: ignore[misc]  # it is what must fail


def test_a_run_is_known_by_the_id_of_its_birth() -> None:
    assert a_run().id == a_birth().id


def test_only_the_three_ends_are_terminal() -> None:
    assert {status.value for status in TERMINAL} == {"completed", "failed", "cancelled"}
    assert {status.value for status in Status} - {"completed", "failed", "cancelled"} == {
        "running",
        "waiting",
    }


def test_a_decision_says_whether_it_changes_anything() -> None:
    run = a_run()
    assert Decision(run, 2).applied
    assert not Decision(run, 2, "ignored: for no reason").applied


def test_gone_is_one_thing_however_it_is_copied() -> None:
    assert repr(GONE) == "GONE"
    for other in (
        copy.copy(GONE),
        copy.deepcopy({"a": GONE})["a"],
        pickle.loads(pickle.dumps(GONE)),
    ):
        assert other is GONE


def test_counters_begin_at_nothing() -> None:
    assert Usage() == Usage(0, 0, 0, 0, 0, 0.0)


@given(st.lists(st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, 10**6))))
def test_counters_are_sums(outcomes: list[dict[str, float]]) -> None:
    usage = Usage()
    for extra in outcomes:
        usage = usage.plus(extra)
    assert usage.effects == len(outcomes)
    for name in COUNTERS:
        assert getattr(usage, name) == sum(extra.get(name, 0) for extra in outcomes)


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("value", [None, "many", [1], {}, math.nan, math.inf, -1, 2.0**70])
def test_what_cannot_be_counted_is_left_out(name: str, value: Any) -> None:
    assert Usage(cost=1.0).plus({name: value, "unheard_of": 3}) == Usage(effects=1, cost=1.0)


def test_counts_up_to_the_bound_of_a_number_are_taken() -> None:
    assert Usage().plus({"tokens_in": INTEGER_MAX}).tokens_in == INTEGER_MAX
    assert Usage().plus({"tokens_in": INTEGER_MAX + 1}).tokens_in == 0
