"""The thirteen evaluation rules of the flow language, each by example."""

import pytest

from perdure.errors import FlowRefused
from perdure.features.flows.compile import compile_bundled
from perdure.ids import Key
from perdure.kernel.decide import decide
from perdure.kernel.model import Arrived, Failed, Ok, Status
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

ASK = a_node("ask_user", out="response", defaults={"prompt": "?"})


def _note(name: str) -> Drawn:
    return a_node("set_var", defaults={"name": name, "value": name})


def _refused(flow: Json) -> FlowRefused:
    with pytest.raises(FlowRefused) as refused:
        compile_bundled(a_bundle(flow), "main")
    return refused.value


def test_rule_1_the_entry_is_named_or_the_first_that_nothing_leads_to() -> None:
    nodes = {"b": _note("b"), "a": _note("a"), "pure": a_literal(1), "lost": _note("lost")}
    assert Flowing(a_flow(nodes, "a -> b")).start().path() == ["a", "b"]
    assert Flowing(a_flow(nodes, "a -> b", entry="lost")).start().path() == ["lost"]
    assert Flowing(a_flow(nodes, "a -> b", entry="pure")).start().path() == ["a", "b"]


def test_rule_2_pure_nodes_are_computed_anew_for_whoever_reads_them() -> None:
    flow = a_flow(
        {"start": a_start("n"), "v": a_value("get_var", out="value", defaults={"name": "n"}), "more": a_value("add", "a", "b", defaults={"b": 1}),
         "one": a_node("set_var", "value", defaults={"name": "n"}), "two": a_node("set_var", "value", defaults={"name": "n"}), "end": an_end("n")},
        "start -> one -> two -> end", "v.value => more.a", "more.result => one.value", "more.result => two.value", "more.result => end.n",
    )  # fmt: skip
    assert Flowing(flow).start({"n": 0}).output["n"] == 3.0
    cycle = a_flow({"start": a_start(), "x": a_value("not", "value"), "end": an_end("v")}, "start -> end", "x.result => x.value", "x.result => end.v")  # fmt: skip
    assert "'x' of type 'not' needs its own result" in str(_refused(cycle))


def test_rule_3_a_connected_pin_wins_then_a_default_then_what_is_ambient() -> None:
    flow = a_flow(
        {"start": a_start("linked", "ambient", "default"), "none": a_literal(None),
         "end": a_node("on_flow_end", "linked", "ambient", "default", "lost", defaults={"default": "drawn"})},
        "start -> end", "none.value => end.linked",
    )  # fmt: skip
    output = Flowing(flow).start({"linked": 1, "ambient": 2, "default": 3}).output
    assert output == {
        "linked": None,
        "ambient": 2,
        "default": "drawn",
        "lost": None,
        "success": True,
    }


def test_rule_4_an_output_is_kept_for_edges_and_reserved_keys_never_leak() -> None:
    flow = a_flow(
        {"start": a_start("a", "_b", "workspace_root"), "ask": ASK, "end": an_end()},
        "start -> ask -> end",
    )
    run = Flowing(flow).start({"a": 1, "_b": 2, "workspace_root": "/x"})
    assert (run.cells["last"], run.cells["out/start"]["a"]) == ("out/start", 1)
    assert run.answer("ask", {"response": "r"}).output == {"a": 1, "success": True}
    assert run.cells["out/ask"]["response"] == "r"


def test_rule_5_a_plain_flow_stands_at_one_node() -> None:
    flow = a_flow({"start": a_start(), "a": ASK, "b": ASK}, "start -> a -> b")
    run = Flowing(flow).start()
    assert {name: it for name, it in run.cells.items() if name.startswith("ctl/")} == {
        "ctl/0": {"node": "a"}
    }
    assert run.answer("a", {"response": ""}).cells["ctl/0"] == {"node": "b"}


def test_rule_6_where_nothing_follows_the_run_ends_with_what_the_node_made() -> None:
    add = a_node("add", "a", "b", out="result", defaults={"a": 1, "b": 2})
    assert Flowing(a_flow({"start": a_start(), "add": add}, "start -> add")).start().output == {
        "response": 3.0,
        "success": True,
    }
    get = a_node("get", "object", defaults={"object": {"k": 1}, "key": "k"}, out="value")
    assert Flowing(a_flow({"start": a_start(), "get": get}, "start -> get")).start().output == {
        "value": 1,
        "success": True,
    }
    ended = (
        Flowing(a_flow({"start": a_start(), "ask": ASK}, "start -> ask"))
        .start()
        .answer("ask", {"response": "r"})
    )
    assert ended.output == {"success": True, "result": {"response": "r"}}
    inside = a_flow({"start": a_start(), "seq": a_node("sequence"), "a": _note("a"), "b": _note("b")}, "start -> seq", "seq:then:0 -> a", "seq:then:1 -> b")  # fmt: skip
    assert Flowing(inside).start().path() == ["start", "seq", "a", "seq", "b", "seq"]


def test_rule_7_an_end_ends_the_run_wherever_it_stands() -> None:
    flow = a_flow(
        {"start": a_start(), "loop": a_node("loop", defaults={"items": [7, 8]}), "end": an_end()},
        "start -> loop",
        "loop:loop -> end",
    )
    assert Flowing(flow).start().output == {"item": 7, "index": 0, "total": 2, "success": True}


def test_rule_8_a_fault_completes_and_a_failed_effect_fails() -> None:
    parse = a_node("parse_json", defaults={"text": "no"})
    run = Flowing(a_flow({"start": a_start(), "parse": parse}, "start -> parse")).start()
    assert (run.output["success"], run.output["node"]) == (False, "parse")
    assert [it.error for it in run.life.steps if it.status == "failed"] == [
        f"parse_json: {run.output['error']}"
    ]
    read = a_node("read_file", defaults={"file_path": "a"})
    gone = Flowing(
        a_flow({"start": a_start(), "read": read}, "start -> read"),
        read_file=Failed("not_found", "gone"),
    ).start()
    assert gone.output == {"success": False, "error": "gone", "node": "read"}
    call = a_flow({"start": a_start(), "call": a_node("llm_call")}, "start -> call")
    assert Flowing(call, llm_call=Failed("upset")).start().error == "upset"
    until = a_node(
        "wait_until", defaults={"duration": "x"}, effectConfig={"durationType": "timestamp"}
    )
    plan = Flowing(a_flow({"start": a_start(), "until": until}, "start -> until")).start()
    assert (plan.status, (plan.error or "")[:17]) == (Status.FAILED, "bad_input: until:")


def test_rule_9_a_way_that_leads_nowhere_is_a_clean_end_or_a_return() -> None:
    choose = a_node("if", defaults={"condition": False})
    plain = a_flow(
        {"start": a_start(), "if": choose, "a": _note("a")}, "start -> if", "if:true -> a"
    )
    assert Flowing(plain).start().output["success"] is True
    inside = a_flow({"start": a_start(), "seq": a_node("sequence"), "if": choose, "a": _note("a")}, "start -> seq", "seq:then:0 -> if", "seq:then:1 -> a")  # fmt: skip
    assert Flowing(inside).start().path() == ["start", "seq", "if", "seq", "a", "seq"]


@pytest.mark.parametrize(("c", "said"), [(True, "left"), (False, "right")])
def test_rule_10_several_ways_into_a_node_may_each_bring_their_own(c: bool, said: str) -> None:
    routes: Json = {"said": {f"{it}::exec-out": {"source": f"{it}-said", "sourceHandle": "value"} for it in ("left", "right")}}  # fmt: skip
    flow = a_flow(
        {"start": a_start("c"), "if": a_node("if", "condition"), "left": _note("x"), "right": _note("y"), "left-said": a_literal("left"),
         "right-said": a_literal("right"), "end": a_node("on_flow_end", "said", inputRouteOverrides=routes)},
        "start -> if", "if:true -> left -> end", "if:false -> right -> end", "start.c => if.condition",
    )  # fmt: skip
    assert Flowing(flow).start({"c": c}).output["said"] == said


def test_rule_10_several_ways_out_of_one_pin_are_refused() -> None:
    flow = a_flow(
        {"start": a_start(), "a": _note("a"), "b": _note("b")}, "start -> a", "start -> b"
    )
    assert "leads to 2 nodes" in str(_refused(flow))


def test_rule_11_control_nodes_keep_their_place_and_begin_anew_by_an_edge() -> None:
    flow = a_flow(
        {"start": a_start(), "loop": a_node("loop", defaults={"items": ["a", "b"]}), "ask": ASK, "if": a_node("if", "condition"),
         "again": a_value("compare", "a", defaults={"b": "again"}), "end": an_end("index")},
        "start -> loop", "loop:loop -> ask -> if", "if:true -> loop", "loop:done -> end", "ask.response => again.a",
        "again.result => if.condition", "loop.index => end.index",
    )  # fmt: skip
    run = Flowing(flow).start()
    run.answer("ask", {"response": "on"}).answer("ask", {"response": "again"})
    assert run.cells["ctl/0/0"]["frame"] == {"index": 1}, "the second item is followed by the first"
    assert (
        run.answer("ask", {"response": "on"}).answer("ask", {"response": "on"}).output["index"] == 1
    )


def test_rule_12_a_listener_waits_again_after_its_branch_and_ends_by_an_end() -> None:
    on = a_node("on_event", out="payload", eventConfig={"name": "go"})
    nodes = {"on": on, "if": a_node("if", "condition"), "end": an_end("payload")}
    run = Flowing(
        a_flow(
            nodes,
            "on -> if",
            "if:true -> end",
            "on.payload => if.condition",
            "on.payload => end.payload",
        )
    ).start()
    for _ in range(3):
        run.answer("on", {"name": "go", "payload": {}})
        assert run.status is Status.WAITING
    assert run.answer("on", {"name": "go", "payload": {"n": 1}}).output == {
        "payload": {"n": 1},
        "success": True,
    }


def test_rule_13_an_effect_has_a_key_of_its_place_and_a_repeat_changes_nothing() -> None:
    say = a_node("answer_user", defaults={"message": "the same"})
    names = [f"say{n}" for n in range(5)]
    run = Flowing(
        a_flow(
            {"start": a_start(), **dict.fromkeys(names, say), "ask": ASK},
            " -> ".join(["start", *names, "ask"]),
        )
    ).start()
    keys = [it.idempotency_key for it in run.life.steps if it.status == "started"]
    assert len(set(keys)) == 5, "five sends alike are five sends"
    assert len(run.effects("answer_user")) == 5
    life = run.life
    late = decide(
        life.run, Arrived(Key(str(keys[0])), Ok("again")), life.program, life.cells, run.clock.now()
    )
    assert late.disposition.startswith("ignored")
