"""Variables, by example: what is set, which cells that writes, and what is read back."""

import pytest

from perdure.features.flows.values import DEPTH_MAX
from perdure.kernel.values import Json
from tests.support.drawing import Drawn, a_flow, a_node, a_start, a_value, an_end
from tests.support.flowing import Flowing, made, passed

# What is drawn, the pins, the cells that it writes, and its own output.
SETTING: dict[str, tuple[Drawn, dict[str, Json], dict[str, Json], Json]] = {
    "a name": (a_node("set_var", "name", "value"), {"name": "x", "value": 1}, {"var/x": 1}, {"value": 1}),
    "a dotted name": (
        a_node("set_var", "name", "value"), {"name": "user.name", "value": "Ada"},
        {"var/user": {"name": "Ada"}}, {"value": "Ada"},
    ),
    "a null": (a_node("set_var", "name", "value"), {"name": "x", "value": None}, {"var/x": None}, {"value": None}),
    "a property": (
        a_node("set_var_property", "name", "key", "value"), {"name": "user", "key": "address.city", "value": "Rome"},
        {"var/user": {"address": {"city": "Rome"}}}, {"value": {"address": {"city": "Rome"}}},
    ),
    "several": (
        a_node("set_vars", "updates"), {"updates": {"a": 1, "b.x": 2, "b.y": 3}},
        {"var/a": 1, "var/b": {"x": 2, "y": 3}}, {"updates": {"a": 1, "b.x": 2, "b.y": 3}},
    ),
    "several, as text": (a_node("set_vars", "updates"), {"updates": '{"a": 1}'}, {"var/a": 1}, {"updates": {"a": 1}}),
    "none": (a_node("set_vars", "updates"), {"updates": "no"}, {}, {"updates": {}}),
    "the context": (
        a_node("set_var", "name", "value"), {"name": "context", "value": {"task": "t", "messages": [{"role": "user"}]}},
        {"var/context": {"task": "t"}, "msg/0": {"role": "user"}, "ctl/messages": 1},
        {"value": {"task": "t", "messages": [{"role": "user"}]}},
    ),
    "the messages": (
        a_node("set_var", "name", "value"), {"name": "context.messages", "value": ["a"]},
        {"msg/0": "a", "ctl/messages": 1}, {"value": ["a"]},
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[Drawn, dict[str, Json], str]] = {
    "a reserved name": (a_node("set_var", "name", "value"), {"name": "_temp", "value": 1}, "reserved"),
    "no name": (a_node("set_var", "name", "value"), {"name": " ", "value": 1}, "needs a name"),
    "no key": (a_node("set_var_property", "name", "key"), {"name": "x", "key": ""}, "needs a key"),
    "a reserved name among several": (a_node("set_vars", "updates"), {"updates": {"a": 1, "_b": 2}}, "reserved"),
    "one message": (a_node("set_var", "name", "value"), {"name": "context.messages.0", "value": 1}, "all at once"),
}  # fmt: skip


@pytest.mark.parametrize(("node", "pins", "cells", "output"), SETTING.values(), ids=SETTING)
def test_setting(node: Drawn, pins: dict[str, Json], cells: dict[str, Json], output: Json) -> None:
    run = passed(node, pins)
    assert {name: run.cells[name] for name in cells} == cells
    assert run.cells["out/it"] == output
    assert run.cells["last"] == "out/start", "what is ambient stays"


@pytest.mark.parametrize(("node", "pins", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_set(node: Drawn, pins: dict[str, Json], why: str) -> None:
    run = passed(node, pins)
    assert (run.output["success"], run.output["node"]) == (False, "it")
    assert why in run.output["error"]
    assert not [name for name in run.cells if name.startswith("var/a")], "all or nothing"


def test_a_form_that_was_left_alone_sets_what_it_shows() -> None:
    node = a_node("set_var", "name", defaults={"name": "flag"})
    node["data"]["inputs"].append({"id": "value", "type": "boolean"})
    assert passed(node, {}).cells["var/flag"] is False


def test_a_setting_that_nothing_follows_passes_the_last_output_on() -> None:
    flow = a_flow(
        {"start": a_start("a"), "set": a_node("set_var", defaults={"name": "x", "value": 1})},
        "start -> set",
    )
    assert Flowing(flow).start({"a": 7}).output == {"success": True, "result": {"a": 7}}


# --- reading -----------------------------------------------------------------------------------

DECLARED = {"name": "n", "type": "number", "default": 5}

READING: dict[str, tuple[Drawn, dict[str, Json], Json]] = {
    "an input": (a_value("get_var", defaults={"name": "n"}), {"n": 3}, 3),
    "a path into an input": (a_value("get_var", defaults={"name": "n.x.1"}), {"n": {"x": [1, 2]}}, 2),
    "what is not there": (a_value("get_var", defaults={"name": "other"}), {"n": 3}, None),
    "no name": (a_value("get_var"), {"n": 3}, None),
    "a declared variable": (a_value("var_decl", literalValue=DECLARED), {"n": 3}, 3),
    "a value of another type": (a_value("var_decl", literalValue=DECLARED), {"n": "3"}, 5),
    "a truth is no number": (a_value("var_decl", literalValue=DECLARED), {"n": True}, 5),
    "a default of another type": (a_value("var_decl", literalValue={**DECLARED, "default": "x"}), {}, 0),
    "any type": (a_value("var_decl", literalValue={"name": "n", "type": "any"}), {"n": [1]}, [1]),
    "a declared text": (a_value("var_decl", literalValue={"name": "n", "type": "string"}), {"n": 1}, ""),
    "a declared object": (a_value("var_decl", literalValue={"name": "n", "type": "object"}), {"n": 1}, {}),
    "a declared list": (a_value("var_decl", literalValue={"name": "n", "type": "array"}), {"n": 1}, []),
    "a declared truth": (a_value("var_decl", literalValue={"name": "n", "type": "boolean"}), {"n": 1}, False),
    "nothing declared": (a_value("var_decl"), {"n": 1}, None),
    "a truth by name": (a_value("bool_var", literalValue="n"), {"n": True}, True),
    "no truth": (a_value("bool_var", literalValue={"name": "n", "default": True}), {"n": "yes"}, True),
    "no truth and no default": (a_value("bool_var", literalValue={"name": "n"}), {}, False),
}  # fmt: skip


@pytest.mark.parametrize(("node", "inputs", "expected"), READING.values(), ids=READING)
def test_reading(node: Drawn, inputs: dict[str, Json], expected: Json) -> None:
    flow = a_flow(
        {"start": a_start(), "it": node, "end": an_end("seen")},
        "start -> end",
        "it.value => end.seen",
    )
    assert Flowing(flow).start(inputs).output["seen"] == expected


def test_the_context_is_told_whole() -> None:
    messages = [{"role": "user", "content": "hi"}]
    context = {"task": "greet", "tone": "warm", "messages": messages}
    assert made(a_value("get_context"), {"context": context}, "context") == context
    assert made(a_value("get_context"), {"context": context}, "messages") == messages
    assert made(a_value("get_context"), {"context": context}, "task") == "greet"
    assert made(a_value("get_context"), {}, "context") == {"messages": []}


def test_a_variable_that_holds_itself_meets_the_bound() -> None:
    """Each pass hangs the variable into itself; its JSON would double, level by level."""
    flow = a_flow(
        {
            "start": a_start(x={}),
            "while": a_node("while", defaults={"condition": True}),
            "get": a_value("get_var", defaults={"name": "x"}),
            "set": a_node("set_var", "name", "value", defaults={"name": "x.again"}),
        },
        "start -> while", "while:loop -> set", "get.value => set.value",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert run.error == f"limit_reached: set: a value has more than {DEPTH_MAX} levels"


def test_a_variable_that_has_itself_in_two_properties_meets_the_bound() -> None:
    """As objects it stays small here; as JSON it would double with each pass."""
    flow = a_flow(
        {
            "start": a_start(),
            "for": a_node("for", defaults={"start": 0, "end": 22}),
            "get": a_value("get_var", defaults={"name": "x"}),
            "one": a_node("set_var_property", "value", defaults={"name": "x", "key": "one"}),
            "two": a_node("set_var_property", "value", defaults={"name": "x", "key": "two"}),
        },
        "start -> for", "for:loop -> one -> two", "get.value => one.value", "get.value => two.value",
    )  # fmt: skip
    run = Flowing(flow).start()
    assert run.error == "limit_reached: one: a value is larger than a flow may make"
