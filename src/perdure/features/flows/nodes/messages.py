"""The node that adds a message to the run's conversation."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Exec, NodeType, Passed, Visit, described
from perdure.features.flows.values import text_of


def _add(visit: Visit) -> Passed:
    """Each message is a cell of its own, so that a long conversation costs no more to add to."""
    role = text_of(visit.pins.get("role")).strip() or "user"
    content = text_of(visit.pins.get("content"))
    message, writes = visit.vars.added(visit.moment.run.id, role, content, visit.moment.text)
    vars = visit.vars.over(writes)
    wired, output = visit.node.wired, {"message": message}
    if wired & {"context", "messages", "task"}:
        context = vars.get("context")
        output.update(
            context=context, messages=context["messages"], task=text_of(context.get("task"))
        )
    return Passed(output, writes=writes)


TYPES: Final[Mapping[str, NodeType]] = {
    "add_message": described(
        Exec(_add),
        "role content -> message context task messages",
        "Adds a message to the run's conversation. The whole conversation is given out where a pin of it is read.",
    ),
}
