"""Beginnings and ends, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_literal, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing

STARTS: dict[str, tuple[Drawn, dict[str, Json], Json]] = {
    "the declared pins": (a_start("a", "b"), {"a": 1, "x": 2}, {"a": 1, "b": None}),
    "a default for what was not given": (a_start(a=7), {}, {"a": 7}),
    "a null that was given is no default": (a_start(a=7), {"a": None}, {"a": None}),
    "everything, where no pin is drawn": (a_node("on_flow_start"), {"a": 1, "_runtime": 2, "workspace_root": "/x"}, {"a": 1}),
    "a default of no pin is for everything": (a_node("on_flow_start", defaults={"b": 2, "_c": 3}), {"a": 1}, {"a": 1, "b": 2}),
    "a request": (a_node("on_user_request", out="message context"), {"message": "hi"}, {"message": "hi", "context": {}}),
    "a message of an agent": (
        a_node("on_agent_message", out="sender", eventConfig={"channel": "c"}), {"message": "hi", "sender": "bo"},
        {"sender": "bo", "message": "hi", "channel": "c"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("start", "inputs", "output"), STARTS.values(), ids=STARTS)
def test_a_start_hands_out(start: Drawn, inputs: dict[str, Json], output: Json) -> None:
    run = Flowing(a_flow({"start": start, "end": an_end()}, "start -> end")).start(inputs)
    assert run.cells["out/start"] == output
    assert run.output == {**output, "success": True}


def test_a_default_that_is_used_becomes_a_variable() -> None:
    flow = a_flow({"start": a_start("b", a=7), "end": an_end()}, "start -> end")
    run = Flowing(flow).start({"b": 1})
    assert run.cells["var/a"] == 7
    assert "var/b" not in run.cells


def test_an_end_gives_out_its_pins_and_nothing_else() -> None:
    flow = a_flow(
        {"start": a_start("a", "b"), "end": an_end("x", "b", "gone")},
        "start -> end",
        "start.a => end.x",
    )
    output = Flowing(flow).start({"a": 1, "b": 2}).output
    assert output == {"x": 1, "b": 2, "gone": None, "success": True}, "b is ambient"


def test_a_pin_called_success_says_whether_it_was_one() -> None:
    flow = a_flow(
        {"start": a_start("ok"), "end": an_end("success")},
        "start -> end",
        "start.ok => end.success",
    )
    assert Flowing(flow).start({"ok": False}).output == {"success": False}


@pytest.mark.parametrize(
    ("pins", "output"),
    [((), {"response": "X", "success": True}), (("said",), {"said": "X", "success": True}),
     (("a", "b"), {"response": "X", "success": True})],
    ids=["no pin", "one pin", "two pins"],
)  # fmt: skip
def test_a_bare_value_is_given_out_under_a_name(pins: tuple[str, ...], output: Json) -> None:
    flow = a_flow(
        {"start": a_start("text"), "up": a_node("uppercase", "text"), "end": an_end(*pins)},
        "start -> up -> end",
    )
    assert Flowing(flow).start({"text": "x"}).output == output


def test_an_end_ends_the_run_wherever_it_stands() -> None:
    flow = a_flow(
        {"start": a_start(), "items": a_literal([1, 2, 3]), "loop": a_node("loop", "items"),
         "in": a_node("loop", "items"), "end": an_end("item")},
        "start -> loop", "loop:loop -> in", "in:loop -> end", "items.value => loop.items", "items.value => in.items",
        "in.item => end.item",
    )  # fmt: skip
    assert Flowing(flow).start().output == {"item": 1, "success": True}


def test_an_output_meets_the_bound_however_often_it_names_the_same_value() -> None:
    pins = [f"p{index}" for index in range(100)]
    flow = a_flow(
        {"start": a_start("big"), "same": a_value("coalesce", "a"), "end": an_end(*pins)},
        "start -> end", "start.big => same.a", *(f"same.result => end.{pin}" for pin in pins),
    )  # fmt: skip
    run = Flowing(flow).start({"big": ["x"] * 20_000})
    assert run.error == "limit_reached: end: a value is larger than a flow may make"
