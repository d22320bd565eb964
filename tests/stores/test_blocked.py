"""Every run that has not ended says why it does not move, the most pressing reason first."""

from typing import Any

import pytest
from msgspec.structs import replace

from perdure.clock import text_of
from perdure.ids import Key, RunId
from perdure.kernel.model import TERMINAL, Effect, Held, Reason, Status, Wait
from perdure.stores.blocked import blocked_on, shown_open
from tests.support.builders import (
    AT,
    a_listener,
    a_question,
    a_run,
    a_timer,
    an_effect,
)
from tests.support.clock import START

APPROVAL = a_question("approve", prompt=None, details={"mode": "approval_required"})
REVIEW = a_question("review", review_of=Key("k9"))
QUESTION = a_question("ask")
EVENT = a_listener("listen", key="evt:session:s:name")
JOB = replace(a_listener("job", key="job-1"), reason=Reason.JOB)
TIMER = a_timer("sleep", START)
CHILD = Wait("call", "n", Reason.CHILD, "start_subworkflow", "subworkflow:c", child=RunId("c"))
EFFECT = an_effect("act")

KINDS: list[tuple[Effect | Wait, str, str]] = [
    (REVIEW, "review", "nobody knows whether the effect happened"),
    (APPROVAL, "approval", "waits for an approval"),
    (replace(APPROVAL, prompt="May I?"), "approval", "May I?"),
    (QUESTION, "question", "ask?"),
    (replace(QUESTION, prompt=None), "question", "waits for an answer"),
    (replace(QUESTION, details={"mode": "else"}), "question", "ask?"),
    (EVENT, "event", "waits for evt:session:s:name"),
    (JOB, "event", "waits for job-1"),
    (TIMER, "timer", f"waits until {text_of(START)}"),
    (replace(TIMER, until=None), "timer", "waits until somebody answers"),
    (CHILD, "child", "waits for c"),
    (EFFECT, "effect", "echo is under way"),
]
BY_URGENCY: list[Effect | Wait] = [REVIEW, APPROVAL, QUESTION, EVENT, CHILD, TIMER, EFFECT]


@pytest.mark.parametrize(("what", "kind", "detail"), KINDS)
def test_what_is_open_says_what_it_waits_for(what: Effect | Wait, kind: str, detail: str) -> None:
    run = a_run(what)
    blocked = blocked_on(run)
    assert blocked is not None
    assert (blocked.kind, blocked.detail, blocked.since) == (kind, detail, AT)
    assert blocked.key in run.open
    assert blocked.child == (what.child if isinstance(what, Wait) else None)


@pytest.mark.parametrize("first", range(len(BY_URGENCY)))
def test_the_most_pressing_reason_is_named(first: int) -> None:
    for order in (BY_URGENCY[first:], [*BY_URGENCY[:first:-1], BY_URGENCY[first]]):
        run = a_run(*order)
        blocked = blocked_on(run)
        assert blocked is not None
        assert blocked.key is not None
        assert run.open[blocked.key].what is BY_URGENCY[first]


@pytest.mark.parametrize(
    ("changes", "kind", "detail"),
    [
        ({"held": Held("lunch", AT)}, "hold", "lunch"),
        ({"held": Held("", AT)}, "hold", "paused"),
        ({"held": Held("", AT), "ready": True}, "hold", "paused"),
        ({"ready": True}, "runner", "waits for a runner to begin it"),
        ({"open": {}}, "runner", "waits for a runner to go on"),
    ],
)
def test_a_run_that_waits_for_nothing_open_says_for_whom(
    changes: dict[str, Any], kind: str, detail: str
) -> None:
    blocked = blocked_on(replace(a_run(EFFECT), **changes))
    assert blocked is not None
    assert (blocked.kind, blocked.detail, blocked.key) == (kind, detail, None)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_run_that_has_ended_is_not_blocked(status: Status) -> None:
    assert blocked_on(a_run(open={}, status=status)) is None


def test_summaries_show_what_a_person_can_answer_else_the_oldest_wait() -> None:
    shown = shown_open(a_run(EFFECT, TIMER, EVENT, QUESTION, a_question("later")))
    assert shown is not None
    assert shown.what is QUESTION
    shown = shown_open(a_run(EFFECT, a_timer("first", START), a_timer("second", START)))
    assert shown is not None
    assert shown.what.tag == "first"


def test_summaries_show_no_wait_where_only_effects_are_open() -> None:
    assert shown_open(a_run(EFFECT)) is None
    assert shown_open(a_run()) is None
