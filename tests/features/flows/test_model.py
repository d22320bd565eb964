"""Compiled nodes and their home."""

from perdure.features.flows.model import OWN, Home, Node, of_drawing, of_moment, of_node, of_pins
from perdure.features.flows.vars import Vars
from perdure.ids import BundleSha
from perdure.kernel.model import ProgramRef
from perdure.kernel.program import Moment, View
from tests.support.builders import a_birth
from tests.support.clock import START


def _node() -> Node:
    kind = of_pins(len)
    return Node("n", "trim", kind, {"effectConfig": {"a": 1}, "agentConfig": "odd"}, ("text",), ())


def test_a_configuration_that_is_no_object_is_empty() -> None:
    assert (_node().config("effectConfig"), _node().config("agentConfig"), _node().config("x")) == (
        {"a": 1},
        {},
        {},
    )
    assert _node().result_key == "_temp.effects.n"


def test_functions_are_given_what_they_ask_for() -> None:
    node, vars, moment = _node(), Vars(View({})), Moment(a_birth(), 1, START)
    assert of_pins(sorted).compute(node, {"b": 1, "a": 2}, vars, moment) == ["a", "b"]
    assert of_node(lambda it, pins: (it.id, pins)).compute(node, {}, vars, moment) == ("n", {})
    assert of_moment(lambda _, it: it.text).compute(node, {}, vars, moment) == moment.text
    assert of_pins(len, shares=True).shares
    drawn = of_drawing(lambda it: it.id)
    assert drawn.constant is not None
    assert drawn.constant(node) == drawn.compute(node, {}, vars, moment) == "n"


def test_a_home_names_what_its_flows_start() -> None:
    home = Home(
        "kit@1.0", BundleSha("00"), "main flow", {"other": "o", "kit:o": "o"}, {"o": "kit@1.0:o"}
    )
    assert (
        home.child("other")
        == home.child("kit:o")
        == (ProgramRef("flow", BundleSha("00"), "o"), "kit@1.0:o")
    )
    assert home.agent("node-1") == "visual_react_agent_kit_1_0_main_flow_node_1"
    assert repr(OWN) == "OWN"
