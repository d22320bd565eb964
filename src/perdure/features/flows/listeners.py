"""Nodes that begin a run of their own beside the flow that they are drawn in, and end with it.

A listener is a child of the run whose flow it is drawn in: the same flow, begun at its node. It is
born with the first decision of that run and cancelled when that run ends. What happens in it is
its own affair: a listener that fails is a warning to the other, and no failure of it.
"""

from typing import Final
from urllib.parse import quote, unquote

from perdure.features.flows.model import CompiledFlow
from perdure.features.flows.turn import INPUT, Turn
from perdure.features.flows.vars import RUNTIME
from perdure.kernel.model import Birth, ProgramRef, Start

LISTENER_KIND: Final = "listener"
LISTENING: Final = "listener "  # begins the tag of a listener's end


def listener(flow: CompiledFlow, node_id: str, turn: Turn) -> Start:
    """The birth of a listener, with the inputs of the run that it belongs to."""
    home = flow.home
    workflow_id = home.workflows[home.flow_id]
    cells = {f"{INPUT}{name}": value for name, value in turn.inputs().items()}
    if (runtime := turn.get(RUNTIME)) is not None:
        cells[RUNTIME] = runtime
    payload = {"workflow_id": workflow_id, "listener": node_id, "async": True, "wait": False}
    return Start(
        tag=f"{LISTENING}{node_id}", node_id=node_id, workflow_id=workflow_id, cells=cells,
        program=ProgramRef(LISTENER_KIND, home.sha256, listener_name(home.flow_id, node_id)), payload=payload,
    )  # fmt: skip


def listener_name(flow_id: str, node_id: str) -> str:
    """How a program reference names a listener."""
    return f"{quote(flow_id, safe='')}#{node_id}"


def listened(name: str) -> tuple[str, str]:
    """The flow and the node that such a name means."""
    flow_id, _, node_id = name.partition("#")
    return unquote(flow_id), node_id


def address_of(run: Birth, scope: str, session: str, name: str) -> str:
    """Where an event of `run` goes: `evt:<scope>:<whose>:<name>`. A listener counts as the run it belongs to.

    A fork of a listener by itself belongs to none.
    """
    own = (run.parent_id if run.program.kind == LISTENER_KIND else None) or run.id
    whose = {"session": session, "workflow": run.workflow_id, "run": own}.get(scope, "global")
    return f"evt:{scope}:{whose}:{name}"
