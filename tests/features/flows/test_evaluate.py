"""Where pins get their values, by example: edges, defaults, what is ambient, and in which order."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_literal, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing, refused

# The end's pins and defaults, the edges into it, and what its pin `x` sees. The start gives
# x="ambient", y=None; `lit` is a literal.
PINS: dict[str, tuple[tuple[str, ...], dict[str, Json], tuple[str, ...], Json]] = {
    "nothing connected: what is ambient": (("x",), {}, (), "ambient"),
    "the default of a declared pin wins over it": (("x",), {"x": "default"}, (), "default"),
    "any other default does not": ((), {"x": "default"}, (), "ambient"),
    "any other default is a spare": ((), {"z": "default"}, ("lit.value => end.x",), "literal"),
    "an edge wins over a default": (("x",), {"x": "default"}, ("lit.value => end.x",), "literal"),
    "an edge wins even with a null": (("x",), {"x": "default"}, ("start.y => end.x",), None),
    "an edge from what has not run leaves what is ambient": (("x",), {}, ("never.result => end.x",), "ambient"),
    "an edge from a pin that is not there as well": (("x",), {}, ("start.gone => end.x",), "ambient"),
    "through a pure node": (("x",), {}, ("lit.value => up.text", "up.result => end.x"), "LITERAL"),
}  # fmt: skip


@pytest.mark.parametrize(("pins", "defaults", "edges", "seen"), PINS.values(), ids=PINS)
def test_what_a_pin_sees(
    pins: tuple[str, ...], defaults: dict[str, Json], edges: tuple[str, ...], seen: Json
) -> None:
    flow = a_flow(
        {"start": a_start("x", "y"), "lit": a_literal("literal"), "up": a_value("uppercase"), "never": a_node("trim"),
         "end": a_node("on_flow_end", *pins, defaults=defaults)},
        "start -> end", *edges,
    )  # fmt: skip
    assert Flowing(flow).start({"x": "ambient", "y": None}).output["x"] == seen


def test_pure_nodes_see_nothing_ambient() -> None:
    flow = a_flow(
        {"start": a_start("text"), "up": a_value("uppercase", "text"), "end": an_end("x")},
        "start -> end",
        "up.result => end.x",
    )
    assert Flowing(flow).start({"text": "ambient"}).output["x"] == ""


def test_a_pure_node_s_default_is_for_a_pin_without_an_edge() -> None:
    node = a_value("concat", "a", "b", defaults={"a": "A", "b": "B"})
    flow = a_flow(
        {"start": a_start("a"), "it": node, "end": an_end("x")},
        "start -> end",
        "start.gone => it.a",
        "it.result => end.x",
    )
    assert Flowing(flow).start({}).output["x"] == "B"


def test_reserved_keys_are_never_ambient() -> None:
    made: dict[str, Json] = {"_secret": 1, "workspace_root": "/x", "y": 2}
    flow = a_flow(
        {
            "start": a_start(),
            "it": a_node("merge", defaults={"a": made}),
            "end": an_end("_secret", "workspace_root", "y"),
        },
        "start -> it -> end",
    )
    assert Flowing(flow).start().output == {
        "_secret": None,
        "workspace_root": None,
        "y": 2,
        "success": True,
    }


def test_a_pure_node_is_computed_for_every_visit() -> None:
    flow = a_flow(
        {"start": a_start(n=0), "get": a_value("get_var", defaults={"name": "n"}), "add": a_value("add", "a", defaults={"b": 1}),
         "one": a_node("set_var", "value", defaults={"name": "n"}), "two": a_node("set_var", "value", defaults={"name": "n"}),
         "end": an_end("x")},
        "start -> one -> two -> end", "get.value => add.a", "add.result => one.value", "add.result => two.value", "get.value => end.x",
    )  # fmt: skip
    assert Flowing(flow).start().output["x"] == 2.0


def _ladder(rungs: int) -> dict[str, Drawn]:
    return {f"r{index}": a_value("add", "a", "b") for index in range(rungs)}


def test_a_node_that_many_read_is_computed_once_a_visit() -> None:
    """Each rung reads the one below twice: computed anew for each reader, this would never end."""
    rungs = 200
    edges = [f"r{index}.result => r{index + 1}.{pin}" for index in range(rungs - 1) for pin in "ab"]
    flow = a_flow(
        {"start": a_start(), **_ladder(rungs), "end": an_end("x")},
        "start -> end",
        *edges,
        f"r{rungs - 1}.result => end.x",
    )
    assert Flowing(flow).start().output["x"] == 0.0


def test_what_one_visit_makes_is_bounded_over_all_its_nodes() -> None:
    """A list that is doubled thirty times stays small here, and would be gigabytes as JSON."""
    names = [f"d{index}" for index in range(30)]
    edges = [
        f"{below}.result => {above}.{pin}"
        for below, above in zip(["d", *names], names, strict=False)
        for pin in "ab"
    ]
    flow = a_flow(
        {"start": a_start(), "d": a_literal([1]), **{name: a_value("make_array", "a", "b") for name in names}, "end": an_end("x")},
        "start -> end", *(edge.replace("d.result", "d.value") for edge in edges), f"{names[-1]}.result => end.x",
    )  # fmt: skip
    assert (
        Flowing(flow).start().error == "limit_reached: end: a value is larger than a flow may make"
    )


def test_a_fault_is_told_in_words() -> None:
    assert refused(a_value("divide", "a", "b"), {"a": 1, "b": 0}) == "division by zero"
    assert refused(a_value("round"), {"decimals": "x"}).startswith("ValueError: ")


@pytest.mark.parametrize("whole", ["while.result", "last.value"])
def test_a_whole_output_that_is_kept_again_and_again_meets_the_bound(whole: str) -> None:
    """A `while` hands on the output before it beside its parts: what is kept of both doubles."""
    nodes = {
        "start": a_start(x={}),
        "for": a_node("for", defaults={"start": 0, "end": 22}),
        "on": a_node("set_var", "value", defaults={"name": "on", "value": True}),
        "off": a_node("set_var", "value", defaults={"name": "on", "value": False}),
        "get": a_node("get_var", defaults={"name": "x"}),
        "while": a_node("while", "condition"),
        "is-on": a_value("get_var", defaults={"name": "on"}),
        "last": a_value("get_var", defaults={"name": "_last_output"}),
        "keep": a_node("set_var", "value", defaults={"name": "x"}),
    }
    flow = a_flow(
        nodes,
        "start -> for", "for:loop -> on -> get -> while", "while:loop -> keep -> off",
        "is-on.value => while.condition", f"{whole} => keep.value",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert (run.error or "").startswith("limit_reached: keep: a value ")
