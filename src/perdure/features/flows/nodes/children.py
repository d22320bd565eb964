"""The node that runs another flow of the bundle as a child."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import PlanFault
from perdure.features.flows.model import (
    Answer,
    Asked,
    Exec,
    Node,
    NodeType,
    Passed,
    Visit,
    described,
)
from perdure.features.flows.values import MISSING, Allowance, Pins, as_object, filled, truth
from perdure.features.flows.vars import RUNTIME, Writes, inherited
from perdure.ids import SessionId
from perdure.kernel.model import Start
from perdure.kernel.values import Json

NAMES = ("subflowId", "flowId", "workflowId", "workflow_id")
INHERIT = ("inherit_context", "inheritContext")
SESSION = ("child_session_id", "childSessionId", "session_id", "sessionId")
OBJECTS = ("vars", "input")  # pins that hold inputs by name
INPUTS_MAX = 1_000


def subflow_of(data: Mapping[str, Json]) -> str:
    """The flow that a subflow node is drawn to run, in any of the spellings that editors use."""
    return next((name for field in NAMES if (name := filled(data.get(field)))), "")


def _begin(visit: Visit) -> Asked:
    node = visit.node
    program, workflow_id = visit.home.child(subflow_of(node.data))
    inputs = _inputs(node, visit.pins)
    inherit = _inherits(visit)
    session = next((text for name in SESSION if (text := filled(visit.pins.get(name)))), None)
    payload: dict[str, Json] = {
        "workflow_id": workflow_id, "vars": inputs, "async": True, "wait": True, "include_traces": False,
    }  # fmt: skip
    if inherit:
        payload["inherit_context"] = True
    if session:
        payload["session_id"] = session
    start = Start(
        tag="", node_id=node.id, program=program, workflow_id=workflow_id,
        cells=_cells(visit, inputs, inherit=inherit), payload=payload,
        session_id=None if session is None else SessionId(session), result_key=node.result_key,
    )  # fmt: skip
    return Asked(start, hold=_passing(node, visit.pins) or None)


def _inputs(node: Node, pins: Pins) -> Pins:
    """What the child is given: the objects on `vars` or `input`, and over them the node's own pins.

    A node drawn without pins gives all that it sees.
    """
    base: Pins = next((pins[name] for name in OBJECTS if isinstance(pins.get(name), dict)), {})
    own = [
        name for name in node.inputs if not (name in OBJECTS and isinstance(pins.get(name), dict))
    ]
    given = {**base, **{name: pins[name] for name in own if name in pins}}
    if not node.inputs and not base:
        given = dict(pins)
    kept = {
        name: value
        for name, value in given.items()
        if name not in (*INHERIT, *SESSION) and not name.startswith("_")
    }
    if len(kept) > INPUTS_MAX:
        raise PlanFault(f"a child takes at most {INPUTS_MAX} inputs")
    Allowance().spend(kept)
    return kept


def _inherits(visit: Visit) -> bool:
    for source in (visit.pins, visit.node.config("effectConfig")):
        for name in INHERIT:
            if name in source:
                return truth(source[name])
    return False


def _cells(visit: Visit, inputs: Pins, *, inherit: bool) -> Writes:
    cells: Writes = {f"in/{name}": value for name, value in inputs.items()}
    if inherit:
        own = as_object(inputs.get("context")).get("messages")
        cells.update(inherited(visit.vars.messages(), own))
    if runtime := visit.vars.runtime():
        cells[RUNTIME] = runtime
    return cells


def _passing(node: Node, pins: Pins) -> Pins:
    """The inputs that somebody reads on the node's other side, under the names they came in by."""
    return {name: pins[name] for name in node.inputs if name in node.wired and name in pins}


def _finish(visit: Visit, answer: Answer) -> Passed:
    """Pick the output pins from what the child gave out, and else from what passes through."""
    told, passing = as_object(answer.result), as_object(answer.hold)
    child = told.get("output")
    value = child.get("result") if isinstance(child, dict) and "result" in child else child
    output: Pins = {"sub_run_id": told.get("sub_run_id"), "output": value}
    names = [name for name in visit.node.outputs if name != "output"]
    for name in names:
        found = _picked(value, child, name, alone=len(names) == 1)
        output[name] = passing.get(name) if found is MISSING else found
    for name, passed in passing.items():
        output.setdefault(name, passed)
    if "child_output" in visit.node.wired:
        output["child_output"] = child
    return Passed(output, ambient=False, ending={"success": True, "result": answer.result})


def _picked(value: Json, child: Json, name: str, *, alone: bool) -> Json:
    for source in (value, child):
        if isinstance(source, dict):
            if name in source:
                return source[name]
        elif alone and source is not None:
            return source
    return MISSING


TYPES: Final[Mapping[str, NodeType]] = {
    "subflow": described(
        Exec(_begin, _finish),
        "inherit_context input vars child_session_id (declared) -> output sub_run_id (declared)",
        "Runs another flow of the bundle as a child, and gives out its output and the parts of it that have a pin.",
        "`subflowId`",
    ),
}
