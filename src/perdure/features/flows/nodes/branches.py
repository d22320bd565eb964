"""Nodes that choose one of several ways on."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.model import Exec, NodeType, Passed, Visit, described
from perdure.features.flows.values import as_list, as_object, text_of


def _if(visit: Visit) -> Passed:
    condition = visit.pins.get("condition")
    branch = "true" if condition else "false"
    return Passed({"branch": branch, "condition": condition}, exit=branch)


def _switch(visit: Visit) -> Passed:
    """Cases are compared as text, in their order."""
    value = visit.pins.get("value")
    for case in as_list(visit.node.config("switchConfig").get("cases")):
        drawn = as_object(case)
        case_id, wanted = drawn.get("id"), drawn.get("value")
        if case_id and wanted is not None and text_of(value) == text_of(wanted):
            branch = f"case:{case_id}"
            return Passed({"branch": branch, "value": value, "matched": text_of(wanted)}, branch)
    return Passed({"branch": "default", "value": value}, exit="default")


TYPES: Final[Mapping[str, NodeType]] = {
    "if": described(
        Exec(_if, exits=("true", "false")),
        "condition -> branch condition",
        "Goes on by `true` or `false`.",
    ),
    "switch": described(
        Exec(_switch, exits=("case:*", "default")),
        "value -> branch value matched",
        "Goes on by the first case whose value is the same text, else by `default`.",
        "`switchConfig.cases`: `[{id, value}]`",
    ),
}
