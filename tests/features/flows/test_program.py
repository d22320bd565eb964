"""A flow as a program: how it ends, what it says of faults, and that a step costs the same for ever."""

import pytest

from perdure.bundles.bundle import Bundle
from perdure.errors import FlowNotFound, Invalid
from perdure.features.flows.program import FlowProgram, flow_program
from perdure.kernel.limits import Limits
from perdure.kernel.model import Arrived, Failed, Hold, Ok, ProgramRef, Release, Status, Told, Wait
from perdure.kernel.values import Json
from tests.support.drawing import (
    Drawn,
    a_bundle,
    a_flow,
    a_literal,
    a_node,
    a_start,
    a_value,
    an_end,
)
from tests.support.flowing import Flowing

# The last node of a flow that has no end, its pins, and what the run gives out.
ENDINGS: dict[str, tuple[Drawn, Json]] = {
    "an object is given out as it is": (a_node("make_object", defaults={"a": 1, "_b": 2}), {"x": 1, "a": 1, "success": True}),
    "and keeps a success of its own": (a_node("make_object", defaults={"success": False}), {"x": 1, "success": False}),
    "any other value is the response": (a_node("length", defaults={"text": "abc"}), {"response": 3, "success": True}),
    "an effect gives out its result": (
        a_node("answer_user", defaults={"message": "m"}), {"success": True, "result": {"message": "m", "level": "message"}},
    ),
    "a variable passes on what was": (a_node("set_var", defaults={"name": "n", "value": 1}), {"success": True, "result": {"x": 1}}),
    "a sequence as well": (a_node("sequence"), {"success": True, "result": {"x": 1}}),
}  # fmt: skip


@pytest.mark.parametrize(("node", "output"), ENDINGS.values(), ids=ENDINGS)
def test_a_flow_ends_where_nothing_comes_after(node: Drawn, output: Json) -> None:
    flow = a_flow({"start": a_start("x"), "it": node}, "start -> it")
    assert Flowing(flow).start({"x": 1, "workspace_root": "/x"}).output == output


def test_without_a_start_the_inputs_are_ambient() -> None:
    flow = a_flow({"ask": a_node("ask_user", "prompt"), "end": an_end("prompt")}, "ask -> end")
    run = Flowing(flow).start({"prompt": "Why?", "_hidden": 1})
    wait = run.open_at("ask").what
    assert isinstance(wait, Wait)
    assert wait.prompt == "Why?"
    assert run.answer("ask", {}).output == {"prompt": "Why?", "success": True}


# --- faults ------------------------------------------------------------------------------------


def _faulty(consumer: Drawn) -> Json:
    return a_flow(
        {"start": a_start("text"), "read": a_value("parse_json", "text"), "it": consumer},
        "start -> it", "start.text => read.text", "read.result => it.x",
    )  # fmt: skip


@pytest.mark.parametrize("type", ["on_flow_end", "set_var", "if", "trim", "llm_call", "subflow"])
def test_a_fault_ends_the_run_well_without_success_and_with_a_failed_step(type: str) -> None:
    """Whoever pulls it: the output names the node that the flow stood at, the step the one that failed."""
    run = Flowing(_faulty(a_node(type, "x", subflowId="main"))).start({"text": "no json"})
    assert run.output["success"] is False
    assert run.output["node"] == "it"
    assert run.output["error"].startswith("the text is no JSON")
    failed, completed, _ = run.life.steps
    assert (failed.status, failed.node_id, failed.error) == (
        "failed",
        "read",
        "parse_json: " + run.output["error"],
    )
    assert (completed.status, completed.node_id) == ("completed", "it")
    assert run.life.run.warnings == (f"read: {failed.error}",)


def test_a_fault_in_a_loop_does_not_go_unseen() -> None:
    flow = a_flow(
        {"start": a_start(), "loop": a_node("loop", defaults={"items": ["1", "x", "3"]}), "it": a_node("parse_json", "text"),
         "end": an_end()},
        "start -> loop", "loop:loop -> it", "loop:done -> end", "loop.item => it.text",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert (run.output["success"], run.output["node"]) == (False, "it")
    assert run.cells["out/loop"]["index"] == 1


def test_a_fault_writes_nothing_of_the_node_that_has_it() -> None:
    flow = a_flow(
        {"start": a_start(), "it": a_node("set_vars", defaults={"updates": {"a": 1, "_b": 2}})},
        "start -> it",
    )
    run = Flowing(flow).start()
    assert "out/it" not in run.cells
    assert "var/a" not in run.cells


def test_an_effect_that_fails_fails_the_run_with_its_code() -> None:
    flow = a_flow({"start": a_start(), "it": a_node("llm_call")}, "start -> it")
    run = Flowing(flow, llm_call=Failed("refused", "not today")).start()
    assert (run.status, run.error) == (Status.FAILED, "refused: not today")
    assert [step.status for step in run.life.steps] == ["started", "failed", "completed"]


# --- bounds and cost ---------------------------------------------------------------------------


def _forever(*body: str, **nodes: Drawn) -> Json:
    return a_flow(
        {"start": a_start(seen=0), "for": a_node("for", defaults={"start": 0, "end": 10_000}), **nodes},
        "start -> for", *body,
    )  # fmt: skip


def test_a_loop_of_pure_nodes_comes_back_to_the_kernel() -> None:
    flow = _forever("for:loop -> set", set=a_node("set_var", defaults={"name": "n"}))
    run = Flowing(flow).start(limits=Limits(moves_max=500))
    assert run.error == "limit_reached: moves_max: 500 moves without a record"


@pytest.mark.parametrize("around", [(), ("par",)], ids=["alone", "in a branch"])
def test_the_thousandth_step_reads_as_much_as_the_tenth(around: tuple[str, ...]) -> None:
    """Each step asks, keeps the answer, and sets a variable; what was before is never read."""
    nodes = {
        "ask": a_node("ask_user", out="response"),
        "set": a_node("set_var", "value", defaults={"name": "n.x"}),
    }
    flow = _forever("for:loop -> ask -> set", "ask.response => set.value", **nodes)
    if around:
        flow["nodes"].append({"id": "par", **a_node("parallel")})
        flow["edges"][0]["target"] = "par"
        flow["edges"].append(
            {
                "id": "p",
                "source": "par",
                "sourceHandle": "then:0",
                "target": "for",
                "targetHandle": "exec-in",
            }
        )
    run = Flowing(flow).start()
    reads: list[int] = []
    scans = run.life.cells.scans
    for index in range(1_000):
        before = run.life.cells.reads
        run.answer("ask", {"response": index})
        reads.append(run.life.cells.reads - before)
    assert set(reads[9:]) == {reads[9]}
    assert run.life.cells.scans == scans, "nothing reads every cell"
    assert len({len(step.writes or {}) for step in run.life.steps[10:] if step.writes}) == 1


def test_a_conversation_is_not_read_by_who_does_not_need_it() -> None:
    messages = [{"role": "user", "content": str(index)} for index in range(1_000)]
    flow = a_flow(
        {"start": a_start(), "say": a_node("llm_call"), "ask": a_node("ask_user"), "set": a_node("set_var", defaults={"name": "x"})},
        "start -> say -> ask -> set",
    )  # fmt: skip
    run = Flowing(flow, llm_call=Ok({"content": "hi"})).start({"context": {"messages": messages}})
    before = run.life.cells.reads
    run.answer("ask", {})
    assert run.life.cells.reads - before < 100


# --- the rest of a life ------------------------------------------------------------------------


def test_a_word_that_is_for_nobody_changes_nothing() -> None:
    flow = a_flow(
        {"start": a_start(), "ask": a_node("ask_user"), "end": an_end()}, "start -> ask -> end"
    )
    run = Flowing(flow).start()
    decision = run.decide(run.root, Told("hello"))
    assert (decision.steps, decision.writes, decision.run.status) == ((), {}, Status.WAITING)
    assert run.answer("ask", {}).status is Status.COMPLETED


def test_what_arrives_while_the_run_is_held_is_taken_in_when_it_goes_on() -> None:
    flow = a_flow(
        {"start": a_start(), "par": a_node("parallel"), "a": a_node("llm_call", out="response"), "b": a_node("llm_call", out="response"),
         "end": an_end("x", "y")},
        "start -> par", "par:then:0 -> a", "par:then:1 -> b", "par:completed -> end", "a.response => end.x", "b.response => end.y",
    )  # fmt: skip
    run = Flowing(flow).start()
    run.decide(run.root, Hold("a break"))
    for name in "ab":
        run.decide(run.root, Arrived(run.open_at(name).key, Ok({"content": name})))
    assert run.status is Status.RUNNING
    run.decide(run.root, Release())
    assert run.output == {"x": "a", "y": "b", "success": True}


def test_nodes_are_named_in_the_order_in_which_they_were_passed() -> None:
    flow = a_flow(
        {
            "start": a_start(),
            "lit": a_literal("x"),
            "set": a_node("set_var", "value", defaults={"name": "n"}),
            "end": an_end(),
        },
        "start -> set -> end",
        "lit.value => set.value",
    )
    run = Flowing(flow).start()
    assert run.life.steps[0].path == ("start", "set", "end")


def test_a_program_is_made_of_a_pinned_bundle() -> None:
    bundle: Bundle = a_bundle(a_flow({"start": a_start()}))
    made = flow_program(ProgramRef("flow", bundle.sha256, "main"), bundle)
    assert isinstance(made, FlowProgram)
    with pytest.raises(FlowNotFound):
        flow_program(ProgramRef("flow", bundle.sha256, "other"), bundle)
    with pytest.raises(Invalid):
        flow_program(ProgramRef("flow", None, "main"), None)
