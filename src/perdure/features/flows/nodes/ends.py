"""Where a flow begins and where it ends."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Ended, Exec, NodeType, Passed, Visit, described
from perdure.features.flows.values import MISSING, Allowance
from perdure.features.flows.vars import Writes, reserved
from perdure.kernel.values import Json


def _start(visit: Visit) -> Passed:
    """Hand out the run's inputs by pin. A default that is used becomes a variable as well."""
    node, defaults = visit.node, visit.node.config("pinDefaults")
    output: dict[str, Json] = {}
    writes: Writes = {}
    for pin in node.outputs:
        given = visit.vars.first(pin)
        if given is MISSING and pin in defaults:
            given = defaults[pin]
            if not reserved(pin):
                writes[f"var/{pin}"] = given
        output[pin] = None if given is MISSING else given
    if not node.outputs:  # drawn without pins: everything that the run was given
        output = {**_spare(defaults), **visit.vars.ambient()}
    return Passed(output, writes=writes)


def _spare(defaults: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in defaults.items() if not reserved(name)}


def _request(visit: Visit) -> Passed:
    message, context = visit.vars.first("message", None), visit.vars.first("context", None)
    message = "" if message is None else message
    return Passed({"message": message, "context": {} if context is None else context})


def _agent_message(visit: Visit) -> Passed:
    sender = visit.vars.first("sender", "unknown")
    message = visit.vars.first("message", None)
    message = "" if message is None else message
    channel = visit.node.config("eventConfig").get("channel", "")
    return Passed({"sender": sender, "message": message, "channel": channel})


def _end(visit: Visit) -> Ended:
    """End the run with the declared pins; without any, with the last output as it is."""
    names, pins = visit.node.inputs, visit.pins
    last = visit.vars.last_output()
    if not pins and last is not None and not isinstance(last, dict):
        output: dict[str, Json] = {names[0] if len(names) == 1 else "response": last}
    elif names:
        output = {name: pins.get(name) for name in names}
    else:
        output = dict(pins)
    Allowance().spend(output)
    output.setdefault("success", True)
    return Ended(output)


TYPES: Final[Mapping[str, NodeType]] = {
    "on_flow_start": described(
        Exec(_start),
        "-> (declared)",
        "Begins the flow. Gives out each declared pin from the run's inputs, else its default, else null; a default that is used becomes a variable.",
    ),
    "on_user_request": described(
        Exec(_request),
        "-> message context",
        "Begins the flow with what a person asked: the inputs `message` and `context`.",
    ),
    "on_agent_message": described(
        Exec(_agent_message),
        "-> sender message channel",
        "Begins the flow with a message of an agent: the inputs `sender` and `message`.",
        "`eventConfig.channel`",
    ),
    "on_flow_end": described(
        Exec(_end),
        "(declared) ->",
        "Ends the run, even inside a loop. The output is the declared pins and `success: true`; without pins, the whole last output.",
    ),
}
