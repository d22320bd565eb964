"""Flows that run flows: what the child is given, and what comes back."""

from typing import Any

import pytest

from perdure.features.flows.nodes.children import INPUTS_MAX
from perdure.kernel.model import Status
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing

ECHO = a_flow(
    {"start": a_start("said", "other"), "end": an_end("said", "other")}, "start -> end", id="echo"
)


def _calling(
    sub: Drawn, *pins: str, out: tuple[str, ...] = ("said",), child: Json = ECHO
) -> Flowing:
    flow = a_flow(
        {"start": a_start(*pins), "sub": sub, "end": an_end(*out)}, "start -> sub -> end",
        *(f"start.{pin} => sub.{pin}" for pin in pins), *(f"sub.{pin} => end.{pin}" for pin in out),
    )  # fmt: skip
    return Flowing(flow, child)


def _sub(*pins: str, out: str = "said", flow: str = "echo", **data: Any) -> Drawn:
    return a_node("subflow", *pins, out=out, subflowId=flow, **data)


GIVEN: dict[str, tuple[Drawn, dict[str, Json], dict[str, Json]]] = {
    "its pins": (_sub("said"), {"said": "hi"}, {"said": "hi"}),
    "the object on `input`": (_sub("input"), {"input": {"said": "hi", "other": 1}}, {"said": "hi", "other": 1}),
    "the object on `vars`": (_sub("vars"), {"vars": {"said": "hi"}}, {"said": "hi"}),
    "a pin over the object": (_sub("input", "said"), {"input": {"said": "a"}, "said": "b"}, {"said": "b"}),
    "an input that is no object": (_sub("input"), {"input": "text"}, {"input": "text"}),
    "everything, where no pin is drawn": (_sub(), {"said": "hi"}, {"said": "hi"}),
    "nothing reserved": (_sub("input"), {"input": {"said": "hi", "_runtime": 1, "session_id": "s"}}, {"said": "hi"}),
}  # fmt: skip


@pytest.mark.parametrize(("sub", "pins", "inputs"), GIVEN.values(), ids=GIVEN)
def test_what_a_child_is_given(sub: Drawn, pins: dict[str, Json], inputs: dict[str, Json]) -> None:
    run = _calling(sub, *pins).start(pins)
    (child,) = run.children()
    given = {
        name.removeprefix("in/"): child.cells[name]
        for name in child.cells
        if name.startswith("in/")
    }
    assert given == inputs
    assert child.run.birth.workflow_id == "kit@1.0.0:echo"
    assert child.run.birth.parent_id == run.root
    (started, *_) = run.life.steps
    assert started.effect["payload"]["vars"] == inputs
    assert run.status is Status.COMPLETED


def test_an_output_pin_is_picked_from_what_the_child_gave_out() -> None:
    run = _calling(
        _sub("said", out="said nothing output"), "said", out=("said", "nothing", "output")
    )
    output = run.start({"said": "hi"}).output
    assert output["said"] == "hi"
    assert output["nothing"] is None
    assert output["output"] == {"said": "hi", "other": None, "success": True}


def test_the_result_of_a_child_that_ends_with_an_effect_is_unwrapped() -> None:
    child = a_flow(
        {"tell": a_node("answer_user", "message", defaults={"message": "hi"})}, id="echo"
    )
    run = _calling(_sub(out="message"), out=("message",), child=child).start()
    assert run.output == {"message": "hi", "success": True}


def test_one_pin_takes_a_bare_result() -> None:
    child = a_flow({"up": a_node("uppercase", "text", defaults={"text": "hi"})}, id="echo")
    assert _calling(_sub(out="word"), out=("word",), child=child).start().output["word"] is None
    child = a_flow(
        {"up": a_value("uppercase", defaults={"text": "hi"}), "end": an_end("result")},
        "up.result => end.result",
        id="echo",
    )
    assert _calling(_sub(out="word"), out=("word",), child=child).start().output["word"] == "HI"


def test_what_goes_in_can_be_read_on_the_other_side() -> None:
    """A pin that the child says nothing of comes out as it went in."""
    run = _calling(_sub("kept", "said"), "kept", "said", out=("kept", "said"))
    assert run.start({"kept": [1], "said": "hi"}).output == {
        "kept": [1],
        "said": "hi",
        "success": True,
    }


def test_what_no_one_reads_is_not_kept_while_the_child_runs() -> None:
    child = a_flow({"ask": a_node("ask_user")}, id="echo")
    run = _calling(_sub("kept"), "kept", out=(), child=child).start({"kept": "x" * 1_000})
    assert run.cells["ctl/0"] == {"node": "sub"}


def test_a_failed_child_fails_its_parent() -> None:
    child = a_flow(
        {"wait": a_node("wait_until", effectConfig={"durationType": "timestamp"})}, id="echo"
    )
    middle = a_flow({"sub": _sub(flow="echo")}, id="middle")
    outer = a_flow({"sub": _sub(flow="middle")}, id="outer")
    run = Flowing(outer, middle, child).start()
    assert run.status is Status.FAILED
    assert (run.error or "").startswith("child_failed: bad_input: wait: ")
    assert (run.error or "").count("child_failed") == 1


MESSAGES = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hi", "metadata": {"message_id": "1"}},
]


@pytest.mark.parametrize(
    ("drawn", "pins", "inherits"),
    [({"inheritContext": True}, {}, True), ({"inherit_context": True}, {"inherit_context": "no"}, False),
     ({}, {"inherit_context": "true"}, True), ({}, {}, False)],
    ids=["drawn", "a pin wins", "a pin", "neither"],
)  # fmt: skip
def test_a_child_continues_the_conversation_if_it_is_to(
    drawn: dict[str, Json], pins: dict[str, Json], inherits: bool
) -> None:
    sub = _sub("said", "inherit_context", effectConfig=drawn)
    run = _calling(sub, "context", "said", *pins).start({"context": {"messages": MESSAGES}, **pins})
    (child,) = run.children()
    assert [child.cells.get("msg/0"), child.cells.get("ctl/messages")] == (
        [MESSAGES[0], 2] if inherits else [None, None]
    )


def test_a_child_s_own_messages_come_after_and_none_comes_twice() -> None:
    own = [
        {"role": "system", "content": "be brief"},
        MESSAGES[1],
        {"role": "user", "content": "bye"},
    ]
    sub = _sub("input", effectConfig={"inherit_context": True})
    run = _calling(sub, "context", "input")
    run.start({"context": {"messages": MESSAGES}, "input": {"context": {"messages": own}}})
    (child,) = run.children()
    said = [child.cells[f"msg/{index}"]["content"] for index in range(child.cells["ctl/messages"])]
    assert said == ["be brief", "be kind", "hi", "bye"]


def test_a_child_has_the_session_and_the_run_s_settings() -> None:
    run = _calling(_sub("said"), "said").start(
        {"said": "hi"}, cells={"rt/_runtime": {"thinking": "low"}}
    )
    (child,) = run.children()
    assert child.run.birth.session_id == "session"
    assert child.cells["rt/_runtime"] == {"thinking": "low"}
    apart = _calling(_sub("said", "child_session_id"), "said", "child_session_id")
    apart.start({"said": "hi", "child_session_id": "own"})
    assert apart.children()[0].run.birth.session_id == "own"


def test_a_child_takes_a_bounded_number_of_inputs() -> None:
    run = _calling(_sub("input"), "input").start(
        {"input": {f"k{index}": 1 for index in range(INPUTS_MAX + 1)}}
    )
    assert run.error == f"bad_input: sub: a child takes at most {INPUTS_MAX} inputs"


def test_a_flow_may_run_itself_down_to_the_bound() -> None:
    again = a_flow({"sub": _sub(flow="main")}, id="main")
    run = Flowing(again).start()
    assert (run.error or "").startswith("child_failed: limit_reached: depth_max")
