"""Frames and positions: nesting, returning, re-entering, and branches beside each other."""

from itertools import permutations

import pytest

from perdure.features.flows.control import FORKS_MAX
from perdure.kernel.model import Ok, Status
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_literal, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing


def _note(name: str) -> Drawn:
    return a_node("set_var", defaults={"name": name, "value": True})


def _ask(name: str) -> Drawn:
    return a_node("ask_user", defaults={"prompt": name}, out="response")


# --- frames ------------------------------------------------------------------------------------


def test_a_branch_that_ends_returns_to_the_control_node_around_it() -> None:
    """A sequence within a loop within a sequence: each end goes back one level, and no further."""
    flow = a_flow(
        {"start": a_start(), "seq": a_node("sequence"), "items": a_literal([1, 2]), "loop": a_node("loop", "items"),
         "in": a_node("sequence"), "a": _note("a"), "b": _note("b"), "if": a_node("if", defaults={"condition": False}),
         "c": _note("c"), "end": an_end()},
        "start -> seq", "seq:then:0 -> loop", "loop:loop -> in", "in:then:0 -> a", "in:then:1 -> if", "if:true -> b",
        "seq:then:1 -> c -> end", "items.value => loop.items",
    )  # fmt: skip
    body = ["in", "a", "in", "if", "in"]
    assert Flowing(flow).start().path() == [
        "start",
        "seq",
        "loop",
        *body,
        "loop",
        *body,
        "loop",
        "seq",
        "c",
        "end",
    ]


def test_frames_are_gone_when_their_nodes_are_done() -> None:
    flow = a_flow(
        {"start": a_start(), "loop": a_node("loop", defaults={"items": [1]}), "seq": a_node("sequence"), "a": _note("a"),
         "ask": _ask("?")},
        "start -> loop", "loop:loop -> seq", "seq:then:0 -> a", "loop:done -> ask",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert [name for name in run.cells if name.startswith("ctl/")] == ["ctl/0"]
    assert run.cells["ctl/0"] == {"node": "ask"}


def test_a_loop_waits_in_its_body_and_goes_on_where_it_was() -> None:
    flow = a_flow(
        {"start": a_start(), "loop": a_node("loop", defaults={"items": ["a", "b"]}), "ask": _ask("?"), "end": an_end("item")},
        "start -> loop", "loop:loop -> ask", "loop:done -> end",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert run.cells["ctl/0/0"] == {"node": "loop", "frame": {"index": 1}}
    assert run.cells["ctl/0/0/kept"] == ["a", "b"], "written once, not with every pass"
    run.answer("ask", {"response": "1"})
    assert "ctl/0/0/kept" not in {name for step in run.life.steps[1:] for name in step.writes or {}}
    run.answer("ask", {"response": "2"})
    assert run.output == {"item": "b", "success": True}


def _again(steps: int) -> Json:
    """A while that asks; an answer of `again` goes back into the while by an edge, out of a loop in it."""
    return a_flow(
        {"start": a_start(), "while": a_node("while", defaults={"condition": True}),
         "loop": a_node("loop", defaults={"items": list(range(steps))}), "ask": _ask("?"), "if": a_node("if", "condition"),
         "eq": a_value("compare", "a", defaults={"b": "again"})},
        "start -> while", "while:loop -> loop", "loop:loop -> ask", "ask -> if", "if:true -> while",
        "ask.response => eq.a", "eq.result => if.condition",
    )  # fmt: skip


def test_an_edge_into_a_control_node_begins_it_anew() -> None:
    run = Flowing(_again(2)).start()
    run.answer("ask", {"response": "go on"})
    assert run.cells["ctl/0/0"]["frame"] == {"index": 1}, "the first pass of the while"
    assert run.cells["ctl/0/1"]["frame"] == {"index": 2}
    run.answer("ask", {"response": "again"})
    assert run.cells["ctl/0/0"]["frame"] == {"index": 1}, "its first pass again"
    assert run.cells["ctl/0/1"]["frame"] == {"index": 1}, "and so what is in it"


def test_going_round_by_edges_grows_nothing() -> None:
    run = Flowing(_again(2)).start().answer("ask", {"response": "again"})
    before = set(run.cells)
    for _ in range(20):
        run.answer("ask", {"response": "again"})
    assert set(run.cells) == before


# --- positions ---------------------------------------------------------------------------------


def _parallel(*branches: str, **nodes: Drawn) -> Json:
    """A parallel with these branches, and the end when all of them have ended."""
    return a_flow(
        {"start": a_start("x"), "par": a_node("parallel"), **nodes, "end": an_end("said")},
        "start -> par", "par:completed -> end", *branches,
    )  # fmt: skip


def test_branches_ask_together() -> None:
    flow = _parallel(
        "par:then:0 -> a1 -> a2", "par:then:1 -> b",
        a1=a_node("answer_user"), a2=a_node("answer_user"), b=a_node("wait_event", defaults={"event_key": "k"}),
    )  # fmt: skip
    run = Flowing(flow, answer_user=lambda effect, birth: Ok({"message": effect.node_id}))
    run.start()
    first, second = run.life.steps[:2]
    assert (first.node_id, second.node_id) == ("a1", "b")
    assert first.started_at == second.started_at
    assert run.status is Status.WAITING, "the other branch went on by itself, and ended"
    assert run.answer("b", {}).output["success"]
    assert [name for name in run.cells if name.startswith("ctl/0.")] == []


@pytest.mark.parametrize("order", list(permutations("abc")), ids=lambda order: "".join(order))
def test_what_comes_after_sees_the_same_in_whatever_order_the_branches_ended(
    order: tuple[str, ...],
) -> None:
    """Each branch makes a value after an answer; the last by number is what is ambient then."""
    nodes = {name: _ask(name) for name in "abc"} | {
        f"{name}2": a_node("make_object", "said") for name in "ab"
    }
    flow = _parallel(
        "par:then:0 -> a -> a2", "par:then:1 -> b -> b2", "par:then:2 -> c", "a.response => a2.said", "b.response => b2.said",
        **nodes,
    )  # fmt: skip
    run = Flowing(flow).start()
    for name in order:
        run.answer(name, {"response": name})
    assert run.output == {"said": "b", "success": True}


def test_branches_see_what_was_ambient_before_them_and_not_each_other() -> None:
    flow = _parallel(
        "par:then:0 -> a", "par:then:1 -> b",
        a=a_node("make_object", "said", defaults={"said": "a"}), b=a_node("make_object"),
    )  # fmt: skip
    run = Flowing(flow).start({"x": 1})
    assert run.cells["out/b"] == {"x": 1}


def test_an_end_in_a_branch_ends_the_run_and_gives_up_the_others() -> None:
    flow = _parallel("par:then:0 -> a", "par:then:1 -> b -> end", a=_ask("a"), b=_ask("b"))
    run = Flowing(flow).start().answer("b", {"response": "now"})
    assert run.status is Status.COMPLETED
    assert run.life.run.open == {}


def test_a_failure_in_a_branch_fails_the_run() -> None:
    flow = _parallel(
        "par:then:0 -> a", "par:then:1 -> b",
        a=_ask("a"), b=a_node("wait_until", defaults={"duration": "x"}, effectConfig={"durationType": "timestamp"}),
    )  # fmt: skip
    assert (Flowing(flow).start().error or "").startswith("bad_input: b: ")


def test_forks_within_forks_and_loops() -> None:
    flow = _parallel(
        "par:then:0 -> loop", "loop:loop -> in", "in:then:0 -> a", "in:then:1 -> b", "in:completed -> c", "par:then:1 -> d",
        loop=a_node("loop", defaults={"items": [1, 2]}), a=_ask("a"), b=_ask("b"), c=_note("c"), d=_ask("d"),
        **{"in": a_node("parallel")},
    )  # fmt: skip
    run = Flowing(flow).start()
    for name in ("b", "a", "d", "a", "b"):
        assert run.status is Status.WAITING
        run.answer(name, {"response": name})
    assert run.status is Status.COMPLETED
    assert run.path().count("c") == 2


def test_a_parallel_without_branches_is_done() -> None:
    assert Flowing(_parallel()).start().output == {"said": None, "success": True}


def test_a_parallel_that_nothing_follows_is_the_end() -> None:
    flow = a_flow(
        {"start": a_start("x"), "par": a_node("parallel"), "a": _note("a")},
        "start -> par",
        "par:then:0 -> a",
    )
    assert Flowing(flow).start({"x": 1}).output == {"success": True, "result": {"x": 1}}


def test_a_branch_that_forks_itself_meets_the_bound() -> None:
    flow = a_flow(
        {"start": a_start(), "par": a_node("parallel"), "a": _note("a")},
        "start -> par",
        "par:then:0 -> a -> par",
    )
    run = Flowing(flow).start()
    assert (
        run.error
        == f"limit_reached: par: branches fork at most {FORKS_MAX} times within each other"
    )


def test_many_branches_are_asked_in_turn_within_one_fold() -> None:
    names = [f"n{index}" for index in range(50)]
    flow = _parallel(
        *(f"par:then:{index} -> {name}" for index, name in enumerate(names)),
        **{name: _ask(name) for name in names},
    )
    run = Flowing(flow).start()
    assert len(run.life.run.open) == 50
    for name in reversed(names):
        run.answer(name, {"response": name})
    assert run.status is Status.COMPLETED
