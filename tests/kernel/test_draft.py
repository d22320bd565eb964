"""The parts that decisions are written with: births, keys, waits as records show them."""

from typing import Any

import pytest

from perdure.ids import Key
from perdure.kernel.draft import (
    born,
    effect_json,
    error_text,
    review_key,
    status_of,
    wait_json,
)
from perdure.kernel.model import Reason, Status
from tests.support.builders import (
    a_birth,
    a_listener,
    a_question,
    a_timer,
    an_effect,
    an_open,
)
from tests.support.clock import START
from tests.support.laws import check_birth


def test_a_birth_is_the_inputs_at_record_nought() -> None:
    decision = born(a_birth(), {"in/a": 1})
    check_birth(decision)
    assert decision.writes == {"in/a": 1}
    assert decision.run.updated_at == a_birth().created_at


OPEN = [
    (an_open(an_effect()), Status.RUNNING),
    (an_open(an_effect(), review=True), Status.WAITING),
    (an_open(a_question()), Status.WAITING),
    (an_open(a_timer("t", START)), Status.WAITING),
]


@pytest.mark.parametrize(("first", "status"), OPEN)
@pytest.mark.parametrize(("second", "other"), OPEN)
def test_a_run_waits_where_nothing_but_waits_and_reviews_is_open(
    first: Any, status: Status, second: Any, other: Status
) -> None:
    assert status_of({Key("a"): first}) is status
    both = Status.RUNNING if Status.RUNNING in (status, other) else Status.WAITING
    assert status_of({Key("a"): first, Key("b"): second}) is both


def test_a_run_with_nothing_open_is_running() -> None:
    assert status_of({}) is Status.RUNNING


def test_a_wait_is_shown_with_all_that_a_client_needs_to_answer_it() -> None:
    wait = a_question("q", choices=("yes", "no"), allow_free_text=False, details={"x": 1})
    assert wait_json(wait, Key("k")) == {
        "reason": "user", "wait_key": "k", "until": None, "resume_to_node": "node-q", "result_key": "q",
        "prompt": "q?", "choices": ["yes", "no"], "allow_free_text": False, "details": {"x": 1},
    }  # fmt: skip


def test_a_wait_for_a_time_has_no_key_and_an_event_until_a_time_has_both() -> None:
    shown = wait_json(a_timer("t", START), Key("until:run:1"))
    assert (shown["wait_key"], shown["until"]) == (None, "2026-01-01T00:00:00.000000+00:00")
    shown = wait_json(a_listener("e", until=START), Key("evt"))
    assert (shown["wait_key"], shown["until"]) == ("evt", "2026-01-01T00:00:00.000000+00:00")
    assert shown["reason"] == Reason.EVENT.value


def test_an_effect_is_shown_with_its_three_parts() -> None:
    assert effect_json("echo", [1], None) == {"type": "echo", "payload": [1], "result_key": None}


def test_an_error_is_shown_with_its_code_first() -> None:
    assert error_text("code", "detail") == "code: detail"
    assert error_text("code", "") == "code"


def test_a_review_has_a_key_of_its_own_for_each_effect() -> None:
    assert review_key(Key("run:1:0")) == "review:run:1:0"
