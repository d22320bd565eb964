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
    "a source before a body": ({"code": SOURCE, "codeBody": "return 1"}, {}, (SOURCE, "transform", {})),
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
