"""A schedule as a flow that the editor shows: drawn from its terms whenever somebody looks, never stored."""

from collections.abc import Mapping
from typing import Any, Final

from perdure.kernel.model import Birth, Cells
from perdure.kernel.values import Json
from perdure.services.schedules import SPEC

EXEC_IN: Final = {"id": "exec-in", "label": "", "type": "execution"}
EXEC_OUT: Final = {"id": "exec-out", "label": "", "type": "execution"}
STEP: Final = 240  # from node to node, in the editor's pixels


def flow_of(birth: Birth, cells: Cells) -> Json:
    """The flow that a schedule is drawn as."""
    spec: Mapping[str, Any] = cells[SPEC]
    recurs = spec["interval"] is not None or spec["cron"] is not None
    if not recurs:
        nodes, edges = _once(spec)
    elif spec["repeat_count"] is not None:
        nodes, edges = _counted(spec)
    else:
        nodes, edges = _forever(spec)
    return {
        "id": birth.workflow_id, "name": f"Schedule of {spec['target_workflow_id']}", "description": "",
        "interfaces": [], "nodes": [_placed(node, index) for index, node in enumerate(nodes)],
        "edges": [_edge(index, *ends) for index, ends in enumerate(edges)], "entryNode": "start",
        "created_at": spec["created_at"], "updated_at": spec["updated_at"],
    }  # fmt: skip


Drawn = dict[str, Any]
Ends = tuple[str, str, str, str]


def _once(spec: Mapping[str, Any]) -> tuple[list[Drawn], list[Ends]]:
    nodes = [_start(), _wait("wait_start", _first(spec), recurrent=False), _target(spec)]
    return nodes, [_on("start", "wait_start"), _on("wait_start", "run_target")]


def _forever(spec: Mapping[str, Any]) -> tuple[list[Drawn], list[Ends]]:
    nodes, edges = [_start()], list[Ends]()
    before = "start"
    if spec["start_at"] is not None or spec["cron"] is not None:
        nodes.append(_wait("wait_start", _first(spec), recurrent=False))
        edges.append(_on("start", "wait_start"))
        before = "wait_start"
    nodes += [_target(spec), _wait("wait_interval", _every(spec), recurrent=True)]
    edges += [
        _on(before, "run_target"), _on("run_target", "wait_interval"), _on("wait_interval", "run_target"),
    ]  # fmt: skip
    return nodes, edges


def _counted(spec: Mapping[str, Any]) -> tuple[list[Drawn], list[Ends]]:
    number = {"type": "number"}
    repeat = _node("repeat", "for", "Repeat", [{"id": "start", **number}, {"id": "end", **number}],
                   [{"id": "loop", "type": "execution"}, {"id": "done", "type": "execution"}, {"id": "index", **number}],
                   pinDefaults={"start": 0, "end": spec["repeat_count"]})  # fmt: skip
    is_first = _node("is_first", "compare", "First?", [{"id": "a", **number}, {"id": "b", **number}],
                     [{"id": "result", "type": "boolean"}], runs=False, pinDefaults={"op": "==", "b": 0})  # fmt: skip
    pick = _node("pick_wait", "if", "First?", [{"id": "condition", "type": "boolean"}],
                 [{"id": "true", "type": "execution"}, {"id": "false", "type": "execution"}])  # fmt: skip
    nodes = [
        _start(), repeat, is_first, pick, _wait("wait_start", _first(spec), recurrent=False),
        _wait("wait_interval", _every(spec), recurrent=False), _target(spec), _node("end", "on_flow_end", "End", [], []),
    ]  # fmt: skip
    edges: list[Ends] = [
        _on("start", "repeat"), ("repeat", "loop", "pick_wait", "exec-in"), ("repeat", "done", "end", "exec-in"),
        ("repeat", "index", "is_first", "a"), ("is_first", "result", "pick_wait", "condition"),
        ("pick_wait", "true", "wait_start", "exec-in"), ("pick_wait", "false", "wait_interval", "exec-in"),
        _on("wait_start", "run_target"), _on("wait_interval", "run_target"),
    ]  # fmt: skip
    return nodes, edges


def _start() -> Drawn:
    return _node("start", "on_flow_start", "Start", [], [])


def _target(spec: Mapping[str, Any]) -> Drawn:
    return _node("run_target", "subflow", spec["target_flow_id"], [], [{"id": "output", "type": "any"}],
                 subflowId=spec["target_workflow_id"])  # fmt: skip


def _wait(name: str, schedule: str, *, recurrent: bool) -> Drawn:
    config = {"schedule": schedule, "recurrent": recurrent}
    return _node(
        name, "on_schedule", "Wait", [], [{"id": "timestamp", "type": "string"}], eventConfig=config
    )


def _first(spec: Mapping[str, Any]) -> str:
    return str(spec["start_at"] or spec["cron"] or "0s")


def _every(spec: Mapping[str, Any]) -> str:
    return str(spec["interval"] or spec["cron"])


def _node(
    name: str, kind: str, label: str, inputs: list[Json], outputs: list[Json], *, runs: bool = True, **data: Json
) -> Drawn:  # fmt: skip
    before = [EXEC_IN] if runs and kind != "on_flow_start" else []
    after = [EXEC_OUT] if runs and kind not in ("on_flow_end", "for", "if") else []
    pins = [[{"label": pin["id"], **pin} for pin in side] for side in (inputs, outputs)]
    return {
        "id": name, "type": kind,
        "data": {"nodeType": kind, "label": label, "inputs": before + pins[0], "outputs": after + pins[1], **data},
    }  # fmt: skip


def _placed(node: Drawn, index: int) -> Drawn:
    return {**node, "position": {"x": STEP * index, "y": 0}}


def _on(before: str, after: str) -> Ends:
    return before, "exec-out", after, "exec-in"


def _edge(index: int, source: str, pin: str, target: str, target_pin: str) -> Json:
    return {
        "id": f"e{index}", "source": source, "sourceHandle": pin, "target": target, "targetHandle": target_pin,
    }  # fmt: skip
