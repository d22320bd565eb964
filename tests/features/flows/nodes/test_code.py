"""Nodes that run code, by example: what is asked for, and what comes of the answer."""

import pytest

from perdure.features.flows.nodes.code import RUN_CODE
from perdure.kernel.model import Effect, EffectClass, Failed, Ok, Outcome, Status
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, an_end
from tests.support.flowing import Flowing

SOURCE = "def transform(given):\n    return given['a']"
TOOK: dict[str, Json] = {"duration_ms": 1.0, "permissions": "sandbox"}

# What is drawn, the pins, and the code, function and input that are asked for.
ASKED: dict[str, tuple[dict[str, Json], dict[str, Json], tuple[str, str | None, Json]]] = {
    "a source": ({"code": SOURCE}, {"a": 1}, (SOURCE, "transform", {"a": 1})),
    "a function by its name": ({"code": SOURCE, "functionName": "f"}, {}, (SOURCE, "f", {})),
    "a body": (
        {"codeBody": "b = a\nreturn b"}, {"a": 1},
        ("def transform(_input):\n    a = _input.get('a')\n    b = a\n    return b\n", "transform", {"a": 1}),
    ),
    "a body before a source": ({"code": SOURCE, "codeBody": "return 1"}, {}, ("def transform(_input):\n    return 1\n", "transform", {})),
    "a body that stands to the right": (
        {"codeBody": "\n    if 1:\n        return 1\n"}, {}, ("def transform(_input):\n    if 1:\n        return 1\n", "transform", {}),
    ),
    "pins that are no names": (
        {"codeBody": "return 1"}, {"from": 1, "my-pin": 2, "2nd": 3, "é": 4},
        ("def transform(_input):\n    from_ = _input.get('from')\n    my_pin = _input.get('my-pin')\n    p_2nd = _input.get('2nd')\n"
         "    é = _input.get('é')\n    return 1\n", "transform", {"from": 1, "my-pin": 2, "2nd": 3, "é": 4}),
    ),
    "permissions are no input": ({"code": SOURCE}, {"permissions": "sandbox"}, (SOURCE, "transform", {})),
    "a variable, without pins": ({"code": SOURCE, "inputKey": "v"}, {}, (SOURCE, "transform", 7)),
    "pins before a variable": ({"code": SOURCE, "inputKey": "v"}, {"a": 1}, (SOURCE, "transform", {"a": 1})),
}  # fmt: skip


def running(node: Drawn, pins: dict[str, Json], outcome: Outcome | None = None) -> Flowing:
    """A run of a flow with the node between a start and an end."""
    flow = a_flow(
        {"start": a_start(*pins), "it": node, "end": an_end("output")}, "start -> it -> end",
        *(f"start.{pin} => it.{pin}" for pin in pins), "it.output => end.output",
    )  # fmt: skip
    effects = {} if outcome is None else {RUN_CODE: lambda _effect, _run: outcome}
    return Flowing(flow, **effects).start(pins, cells={"var/v": 7})


def asked_by(run: Flowing) -> Effect:
    """The effect that the node waits for."""
    effect = run.open_at("it").what
    assert isinstance(effect, Effect)
    return effect


@pytest.mark.parametrize(("drawn", "pins", "asked"), ASKED.values(), ids=ASKED)
def test_what_is_asked_for(
    drawn: dict[str, Json], pins: dict[str, Json], asked: tuple[str, str | None, Json]
) -> None:
    run = running(a_node("code", *pins, out="output", **drawn), pins)
    effect = asked_by(run)
    payload = effect.payload
    assert (payload["code"], payload["function"], payload["input"]) == asked
    assert (effect.kind, effect.effect_class) == (RUN_CODE, EffectClass.READ)


def test_an_expression_is_for_the_older_node_alone() -> None:
    run = running(a_node("function", "a", out="result", expression="a + 1"), {"a": 1})
    payload = asked_by(run).payload
    assert (payload["code"], payload["function"]) == ("a + 1", None)
    assert running(a_node("code", "a", out="output", expression="a + 1"), {"a": 1}).output == {
        "output": {"a": 1}, "success": True,
    }  # fmt: skip


def test_the_answer_is_the_output_and_what_it_took() -> None:
    told = Ok({"success": True, "output": {"x": 3}, "execution": TOOK})
    run = running(a_node("code", out="output x", code=SOURCE, outputKey="kept.it"), {}, told)
    assert run.output == {"output": {"x": 3}, "success": True}
    assert run.cells["out/it"] == {"output": {"x": 3}, "success": True, "execution": TOOK, "x": 3}
    assert run.cells["var/kept"] == {"it": {"x": 3}}


# What the code gave back, and what the run ends with: at the node, at an end without pins, and at
# one that reads the pins `x` and `n` of what is ambient.
GAVE: dict[str, tuple[Json, Json, Json, Json]] = {
    "an object": ({"x": 3, "_y": 1}, {"x": 3, "success": True}, {"x": 3, "success": True}, {"x": 3, "n": None, "success": True}),
    "a value": (5, {"response": 5, "success": True}, {"response": 5, "success": True}, {"response": 5, "success": True}),
    "nothing": (None, {"response": None, "success": True}, {"success": True}, {"x": None, "n": None, "success": True}),
}  # fmt: skip


@pytest.mark.parametrize(("gave", "alone", "bare", "named"), GAVE.values(), ids=GAVE)
def test_what_the_function_gave_back_is_the_last_output(
    gave: Json, alone: Json, bare: Json, named: Json
) -> None:
    ends = {"alone": None, "bare": an_end(), "named": an_end("x", "n")}
    outputs = {}
    for name, end in ends.items():
        nodes = {"start": a_start("n"), "it": a_node("code", out="output", code=SOURCE)}
        way = ["start -> it"] if end is None else ["start -> it -> end"]
        flow = a_flow(nodes if end is None else {**nodes, "end": end}, *way)
        outputs[name] = Flowing(flow, run_code=Ok({"output": gave})).start({"n": 1}).output
    assert outputs == {"alone": alone, "bare": bare, "named": named}


def test_the_pin_result_of_code_is_what_the_function_gave_back() -> None:
    flow = a_flow(
        {"start": a_start(), "it": a_node("code", code=SOURCE), "end": an_end("said")},
        "start -> it -> end",
        "it.result => end.said",
    )
    run = Flowing(flow, run_code=Ok({"output": [1]})).start()
    assert run.output == {"said": [1], "success": True}


def test_the_older_node_gives_out_what_the_function_gave() -> None:
    told = Ok({"success": True, "output": 5, "execution": TOOK})
    run = running(a_node("function", out="output", code=SOURCE), {}, told)
    assert run.cells["out/it"] == 5 and run.output == {"output": 5, "success": True}


def test_an_error_of_the_code_ends_the_run_well_and_a_step_says_so() -> None:
    failed = Failed("code_failed", "ZeroDivisionError: division by zero", result={"line": 2})
    run = running(a_node("code", out="output", code=SOURCE), {}, failed)
    assert run.status is Status.COMPLETED
    assert run.output == {
        "success": False, "error": "ZeroDivisionError: division by zero", "node": "it",
    }  # fmt: skip
    said = [step for step in run.life.steps if step.node_id == "it" and step.status == "failed"]
    assert said and all("ZeroDivisionError" in (step.error or "") for step in said)
    assert said[0].result == {"line": 2}


@pytest.mark.parametrize("code", ["sandbox_unavailable", "limit_reached"])
def test_where_it_cannot_run_or_outgrows_its_bounds_the_run_fails(code: str) -> None:
    run = running(a_node("code", out="output", code=SOURCE), {}, Failed(code, "why"))
    assert run.status is Status.FAILED and run.error == f"{code}: why"


def test_more_than_the_sandbox_is_given_to_nobody() -> None:
    run = running(a_node("code", out="output", code=SOURCE, permissions="full_access"), {})
    assert run.output["success"] is False and "sandbox alone" in run.output["error"]


def test_without_code_the_pins_are_passed_on() -> None:
    assert running(a_node("function", "a", out="output"), {"a": 1}).cells["out/it"] == {"a": 1}
