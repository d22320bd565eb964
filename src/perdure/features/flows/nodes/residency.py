"""The node that sees which models are loaded, and has them loaded or let go."""

from collections.abc import Mapping
from typing import Final

from perdure.features.flows.faults import PlanFault
from perdure.features.flows.model import Answer, Asked, Exec, NodeType, Passed, Visit, described
from perdure.features.flows.nodes.asking import given, said
from perdure.features.flows.values import text_of
from perdure.kernel.model import Effect, EffectClass

OPERATIONS = {
    "list": EffectClass.READ,
    "load": EffectClass.IDEMPOTENT,
    "unload": EffectClass.IDEMPOTENT,
}
TOLD = ("success", "affected_models", "models", "error", "warnings", "result")


def _begin(visit: Visit) -> Asked:
    payload = said(visit, ("operation", "task", "provider", "model"))
    operation = text_of(payload.get("operation", "list")).strip().lower()
    if operation not in OPERATIONS:
        raise PlanFault(f"there is no operation {operation[:40]!r} on models")
    payload["operation"] = operation
    effect_class = OPERATIONS[operation]
    node = visit.node
    return Asked(Effect("model_residency", payload, "", node.id, effect_class, node.result_key))


def _finish(_visit: Visit, answer: Answer) -> Passed:
    return given(TOLD, answer.result)


TYPES: Final[Mapping[str, NodeType]] = {
    "model_residency": described(
        Exec(_begin, _finish),
        "operation task provider model -> success affected_models models error warnings result",
        "Lists the models that are loaded, loads one, or lets one go: `list`, `load`, `unload`.",
    ),
}
