"""What a person says becomes the payload that the wait takes, or is refused with what it takes."""

from typing import Any

import pytest

from perdure.app.answers import Kind, Said, calls_of, child_of, choices_of, kind_of, payload_of
from perdure.errors import Invalid, WaitMismatch
from perdure.kernel.values import Json
from tests.support.scripted_gateway import child_wait, question

FREE = question(choices=None, allow_free_text=True)
EITHER = question(allow_free_text=True)
CALLS = [{"name": "write_file", "arguments": {"path": "a"}, "call_id": "c1"}]
APPROVAL = question(
    choices=None, details={"mode": "approval_required", "tool_calls": CALLS}, prompt=None
)
REVIEW = question(
    wait_key="review:r1:3:0", choices=["it happened", "it did not happen"],
    details={"kind": "needs_review", "effect": {}, "dispatched_at": None},
)  # fmt: skip
EVENT = question(reason="event", wait_key="order-7", choices=None)
TIMER = question(reason="until", wait_key=None, choices=None)
PAUSE = question(wait_key="pause:r1", details={"kind": "pause"})


@pytest.mark.parametrize(
    ("wait", "kind"),
    [
        (question(), Kind.QUESTION),
        (APPROVAL, Kind.APPROVAL),
        (REVIEW, Kind.REVIEW),
        (EVENT, Kind.EVENT),
        (TIMER, Kind.OTHER),
        (PAUSE, Kind.PAUSE),
        (child_wait("r2"), Kind.OTHER),
    ],
)
def test_a_wait_is_of_one_kind(wait: Json, kind: Kind) -> None:
    assert kind_of(wait) is kind


@pytest.mark.parametrize(
    ("wait", "said", "payload"),
    [
        (FREE, Said("anything"), {"response": "anything"}),
        (FREE, Said("2"), {"response": "2"}),
        (question(), Said("yes"), {"response": "yes"}),
        (question(), Said("YES"), {"response": "yes"}),
        (question(), Said(choice="2"), {"response": "no"}),
        (question(), Said(choice="no"), {"response": "no"}),
        (question(choices=["2", "1"]), Said(choice="2"), {"response": "2"}),
        (EITHER, Said("perhaps"), {"response": "perhaps"}),
        (APPROVAL, Said(approved=True), {"approved": True}),
        (APPROVAL, Said("not there", approved=False), {"approved": False, "reason": "not there"}),
        (REVIEW, Said(choice="happened"), {"resolution": "happened", "result": {}}),
        (REVIEW, Said("retry"), {"resolution": "did_not_happen", "then": "retry"}),
        (REVIEW, Said(choice="3"), {"resolution": "did_not_happen", "then": "fail"}),
        (REVIEW, Said(choice="it happened"), {"resolution": "happened", "result": {}}),
        (EVENT, Said(payload={"total": 3}), {"total": 3}),
        (question(), Said(payload={"response": "as it is"}), {"response": "as it is"}),
    ],
)
def test_words_become_the_payload_that_the_wait_takes(
    wait: Json, said: Said, payload: dict[str, Any]
) -> None:
    assert payload_of(wait, said) == payload


@pytest.mark.parametrize(
    ("wait", "said", "why"),
    [
        (question(), Said("perhaps"), "one of: 1 yes, 2 no"),
        (question(), Said(choice="3"), "one of: 1 yes, 2 no"),
        (EITHER, Said(choice="3"), "There is no choice '3'. There are: 1 yes, 2 no."),
        (FREE, Said(choice="1"), "none to choose from"),
        (FREE, Said(approved=True), "The run asks a question"),
        (FREE, Said(), "The run asks a question"),
        (APPROVAL, Said("yes"), "answer with --approve or --deny"),
        (REVIEW, Said("perhaps"), "--choice happened, retry or fail"),
        (REVIEW, Said(), "--choice happened, retry or fail"),
        (EVENT, Said("now"), "the event order-7: give its contents with --payload-json"),
    ],
)
def test_what_the_wait_does_not_take_is_refused_with_what_it_does(
    wait: Json, said: Said, why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        payload_of(wait, said)


@pytest.mark.parametrize("wait", [TIMER, PAUSE, child_wait("r2")])
def test_what_no_answer_changes_is_told_so(wait: Json) -> None:
    with pytest.raises(WaitMismatch, match="no answer changes that"):
        payload_of(wait, Said("go"))


def test_a_wait_shows_what_it_asks_for() -> None:
    assert choices_of(question()) == ["yes", "no"]
    assert choices_of(FREE) == []
    assert choices_of(REVIEW) == [
        "it happened",
        "it did not happen: do it now",
        "it did not happen: let the step fail",
    ]
    assert calls_of(APPROVAL) == [("write_file", '{"path": "a"}')]
    assert calls_of(question()) == []


def test_a_child_is_named_by_the_wait_for_it() -> None:
    assert child_of(child_wait("r2")) == "r2"
    assert child_of(question()) is None
