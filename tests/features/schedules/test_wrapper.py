"""A schedule drawn as a flow: with the nodes that older clients know, joined so that each is reached."""

from typing import Any

import pytest

from perdure.features.schedules.wrapper import flow_of
from perdure.services.schedules import SPEC
from tests.support.builders import a_birth
from tests.support.scheduling import a_spec


def drawn(**asked: Any) -> Any:
    """The flow of a schedule with these terms."""
    return flow_of(a_birth(workflow_id="scheduled:x"), {SPEC: a_spec(**asked)})


@pytest.mark.parametrize("asked", [{}, {"interval": "1h"}, {"cron": "@daily"}, {"interval": "1h", "repeat_count": 3}])  # fmt: skip
def test_every_node_is_reached_and_every_pin_is_there(asked: dict[str, Any]) -> None:
    flow = drawn(**asked)
    pins = {
        node["id"]: {pin["id"] for side in ("inputs", "outputs") for pin in node["data"][side]}
        for node in flow["nodes"]
    }
    for edge in flow["edges"]:
        assert edge["sourceHandle"] in pins[edge["source"]]
        assert edge["targetHandle"] in pins[edge["target"]]
    targets = {edge["target"] for edge in flow["edges"]} | {"start"}
    sources = {edge["source"] for edge in flow["edges"] if edge["target"] not in targets}
    assert set(pins) - targets <= sources | {"is_first"}
    assert (flow["id"], flow["entryNode"]) == ("scheduled:x", "start")


def test_the_waits_say_when_and_the_subflow_says_what() -> None:
    nodes = {node["id"]: node["data"] for node in drawn(interval="15m")["nodes"]}
    assert nodes["wait_interval"]["eventConfig"] == {"schedule": "15m", "recurrent": True}
    assert nodes["run_target"]["subflowId"] == "bundle@1.0.0:flow"
