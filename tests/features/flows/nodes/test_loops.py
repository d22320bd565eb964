"""Loops and sequences, by example. What a pass makes is gathered in the variable `seen`."""

import pytest

from perdure.features.flows.nodes.loops import PASSES_MAX
from perdure.kernel.limits import Limits
from perdure.kernel.model import GONE
from perdure.kernel.values import Json
from perdure.stores.values import fault_of
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing

GATHER: dict[str, Drawn] = {
    "seen": a_value("get_var", out="value", defaults={"name": "seen"}),
    "more": a_value("array_append", "array", "item"),
    "gather": a_node("set_var", "name", "value", defaults={"name": "seen"}),
}
GATHERED = ("seen.value => more.array", "more.result => gather.value")
SEEN = ("seen.value => end.seen",)


def _looping(node: Drawn, *lines: str, pin: str = "item") -> Json:
    return a_flow(
        {"start": a_start("items", seen=[]), "loop": node, **GATHER, "end": an_end("seen")},
        "start -> loop", "loop:loop -> gather", "loop:done -> end", f"loop.{pin} => more.item",
        *GATHERED, *SEEN, *lines,
    )  # fmt: skip


LOOPS: dict[str, tuple[Json, list[Json]]] = {
    "a list": ([1, "b", None], [1, "b", None]),
    "an empty list": ([], []),
    "a null is empty": (None, []),
    "one thing is a list of it": ({"a": 1}, [{"a": 1}]),
}

FORS: dict[str, tuple[dict[str, Json], list[float]]] = {
    "from start to before end": ({"start": 0, "end": 3}, [0.0, 1.0, 2.0]),
    "in steps": ({"start": 0, "end": 1, "step": 0.5}, [0.0, 0.5]),
    "backwards": ({"start": 2, "end": 0, "step": -1}, [2.0, 1.0]),
    "nowhere": ({"start": 3, "end": 3}, []),
    "the wrong way": ({"start": 0, "end": 3, "step": -1}, []),
    "past the largest number": ({"start": 1e308, "end": 1.7e308, "step": 1e308}, [1e308]),
    "of texts that are numbers": ({"start": "1", "end": " 2 "}, [1.0]),
}

NO_FORS: dict[str, tuple[dict[str, Json], str]] = {
    "no end": ({"start": 0}, "`end`"),
    "a start that is no number": ({"start": "a", "end": 1}, "`start`"),
    "a step of zero": ({"start": 0, "end": 1, "step": 0}, "not zero"),
    "too far": ({"start": -1e308, "end": 1e308, "step": 1e-9}, "not a finite number"),
}


@pytest.mark.parametrize(("items", "expected"), LOOPS.values(), ids=LOOPS)
def test_loop(items: Json, expected: list[Json]) -> None:
    run = Flowing(_looping(a_node("loop", "items"), "start.items => loop.items")).start(
        {"items": items}
    )
    assert run.output["seen"] == expected


def test_a_loop_tells_its_body_where_it_is() -> None:
    flow = _looping(a_node("loop", "items", defaults={"items": ["a", "b"]}), pin="index")
    run = Flowing(flow).start({"items": "ambient"})
    assert run.output["seen"] == [0, 1]
    passed_on = {"items": "ambient", "seen": [], "item": "b", "index": 1, "total": 2}
    assert run.cells["out/loop"] == passed_on, "what was ambient stays so in the body"


def test_the_items_of_a_loop_are_resolved_once() -> None:
    """The body changes the list that it walks; the walk goes on as it began."""
    flow = _looping(a_node("loop", "items"), "seen.value => loop.items")
    run = Flowing(flow).start({"seen": [1, 2]})
    assert run.output["seen"] == [1, 2, 1, 2]


@pytest.mark.parametrize(("pins", "expected"), FORS.values(), ids=FORS)
def test_for(pins: dict[str, Json], expected: list[float]) -> None:
    run = Flowing(_looping(a_node("for", "start", "end", "step", defaults=pins), pin="i")).start()
    assert run.output["seen"] == expected
    assert all(
        fault_of(value) is None
        for step in run.life.steps
        for value in (step.writes or {}).values()
        if value is not GONE
    )
    assert all(isinstance(number, float) for number in run.output["seen"])


@pytest.mark.parametrize(("pins", "why"), NO_FORS.values(), ids=NO_FORS)
def test_what_is_no_range_is_said(pins: dict[str, Json], why: str) -> None:
    output = (
        Flowing(_looping(a_node("for", "start", "end", "step", defaults=pins), pin="i"))
        .start()
        .output
    )
    assert (output["success"], output["node"]) == (False, "loop")
    assert why in output["error"]


def _counting(until: int) -> Json:
    """While fewer than `until` are seen, see the pass's index."""
    return _looping(
        a_node("while", "condition"), "seen.value => count.array", "count.result => less.a", "less.result => loop.condition",
        pin="index",
    ) | {"nodes": [
        *_looping(a_node("while", "condition"))["nodes"],
        {"id": "count", **a_value("array_length", "array")},
        {"id": "less", **a_value("compare", "a", "op", "b", defaults={"op": "<", "b": until})},
    ]}  # fmt: skip


def test_while_looks_at_its_condition_before_every_pass() -> None:
    assert Flowing(_counting(3)).start().output["seen"] == [0, 1, 2]
    assert Flowing(_counting(0)).start().output["seen"] == []


def test_a_while_hands_on_the_item_of_the_loop_around_it() -> None:
    flow = _counting(2)
    flow["nodes"] += [
        {"id": "around", **a_node("loop", "items", defaults={"items": ["x"]})},
    ]
    for edge in flow["edges"]:
        if edge["source"] == "start" and edge["target"] == "loop":
            edge["target"] = "around"
        if edge["target"] == "more" and edge["targetHandle"] == "item":
            edge["sourceHandle"] = "item"
    flow["edges"].append(
        {
            "id": "in",
            "source": "around",
            "sourceHandle": "loop",
            "target": "loop",
            "targetHandle": "exec-in",
        }
    )
    assert Flowing(flow).start().output["seen"] == ["x", "x"]


def test_a_loop_without_a_body_is_done() -> None:
    loops: dict[str, dict[str, Json]] = {
        "loop": {"items": [1]},
        "for": {"start": 0, "end": 9},
        "while": {"condition": True},
    }
    for type, pins in loops.items():
        flow = a_flow(
            {"start": a_start(), "loop": a_node(type, *pins, defaults=pins), "end": an_end()},
            "start -> loop", "loop:done -> end",
        )  # fmt: skip
        assert Flowing(flow).start().output == {"success": True}


@pytest.mark.parametrize("type", ["while", "for"])
def test_a_loop_that_does_not_end_fails_the_run(type: str) -> None:
    pins = {"condition": True, "start": 0, "end": PASSES_MAX + 1}
    flow = a_flow(
        {"start": a_start(), "loop": a_node(type, *pins, defaults=pins), "set": a_node("set_var", defaults={"name": "x"})},
        "start -> loop", "loop:loop -> set",
    )  # fmt: skip
    assert (
        Flowing(flow).start().error
        == f"limit_reached: loop: a loop makes at most {PASSES_MAX} passes"
    )


def test_exactly_as_many_passes_as_allowed_are_no_fault() -> None:
    pins = {"start": 0, "end": PASSES_MAX}
    flow = a_flow(
        {"start": a_start(), "for": a_node("for", defaults=pins), "set": a_node("set_var", defaults={"name": "x"}),
         "end": an_end("index")},
        "start -> for", "for:loop -> set", "for:done -> end",
    )  # fmt: skip
    assert Flowing(flow).start().output == {"index": PASSES_MAX - 1, "success": True}


def test_a_sequence_runs_its_branches_by_number() -> None:
    names = ("then:10", "then:2", "then:0")
    flow = a_flow(
        {"start": a_start(), "seq": a_node("sequence"), **{name: a_node("set_var", defaults={"name": "x"}) for name in names}},
        "start -> seq",
    )  # fmt: skip
    flow["edges"] += [
        {
            "id": name,
            "source": "seq",
            "sourceHandle": name,
            "target": name,
            "targetHandle": "exec-in",
        }
        for name in names
    ]
    run = Flowing(flow).start()
    assert run.path() == ["start", "seq", "then:0", "seq", "then:2", "seq", "then:10", "seq"]
    assert run.output == {"success": True, "result": {}}


def test_the_kernel_s_bound_holds_over_loops_within_loops() -> None:
    flow = a_flow(
        {"start": a_start(), "out": a_node("for", defaults={"start": 0, "end": 100}),
         "in": a_node("for", defaults={"start": 0, "end": 100}), "set": a_node("set_var", defaults={"name": "x"})},
        "start -> out", "out:loop -> in", "in:loop -> set",
    )  # fmt: skip
    run = Flowing(flow).start(limits=Limits(moves_max=1_000))
    assert run.error == "limit_reached: moves_max: 1000 moves without a record"
