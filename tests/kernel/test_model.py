"""The values that the kernel speaks in: compared by value, never changed, safe to copy."""

import copy
import pickle

import pytest

from perdure.kernel.model import GONE, TERMINAL, Arrived, Decision, Ok, Status, Usage
from tests.support.builders import a_birth, a_run


def test_values_are_compared_by_what_they_hold() -> None:
    assert a_run(waiting="k") == a_run(waiting="k")
    assert a_run(waiting="k") != a_run(waiting="other")
    assert Arrived(a_run(waiting="k").open.popitem()[0], Ok(1)).outcome == Ok(1)  # type: ignore[attr-defined]


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        a_run().status = Status.FAILED  # type: ignore[misc]


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
    assert Usage() == (0, 0, 0, 0, 0, 0.0)
