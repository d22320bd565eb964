"""Flows that are being drawn are listed, checked and published from the command line."""

import json

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import ScriptedGateway

FLOW = {"id": "ab12cd34", "name": "Mine", "nodes": [{}, {}], "updated_at": "2026-11-21"}
PROBLEM = {
    "flow_id": "ab12cd34", "node_id": "start", "type": "on_flow_start", "code": "branching",
    "detail": "leads to 2 nodes.", "pin": "exec-out", "edge_id": "",
}  # fmt: skip


def test_flows_are_listed(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/visualflows", (200, [FLOW]))
    assert perdure("flows", "list").out.splitlines()[1].split() == [
        "ab12cd34",
        "Mine",
        "2",
        "2026-11-21",
    ]
    assert json.loads(perdure("flows", "list", "--json").out) == [FLOW]


def test_a_flow_that_can_be_run_is_told_so(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/visualflows/ab12cd34/check", (200, {"ok": True, "problems": []}))
    ran = perdure("flows", "check", "ab12cd34")
    assert (ran.code, ran.out.strip()) == (0, "It can be run.")


def test_each_problem_is_told_with_its_place_and_the_command_fails(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", "/visualflows/ab12cd34/check", (200, {"ok": False, "problems": [PROBLEM]}))
    ran = perdure("flows", "check", "ab12cd34")
    assert ran.code == 1
    assert ran.out.split() == [
        "branching",
        "(flow",
        "ab12cd34,",
        "node",
        "start,",
        "pin",
        "exec-out):",
        "leads",
        "to",
        "2",
        "nodes.",
    ]


def test_a_flow_is_published_as_what_is_said(perdure: Perdure, gateway: ScriptedGateway) -> None:
    told = {"ok": True, "bundle_ref": "b@1.0.0", "sha256": "ff"}
    gateway.on("POST", "/visualflows/ab12cd34/publish", (200, told))
    ran = perdure("flows", "publish", "ab12cd34", "--bundle", "b", "--version", "1.0.0")
    assert "Published b@1.0.0" in ran.out
    (call,) = gateway.asked("POST", "/visualflows/ab12cd34/publish")
    assert json.loads(call.body) == {"bundle_id": "b", "bundle_version": "1.0.0"}
