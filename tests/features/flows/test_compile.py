"""Drawn flows become compiled ones, or are refused by name."""

import pytest

from perdure.bundles.bundle import Bundle
from perdure.errors import FlowNotFound, FlowRefused
from perdure.features.flows.compile import PROBLEMS_SHOWN, compile_bundled
from perdure.kernel.values import Json
from tests.support.drawing import a_bundle, a_flow, a_literal, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing


def _bundle(*lines: str, **nodes: Json) -> Bundle:
    return a_bundle(a_flow({"start": a_start("x"), **nodes, "end": an_end("x")}, *lines))


def test_a_flow_that_cannot_run_is_refused_with_every_reason() -> None:
    bundle = _bundle("start -> odd -> gone", odd=a_node("telepathy"))
    with pytest.raises(FlowRefused) as caught:
        compile_bundled(bundle, "main")
    assert (caught.value.facts["node_id"], caught.value.facts["node_type"]) == ("odd", "telepathy")
    assert caught.value.facts["reason"] == "unknown_type"
    assert "'odd'" in caught.value.detail and "'telepathy'" in caught.value.detail
    problems = caught.value.facts["problems"]
    assert isinstance(problems, list)
    assert [it["code"] for it in problems] == ["unknown_type", "dangling_edge"]


def test_a_flow_is_refused_for_what_it_can_start() -> None:
    broken = a_flow({"start": a_start(), "odd": a_node("telepathy")}, "start -> odd", id="broken")
    middle = a_flow(
        {"start": a_start(), "sub": a_node("subflow", subflowId="broken")},
        "start -> sub",
        id="middle",
    )
    outer = a_flow(
        {"start": a_start(), "sub": a_node("subflow", subflowId="kit:middle"), "own": a_node("subflow", subflowId="outer")},
        "start -> sub -> own", id="outer",
    )  # fmt: skip
    alone = a_flow({"start": a_start()}, id="alone")
    bundle = a_bundle(outer, middle, broken, alone)
    for flow_id in ("outer", "middle", "broken"):
        with pytest.raises(FlowRefused) as caught:
            compile_bundled(bundle, flow_id)
        assert (caught.value.facts["flow_id"], caught.value.facts["node_id"]) == ("broken", "odd")
        assert caught.value.detail.startswith("In the flow 'broken': ") == (flow_id != "broken")
    assert compile_bundled(bundle, "alone").entry == "start"


def test_a_refusal_names_a_bounded_number_of_problems() -> None:
    bundle = _bundle(
        "start -> end", **{f"n{index}": a_node("telepathy") for index in range(PROBLEMS_SHOWN + 1)}
    )
    with pytest.raises(FlowRefused) as caught:
        compile_bundled(bundle, "main")
    problems = caught.value.facts["problems"]
    assert isinstance(problems, list)
    assert len(problems) == PROBLEMS_SHOWN


def test_a_flow_that_is_not_there() -> None:
    with pytest.raises(FlowNotFound):
        compile_bundled(_bundle("start -> end"), "other")


def test_what_nothing_leads_to_is_left_out() -> None:
    flow = compile_bundled(
        _bundle("start -> end", alone=a_node("llm_call"), pure=a_value("trim")), "main"
    )
    assert set(flow.nodes) == {"start", "end"}
    assert flow.entry == "start"


def test_a_cone_holds_what_must_be_computed_in_its_order() -> None:
    flow = compile_bundled(
        _bundle("start -> end", "c.result => b.a", "b.result => a.a", "a.result => end.x", "lit.value => c.a", "d.result => d2.a",
                a=a_value("concat"), b=a_value("concat"), c=a_value("concat"), d=a_value("concat"), d2=a_value("concat"),
                lit=a_literal("x")),
        "main",
    )  # fmt: skip
    assert [node.id for node in flow.nodes["end"].wiring.cone] == ["c", "b", "a"], (
        "no literal, nothing else"
    )


def test_what_is_read_is_known_on_the_other_side() -> None:
    flow = compile_bundled(
        _bundle(
            "start -> up -> end", "up.result => end.x", "start.x => up.text", up=a_node("uppercase")
        ),
        "main",
    )
    assert flow.nodes["up"].wired == {"result"}
    assert flow.nodes["up"].targets == {"exec-out": "end"}


# --- several ways in ---------------------------------------------------------------------------


def _chat(**data: Json) -> Json:
    """A node that is entered from the start and, after an answer, again."""
    return a_flow(
        {"start": a_start("first"), "tell": a_node("answer_user", "message", **data), "ask": a_node("ask_user", out="response"),
         "if": a_node("if", "condition"), "end": an_end()},
        "start -> tell -> ask -> if", "if:true -> tell", "if:false -> end", "ask.response => if.condition",
    )  # fmt: skip


def _told(flow: Json, *answers: str) -> list[Json]:
    run = Flowing(flow).start({"first": "one", "message": "ambient"})
    for answer in answers:
        run.answer("ask", {"response": answer})
    return [effect.payload["message"] for effect in run.effects("answer_user")]


OVERRIDES = {"message": {"again": {"sourceNodeId": "ask", "sourceHandle": "response"}}}
ROUTES = [
    {"key": "first", "sourceNodeId": "start"},
    {"key": "again", "sourceNodeId": "if", "sourceHandle": "true"},
]


def test_several_edges_may_lead_into_one_node() -> None:
    flow = _chat()
    flow["edges"].append(
        {
            "id": "d",
            "source": "start",
            "sourceHandle": "first",
            "target": "tell",
            "targetHandle": "message",
        }
    )
    assert _told(flow, "two", "three") == ["one", "one", "one"]


def test_a_pin_may_read_another_source_for_each_way_in() -> None:
    flow = _chat(entryRoutes=ROUTES, inputRouteOverrides=OVERRIDES)
    flow["edges"].append(
        {
            "id": "d",
            "source": "start",
            "sourceHandle": "first",
            "target": "tell",
            "targetHandle": "message",
        }
    )
    assert _told(flow, "two", "three") == ["one", "two", "three"]


def test_a_way_in_without_a_source_of_its_own_has_the_default() -> None:
    flow = _chat(
        entryRoutes=ROUTES, inputRouteOverrides=OVERRIDES, pinDefaults={"message": "hello"}
    )
    assert _told(flow, "two") == ["hello", "two"]


def test_without_a_default_it_has_nothing_and_so_not_what_is_ambient() -> None:
    assert _told(_chat(entryRoutes=ROUTES, inputRouteOverrides=OVERRIDES), "two") == ["", "two"]


def test_the_way_in_is_kept_while_a_loop_goes_round() -> None:
    """A `while` whose condition depends on how it was entered: returning to it is no new way in."""
    flow = a_flow(
        {"start": a_start(n=0), "while": a_node("while", "condition", inputRouteOverrides={
            "condition": {"start::exec-out": {"sourceNodeId": "less", "sourceHandle": "result"}}}),
         "get": a_value("get_var", defaults={"name": "n"}), "less": a_value("compare", "a", defaults={"op": "<", "b": 3}),
         "add": a_value("add", "a", defaults={"b": 1}), "set": a_node("set_var", "value", defaults={"name": "n"}), "end": an_end("n")},
        "start -> while", "while:loop -> set", "while:done -> end", "get.value => less.a", "get.value => add.a",
        "add.result => set.value", "get.value => end.n",
    )  # fmt: skip
    assert Flowing(flow).start().output["n"] == 3.0
