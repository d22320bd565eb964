"""Ways that part, by example."""

import pytest

from perdure.kernel.values import Json
from tests.support.drawing import a_flow, a_literal, a_node, a_start, an_end
from tests.support.flowing import Flowing

CASES = {"cases": [{"id": "one", "value": "1"}, {"id": "yes", "value": True}, {"id": "none"}, "?"]}

IF: dict[str, tuple[Json, str]] = {
    "true": (True, "then"),
    "false": (False, "else"),
    "a null": (None, "else"),
    "an empty text": ("", "else"),
    "any other text": ("false", "then"),
    "zero": (0, "else"),
}

SWITCH: dict[str, tuple[Json, str]] = {
    "a text": ("1", "first"),
    "a number is compared as text": (1, "first"),
    "a truth as well": (True, "second"),
    "no case": ("2", "other"),
    "a null": (None, "other"),
}


def _ends(*names: str) -> dict[str, Json]:
    return {name: an_end("way") for name in names} | {
        f"{name}-said": a_literal(name) for name in names
    }


@pytest.mark.parametrize(("condition", "way"), IF.values(), ids=IF)
def test_if(condition: Json, way: str) -> None:
    flow = a_flow(
        {"start": a_start("c"), "if": a_node("if", "condition"), **_ends("then", "else")},
        "start -> if", "if:true -> then", "if:false -> else", "start.c => if.condition",
        "then-said.value => then.way", "else-said.value => else.way",
    )  # fmt: skip
    assert Flowing(flow).start({"c": condition}).output == {"way": way, "success": True}


@pytest.mark.parametrize(("value", "way"), SWITCH.values(), ids=SWITCH)
def test_switch(value: Json, way: str) -> None:
    flow = a_flow(
        {"start": a_start("v"), "switch": a_node("switch", "value", switchConfig=CASES),
         **_ends("first", "second", "other")},
        "start -> switch", "switch:case:one -> first", "switch:case:yes -> second", "switch:default -> other",
        "start.v => switch.value",
        *(f"{name}-said.value => {name}.way" for name in ("first", "second", "other")),
    )  # fmt: skip
    assert Flowing(flow).start({"v": value}).output["way"] == way


def test_a_way_that_leads_nowhere_is_a_clean_end() -> None:
    flow = a_flow(
        {"start": a_start("c"), "if": a_node("if", "condition"), "end": an_end()},
        "start -> if", "if:true -> end", "start.c => if.condition",
    )  # fmt: skip
    run = Flowing(flow).start({"c": 0})
    assert run.output == {"branch": "false", "condition": 0, "success": True}


def test_what_was_chosen_can_be_read() -> None:
    flow = a_flow(
        {"start": a_start("v"), "switch": a_node("switch", "value", switchConfig=CASES), "end": an_end("it")},
        "start -> switch", "switch:case:one -> end", "start.v => switch.value", "switch.matched => end.it",
    )  # fmt: skip
    assert Flowing(flow).start({"v": 1}).output["it"] == "1"
